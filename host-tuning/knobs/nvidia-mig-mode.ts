import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { gpuTargets, gpuWrite, NO_NVIDIA_GPU, readGpu, readGpuAbsence } from "./nvidia-smi.ts";
import { modeWithPending, pendingMode } from "./pending-mode.ts";

export const MIG_GUIDE = "https://docs.nvidia.com/datacenter/tesla/mig-user-guide/index.html";

/**
 * nvidia.mig_mode: whether a GPU can be divided into instances.
 *
 * Needs a GPU that nothing uses, a monitoring agent included; otherwise nvidia-smi ends well and leaves the mode
 * pending until a reset or a reboot, which is reported as that and not as done. Kept by A100 and A30 over a reboot; from
 * H100 on it is gone with the driver, so that it is set at every boot.
 */
export const nvidiaMigMode = defineKnob<string>({
  id: "nvidia.mig_mode",
  title: "Whether a GPU can be divided into instances",
  family: "gpu",
  unit: "enum",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "high", what: "what runs on the GPU has to stop first, and sees other devices afterwards" },
  isReversible: true,
  kernelDefault: "Disabled",
  anchors: {},
  sources: [MIG_GUIDE],
  value: z.enum(["Enabled", "Disabled"]),

  targets: (facts) => gpuTargets(facts),
  absentBecause: NO_NVIDIA_GPU,
  readAbsence: readGpuAbsence,

  async read(host, target) {
    const gpu = await readGpu(host, target);
    return modeWithPending(gpu?.["mig.mode.current"], gpu?.["mig.mode.pending"]);
  },

  desired({ profile }) {
    const { mig } = profile.gpu;
    if (mig === undefined) return leave("the profile does not ask for MIG (gpu.mig)");
    return mig.length === 0
      ? setTo("Disabled", "gpu.mig is empty, which turns MIG off")
      : setTo("Enabled", `gpu.mig asks for ${mig.join(", ")}`);
  },

  isPending: (found, wanted) => pendingMode(found) === wanted,

  writes(value, target, before) {
    const flag = (mode: string): string => (mode.startsWith("Enabled") ? "1" : "0");
    return [gpuWrite(target, ["-mig", flag(value)], ["-mig", flag(before)])];
  },

  explainShortfall: () =>
    "nvidia-smi ended well without effect: the GPU does not let MIG mode be changed here (a VM that was given one GPU of several has to be started again)",
});
