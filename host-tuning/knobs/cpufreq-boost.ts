import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/devices/system/cpu/cpufreq/boost";

/** Why the clock may rise above its nominal value, for both ways in which drivers spell it. */
export const TURBO_BECAUSE =
  "tuners disagree (TuneD on; rpk off, so that every request takes equally long) and the workload decides: the tail of a service with an event loop is its longest run, which a higher clock shortens; override it where equal times matter more";

/**
 * cpufreq/boost: may the clock rise above its nominal value while power and heat allow it (acpi-cpufreq, amd_pstate,
 * cppc_cpufreq). intel_pstate spells it the other way round, in its own file: intel_pstate/no_turbo.
 */
export const cpufreqBoost = defineKnob<number>({
  id: "cpufreq/boost",
  title: "May the clock rise above its nominal value",
  family: "cpu",
  unit: "flag",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "more power and heat, and a clock that depends on what the other cores do" },
  isReversible: true,
  anchors: { TuneD: "1 in latency-performance", rpk: "0, for equal times" },
  kernelDefault: "1 where the processor can",
  kernelRange: "with acpi-cpufreq, amd_pstate or cppc_cpufreq on a processor that can boost",
  sources: [
    "https://docs.kernel.org/admin-guide/pm/cpufreq.html#frequency-boost-support",
    "https://github.com/redhat-performance/tuned/blob/2bfa442/profiles/latency-performance/tuned.conf",
  ],
  value: z.int().min(0).max(1),

  read: (host) => readCount(host, PATH),

  desired: ({ profile, current }) =>
    profile.preset === "balanced"
      ? leave(`host has ${current}, and the balanced preset has no reason to change it`)
      : setTo(1, TURBO_BECAUSE),

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
