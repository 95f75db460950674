import { leave, raiseTo } from "./desired.ts";
import { SQUEEZED, isSqueezed, softnetEvidence } from "./softnet-evidence.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** Twice what kernels with 250 Hz start with (2 jiffies). Our choice. */
const SQUEEZED_MICROS = 16_000;

/**
 * net.core.netdev_budget_usecs: how long one run of the receive softirq may take. Goes with `net.core.netdev_budget`: a
 * run ends at whichever comes first.
 */
export const netCoreNetdevBudgetUsecs = integerSysctl({
  id: "net.core.netdev_budget_usecs",
  title: "Longest run of the receive softirq",
  unit: "microseconds",
  scope: "host",
  takesEffect: "now",
  range: [0, INT32_MAX],
  risk: { level: "low", what: "longer softirq runs take CPU time from the service" },
  kernelDefault: "8000 with 250 timer ticks a second, 2000 with 1000: two ticks",
  kernelRange: "since Linux 4.12",
  anchors: { bpftune: "+25 % while time_squeeze rises" },
  sources: ["https://docs.kernel.org/admin-guide/sysctl/net.html#netdev-budget-usecs"],
  evidence: softnetEvidence,
  desired({ facts, profile, current }) {
    if (!isSqueezed(facts.softnet)) return leave("the receive softirq has not run out of its budget");
    if (profile.preset === "latency") {
      return leave(
        `${SQUEEZED}, but a longer run would keep the service off its CPU, and the preset is latency`,
      );
    }
    return raiseTo({ value: SQUEEZED_MICROS, because: SQUEEZED }, { current, profile });
  },
});
