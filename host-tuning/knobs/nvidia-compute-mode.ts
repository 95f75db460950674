import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import {
  gpuTargets,
  gpuWrite,
  NO_NVIDIA_GPU,
  NVIDIA_SMI_MANUAL,
  readGpu,
  readGpuAbsence,
} from "./nvidia-smi.ts";

/** Names as the query prints them, and the numbers that -c takes. */
const MODES: Readonly<Record<string, string>> = {
  Default: "0",
  Prohibited: "2",
  Exclusive_Process: "3",
};

const BY_PROFILE = {
  default: "Default",
  "exclusive-process": "Exclusive_Process",
  prohibited: "Prohibited",
} as const;

/**
 * nvidia.compute_mode: how many processes may use the GPU at a time.
 *
 * Exclusive makes a second process fail at once instead of slowing the first; it breaks time-slicing device plugins and
 * health checks that open a context. Not for a GPU in MIG mode.
 */
export const nvidiaComputeMode = defineKnob<string>({
  id: "nvidia.compute_mode",
  title: "How many processes may use a GPU at a time",
  family: "gpu",
  unit: "enum",
  scope: "host",
  phase: "late",
  takesEffect: "new-processes",
  survivesReboot: false,
  risk: { level: "medium", what: "a second process, a health check among them, cannot use the GPU" },
  isReversible: true,
  kernelDefault: "Default",
  anchors: {},
  sources: [NVIDIA_SMI_MANUAL],
  value: z.enum(["Default", "Exclusive_Process", "Prohibited"]),

  targets: (facts) => gpuTargets(facts),
  absentBecause: NO_NVIDIA_GPU,
  readAbsence: readGpuAbsence,
  read: async (host, target) => (await readGpu(host, target))?.compute_mode,

  desired({ profile }) {
    const mode = profile.gpu.computeMode;
    if (mode === undefined) return leave("the profile names none (gpu.computeMode)");
    return setTo(BY_PROFILE[mode], "gpu.computeMode");
  },

  writes: (value, target, before) => [
    gpuWrite(target, ["-c", MODES[value] ?? "0"], ["-c", MODES[before] ?? "0"]),
  ],
});
