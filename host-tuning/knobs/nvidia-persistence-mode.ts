import * as z from "zod";
import { TuningError } from "../errors.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";

/**
 * nvidia.persistence_mode: the driver stays initialised while no program has the GPU open.
 *
 * Without it the first call after an idle time pays for the initialisation again, and settings such as the power limit
 * are lost. With it a GPU reset needs the mode off first. Only GPUs that run on NVIDIA's own driver.
 */
export const nvidiaPersistenceMode = defineKnob<string>({
  id: "nvidia.persistence_mode",
  title: "GPU driver stays initialised while idle",
  family: "gpu",
  unit: "enum",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "a little more idle power; a GPU reset needs it off first" },
  isReversible: true,
  kernelDefault: "Disabled",
  sources: ["https://docs.nvidia.com/deploy/driver-persistence/persistence-mode.html"],
  value: z.enum(["Enabled", "Disabled"]),

  targets: (facts) =>
    facts.gpus
      .filter((gpu) => gpu.vendorId === "10de" && gpu.driver === "nvidia")
      .map((gpu) => ({ name: gpu.pciAddress })),
  absentBecause: "no GPU on NVIDIA's driver",

  async read(host, target) {
    const query = ["--query-gpu=persistence_mode", "--format=csv,noheader", "-i", target.name] as const;
    const result = await host.runTool("nvidia-smi", query);
    if (result === undefined) return undefined;
    const answer = result.stdout.trim();
    if (result.exitCode === 0 && (answer === "Enabled" || answer === "Disabled")) return answer;
    if (result.exitCode === 0 && /^\[.*\]$/.test(answer)) return undefined;
    throw new TuningError(
      "TOOL_FAILED",
      target.name,
      `Cannot read persistence mode of ${target.name}: nvidia-smi ended with ${result.exitCode}: ${(result.stderr.trim() || answer).slice(0, 200)}`,
    );
  },

  desired({ profile }) {
    if (!profile.gpu.persistenceMode) return leave("the profile does not ask for it (gpu.persistenceMode)");
    return setTo("Enabled", "the first call after an idle time does not wait for the driver to initialise");
  },

  writes: (value, target, before) => [
    { kind: "tool", command: command(target.name, value), undo: command(target.name, before) },
  ],
});

function command(pciAddress: string, mode: string): readonly [tool: string, ...args: string[]] {
  return ["nvidia-smi", "-i", pciAddress, "-pm", mode === "Enabled" ? "1" : "0"];
}
