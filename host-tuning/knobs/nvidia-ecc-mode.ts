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
import { modeWithPending, pendingMode } from "./pending-mode.ts";

/**
 * nvidia.ecc_mode: whether the GPU's memory corrects errors.
 *
 * Off gives some memory and bandwidth back on cards without HBM, and wrong results without a word when a bit flips: it
 * is never moved unless the profile says which. Kept by the card; in force after a GPU reset or a reboot, until when
 * the driver shows it as pending.
 */
export const nvidiaEccMode = defineKnob<string>({
  id: "nvidia.ecc_mode",
  title: "Whether a GPU's memory corrects errors",
  family: "gpu",
  unit: "enum",
  scope: "host",
  phase: "late",
  takesEffect: "reboot",
  survivesReboot: true,
  risk: { level: "high", what: "without it a flipped bit is a wrong result and not an error" },
  isReversible: true,
  kernelDefault: "Enabled on cards for servers",
  anchors: {},
  sources: [NVIDIA_SMI_MANUAL],
  value: z.enum(["Enabled", "Disabled"]),

  targets: (facts) => gpuTargets(facts),
  absentBecause: NO_NVIDIA_GPU,
  readAbsence: readGpuAbsence,

  async read(host, target) {
    const gpu = await readGpu(host, target);
    return modeWithPending(gpu?.["ecc.mode.current"], gpu?.["ecc.mode.pending"]);
  },

  desired({ profile }) {
    const { ecc } = profile.gpu;
    if (ecc === undefined) return leave("the profile does not say (gpu.ecc)");
    return setTo(ecc ? "Enabled" : "Disabled", "gpu.ecc");
  },

  isPending: (found, wanted) => pendingMode(found) === wanted,

  writes(value, target, before) {
    const flag = (mode: string | undefined): string => (mode === "Enabled" ? "1" : "0");
    const undo = flag(pendingMode(before) ?? before);
    return [gpuWrite(target, ["-e", flag(value)], ["-e", undo], { survivesReboot: true })];
  },

  explainShortfall: () =>
    "nvidia-smi ended well, and nothing is pending: this card does not let it be changed",
});
