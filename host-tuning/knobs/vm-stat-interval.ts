import { leave, raiseTo } from "./desired.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** TuneD's network-latency. */
const QUIET_SECONDS = 10;

/**
 * vm.stat_interval: how often every CPU adds up its memory counters, which interrupts what runs there.
 *
 * Only where the profile asks for latency or gives the service CPUs of its own; elsewhere a monitor that reads
 * /proc/vmstat each second is worth more than a few microseconds.
 *
 * @unit seconds
 * @example preset latency: 10; balanced: left
 */
export const vmStatInterval = integerSysctl({
  id: "vm.stat_interval",
  title: "Time between updates of memory counters",
  unit: "seconds",
  scope: "host",
  takesEffect: "now",
  range: [1, INT32_MAX],
  risk: { level: "low", what: "memory counters that monitors read are up to 10 s old" },
  kernelDefault: "1",
  anchors: { TuneD: "network-latency: 10" },
  sources: ["https://docs.kernel.org/admin-guide/sysctl/vm.html#stat-interval"],
  desired(input) {
    const { preset, cpu } = input.profile;
    if (preset !== "latency" && cpu.isolation === "none")
      return leave(
        `preset ${preset} without CPUs of the service's own: counters that are up to date are worth more`,
      );
    const who = cpu.isolation === "none" ? "preset latency" : `CPUs of the service's own (${cpu.isolation})`;
    return raiseTo({ value: QUIET_SECONDS, because: `${who}: every CPU is interrupted for it` }, input);
  },
});
