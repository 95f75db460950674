import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob, type Target } from "./knob.ts";

/**
 * scaling_governor: who sets the clock of a group of CPUs.
 *
 * `performance` for the presets that pay for speed with power. The balanced preset wants a governor that follows the
 * load: `schedutil` where the host sits on one that pins the clock low or is driven by hand. Under intel_pstate or
 * amd_pstate in active mode there is no schedutil, and their `powersave` follows the load by itself, so it stays.
 */
export const scalingGovernor = defineKnob<string>({
  id: "scaling_governor",
  title: "Who sets the CPUs' clock",
  family: "cpu",
  unit: "enum",
  scope: "cpu",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "more power and heat" },
  isReversible: true,
  anchors: {
    TuneD: "performance in throughput-performance and latency-performance",
    rpk: "performance, on as many policies as there are physical cores: siblings' policies are left out",
    saptune: "performance",
  },
  kernelDefault: "by the kernel's build: schedutil, or powersave under intel_pstate and amd_pstate",
  sources: [
    "https://docs.kernel.org/admin-guide/pm/cpufreq.html",
    "https://docs.kernel.org/admin-guide/pm/intel_pstate.html",
  ],
  value: z.string().regex(/^[a-z_]{1,16}$/, "a governor's name"),

  targets: (facts) => facts.cpu.frequencyPolicies.map((name) => ({ name })),
  absentBecause: "no cpufreq on this host: the clock is the hypervisor's or the firmware's",

  read: (host, target) => readWord(host, pathOf(target)),

  desired({ facts, profile, current }) {
    const { governors } = facts.cpu;
    if (profile.preset !== "balanced") {
      return governors.includes("performance")
        ? setTo("performance", `full clock at once, for the ${profile.preset} preset`)
        : leave(`performance is wanted and the host offers ${governors.join(", ") || "nothing"}`);
    }
    const isPinned = ["powersave", "userspace", "conservative"].includes(current);
    if (!governors.includes("schedutil") || !isPinned) {
      return leave(`host has ${current}, and the balanced preset wants no fixed clock`);
    }
    return setTo("schedutil", `${current} holds the clock low; schedutil follows the load`);
  },

  writes: (value, target) => [{ kind: "kernel-file", path: pathOf(target), text: `${value}\n` }],
});

function pathOf(target: Target): string {
  return `/sys/devices/system/cpu/cpufreq/${target.name}/scaling_governor`;
}
