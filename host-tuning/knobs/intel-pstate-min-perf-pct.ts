import * as z from "zod";
import { leave, raiseTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/devices/system/cpu/intel_pstate/min_perf_pct";

/**
 * intel_pstate/min_perf_pct: the lowest clock, in percent of the highest.
 *
 * 100 for latency, where the first request after a pause must not wait for the clock to rise. TuneD sets it for
 * throughput as well; a busy CPU has its full clock from the governor anyway, and a floor only burns power in idle times,
 * which the busy cores then lack for turbo.
 *
 * @unit percent
 */
export const intelPstateMinPerfPct = defineKnob<number>({
  id: "intel_pstate/min_perf_pct",
  title: "Lowest clock, in percent of the highest",
  family: "cpu",
  unit: "percent",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "more power and heat while idle" },
  isReversible: true,
  anchors: { TuneD: "100 in throughput-performance and latency-performance" },
  kernelDefault: "the processor's lowest clock, often 20 to 30",
  kernelRange: "with intel_pstate in active mode, since Linux 3.9",
  sources: ["https://docs.kernel.org/admin-guide/pm/intel_pstate.html#user-space-interface-in-sysfs"],
  value: z.int().min(0).max(100),

  read: (host) => readCount(host, PATH),

  desired: ({ profile, current }) =>
    profile.preset === "latency"
      ? raiseTo(
          { value: 100, because: "the first request after a pause finds the full clock" },
          { current, profile },
        )
      : leave(
          `a busy CPU has its full clock from the governor, and preset ${profile.preset} wants no floor for idle ones`,
        ),

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
