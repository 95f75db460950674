import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob, type Target, type ToolWrite } from "./knob.ts";
import { MIG_GUIDE } from "./nvidia-mig-mode.ts";
import { failure, gpuTargets, NO_NVIDIA_GPU, readGpu, readGpuAbsence } from "./nvidia-smi.ts";

/** No instances: an empty value would read as "not there". */
const NONE = "none";

/**
 * nvidia.mig_profiles: the GPU instances that a GPU in MIG mode is divided into, each with one compute instance.
 *
 * Made where there are none. Where there are others they are left alone, and that is a failure: taking them away ends
 * what runs on them, and the device plugin or mig-parted may own them. Gone with every reboot. Behind nvidia.mig_mode in
 * the registry, and not by `after`: rollback has to take the instances away before it turns the mode off.
 */
export const nvidiaMigProfiles = defineKnob<string>({
  id: "nvidia.mig_profiles",
  title: "Instances that a GPU is divided into",
  family: "gpu",
  unit: "text",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "medium", what: "programs see instances and no longer the whole GPU" },
  isReversible: true,
  kernelDefault: NONE,
  anchors: {},
  sources: [MIG_GUIDE, "https://github.com/NVIDIA/mig-parted"],
  value: z.string().regex(/^(none|[0-9a-z.+]+( [0-9a-z.+]+)*)$/, 'MIG profiles as in "1g.10gb 1g.10gb"'),

  targets: (facts, profile) => ((profile.gpu.mig ?? []).length === 0 ? [] : gpuTargets(facts)),
  absentBecause: `${NO_NVIDIA_GPU}, or the profile asks for no instances (gpu.mig)`,
  readAbsence: readGpuAbsence,

  async read(host, target) {
    const gpu = await readGpu(host, target);
    if (gpu?.["mig.mode.current"] === undefined) return undefined;
    return gpu["mig.mode.current"] === "Disabled" ? NONE : await readInstances(host, target);
  },

  desired({ profile, current, target }) {
    const mig = profile.gpu.mig ?? [];
    if (mig.length === 0) return leave("the profile asks for no instances (gpu.mig)");
    const wanted = mig.toSorted().join(" ");
    if (current !== NONE && current !== wanted) {
      throw new TuningError(
        "TOOL_FAILED",
        target.name,
        `Cannot divide ${target.name} into ${wanted}: it is divided into ${current}, and something may run there; remove that first (nvidia-smi mig -dci, then -dgi)`,
      );
    }
    return setTo(wanted, "gpu.mig");
  },

  writes(value, target) {
    const select = ["mig", "-i", target.name] as const;
    const mig = (...options: string[]): ToolWrite["command"] => ["nvidia-smi", ...select, ...options];
    return [
      { kind: "tool", command: mig("-cgi", value.replaceAll(" ", ",")), undo: mig("-dgi") },
      // Without a profile each GPU instance gets one compute instance that fills it.
      { kind: "tool", command: mig("-cci"), undo: mig("-dci") },
    ];
  },
});

/**
 * Profiles of the instances there are, from the table that `mig -lgi` prints: |   0  MIG 1g.10gb  19  7  0:1  |
 *
 * @throws {TuningError} TOOL_FAILED when nvidia-smi does not say
 */
async function readInstances(host: Host, target: Target): Promise<string | undefined> {
  const result = await host.runTool("nvidia-smi", ["mig", "-i", target.name, "-lgi"]);
  if (result === undefined) return undefined;
  if (/No GPU instances found|No MIG-enabled devices found/i.test(result.stdout + result.stderr)) return NONE;
  if (result.exitCode !== 0) throw failure(`Cannot read the instances of ${target.name}`, target, result);
  const profiles = [...result.stdout.matchAll(/^\|\s+\d+\s+MIG (\S+)\s+\d+\s+\d+\s+\d+:\d+\s+\|$/gm)];
  return profiles.length === 0
    ? NONE
    : profiles
        .map(([, profile = ""]) => profile)
        .toSorted()
        .join(" ");
}
