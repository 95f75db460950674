import * as z from "zod";
import { parseKernelList } from "../sys/kernel-list.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { type PerCpuFile, cpusTarget, readPerCpu, wordsIn, writesPerCpu } from "./per-cpu-file.ts";

const FILE: PerCpuFile = { file: "power/energy_perf_bias", pattern: /^\d{1,2}$/ };

/** The kernel's "normal": what Linux sets where the firmware left 0. */
const NORMAL = 6;

/**
 * energy_perf_bias: the older hint of Intel processors, 0 for speed to 15 for saving.
 *
 * It still steers uncore and turbo where the newer energy_performance_preference is there as well. Firmware often leaves
 * 6 or 7; the balanced preset only takes back what saves more than that.
 *
 * @example preset latency, host has 6: "0"
 */
export const energyPerfBias = defineKnob<string>({
  id: "energy_perf_bias",
  title: "Intel's hint between speed (0) and saving (15)",
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
    saptune: "performance",
  },
  kernelDefault: "what the firmware set; 6 (normal) where it left 0",
  kernelRange: "since Linux 5.2, on Intel processors with EPB",
  sources: ["https://docs.kernel.org/admin-guide/pm/intel_epb.html"],
  value: z.string().regex(/^(?:[0-9]|1[0-5])$/, "a number from 0 (speed) to 15 (saving)"),

  targets: (facts) =>
    facts.cpu.vendor === "GenuineIntel" ? cpusTarget(parseKernelList(facts.cpu.onlineCpus) ?? []) : [],
  absentBecause: "only Intel processors have it",

  read: (host, target) => readPerCpu(host, target, FILE),

  desired({ profile, current }) {
    if (profile.preset !== "balanced")
      return setTo("0", `speed before saving, for the ${profile.preset} preset`);
    return wordsIn(current).every((word) => Number(word) <= NORMAL)
      ? leave(`host has ${current}, which does not save more than normal (${NORMAL})`)
      : setTo(String(NORMAL), `host has ${current}, which saves at the cost of speed; ${NORMAL} is normal`);
  },

  writes: (value, target) => writesPerCpu(value, target, FILE),
});
