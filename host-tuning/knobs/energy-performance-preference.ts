import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob, type Target } from "./knob.ts";

/**
 * energy_performance_preference: what the processor itself prefers when it chooses a clock (HWP, CPPC).
 *
 * `performance` for the presets that pay for speed with power. The balanced preset only leaves the two settings that
 * hold the clock back under load. The governor `performance` of intel_pstate brings `performance` with it and refuses
 * any other (EBUSY), so the governor comes first.
 */
export const energyPerformancePreference = defineKnob<string>({
  id: "energy_performance_preference",
  title: "What the processor prefers when it chooses its clock",
  family: "cpu",
  unit: "enum",
  scope: "cpu",
  phase: "early",
  after: ["scaling_governor"],
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "more power and heat" },
  isReversible: true,
  anchors: { TuneD: "performance in throughput-performance and latency-performance" },
  kernelDefault: "balance_performance, or what the firmware set",
  kernelRange:
    "with intel_pstate (since Linux 4.10) or amd_pstate (6.3) in active mode on a processor with HWP or CPPC",
  sources: [
    "https://docs.kernel.org/admin-guide/pm/intel_pstate.html#energy-vs-performance-hints",
    "https://docs.kernel.org/admin-guide/pm/amd-pstate.html",
  ],
  value: z.enum(["default", "performance", "balance_performance", "balance_power", "power"]),

  targets: (facts) => facts.cpu.frequencyPolicies.map((name) => ({ name })),
  absentBecause: "no cpufreq on this host: the clock is the hypervisor's or the firmware's",

  read: (host, target) => readWord(host, pathOf(target)),

  desired({ profile, current }) {
    if (profile.preset !== "balanced")
      return setTo("performance", `full clock at once, for the ${profile.preset} preset`);
    if (current !== "power" && current !== "balance_power")
      return leave(`host has ${current}, and the balanced preset wants the clock to follow the load`);
    return setTo("balance_performance", `${current} holds the clock back under load`);
  },

  writes: (value, target) => [{ kind: "kernel-file", path: pathOf(target), text: `${value}\n` }],
});

function pathOf(target: Target): string {
  return `/sys/devices/system/cpu/cpufreq/${target.name}/energy_performance_preference`;
}
