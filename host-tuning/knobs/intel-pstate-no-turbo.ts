import * as z from "zod";
import { TURBO_BECAUSE } from "./cpufreq-boost.ts";
import { leave, setTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/devices/system/cpu/intel_pstate/no_turbo";

/**
 * intel_pstate/no_turbo: 1 keeps the clock at its nominal value. The same question as cpufreq/boost, asked the other
 * way round. Where the firmware has turned turbo off the kernel refuses the write, and that is a failure that says so.
 */
export const intelPstateNoTurbo = defineKnob<number>({
  id: "intel_pstate/no_turbo",
  title: "Is the clock kept at its nominal value",
  family: "cpu",
  unit: "flag",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "more power and heat, and a clock that depends on what the other cores do" },
  isReversible: true,
  anchors: { TuneD: "0, where there is no boost file; not put back by its rollback" },
  kernelDefault: "0 unless the firmware turned turbo off",
  kernelRange: "with intel_pstate, since Linux 3.10",
  sources: ["https://docs.kernel.org/admin-guide/pm/intel_pstate.html#user-space-interface-in-sysfs"],
  value: z.int().min(0).max(1),

  read: (host) => readCount(host, PATH),

  desired: ({ profile, current }) =>
    profile.preset === "balanced"
      ? leave(`host has ${current}, and the balanced preset has no reason to change it`)
      : setTo(0, TURBO_BECAUSE),

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
