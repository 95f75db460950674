import * as z from "zod";
import { TuningError } from "../errors.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import {
  gpuTargets,
  gpuWrite,
  NO_NVIDIA_GPU,
  NVIDIA_SMI_MANUAL,
  readClockReasons,
  readGpu,
  readGpuAbsence,
} from "./nvidia-smi.ts";

const READING = /^(\d+(?:\.\d+)?) W(?: \(of (\d+) to (\d+)\))?$/;

function wattsOf(text: string): number {
  return Number(READING.exec(text)?.[1]);
}

/**
 * nvidia.power_limit: the most power that a GPU draws, by slowing its clock.
 *
 * What is read is the limit that the driver enforces, which a chassis may hold below the one that was asked for. Only
 * within what the GPU allows. Lost when the driver unloads, so that it wants persistence mode.
 *
 * @unit watts
 */
export const nvidiaPowerLimit = defineKnob<string>({
  id: "nvidia.power_limit",
  title: "Most power that a GPU draws",
  family: "gpu",
  unit: "text",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "medium", what: "less power is less speed" },
  isReversible: true,
  kernelDefault: "the card's default, most often its maximum",
  anchors: {},
  sources: [NVIDIA_SMI_MANUAL],
  value: z.string().regex(READING, 'a limit as in "400 W"'),

  targets: (facts) => gpuTargets(facts),
  absentBecause: NO_NVIDIA_GPU,
  readAbsence: readGpuAbsence,

  async read(host, target) {
    const gpu = await readGpu(host, target);
    const watts = gpu?.["enforced.power.limit"] ?? gpu?.["power.limit"];
    if (gpu === undefined || watts === undefined) return undefined;
    const { "power.min_limit": least, "power.max_limit": most } = gpu;
    const range =
      least === undefined || most === undefined ? "" : ` (of ${Math.ceil(least)} to ${Math.floor(most)})`;
    return `${watts} W${range}`;
  },

  desired({ profile, current, target }) {
    const watts = profile.gpu.powerLimitWatts;
    if (watts === undefined) return leave("the profile names none (gpu.powerLimitWatts)");
    const [, , least, most] = READING.exec(current) ?? [];
    if (least !== undefined && most !== undefined && (watts < Number(least) || watts > Number(most))) {
      throw new TuningError(
        "TOOL_FAILED",
        target.name,
        `Cannot limit ${target.name} to ${watts} W: it takes ${least} to ${most} W`,
      );
    }
    return setTo(`${watts} W`, "gpu.powerLimitWatts");
  },

  isSatisfied: (current, wanted) => wattsOf(current) === wattsOf(wanted),

  writes: (value, target, before) => [
    gpuWrite(target, ["-pl", String(wattsOf(value))], ["-pl", String(wattsOf(before))]),
  ],

  explainShortfall: (_wanted, found) =>
    `the driver enforces ${found}; nvidia-smi may take a limit without it being in force`,
  evidence: readClockReasons,
});
