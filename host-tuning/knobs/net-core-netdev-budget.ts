import { leave, raiseTo } from "./desired.ts";
import { SQUEEZED, isSqueezed, softnetEvidence } from "./softnet-evidence.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** Twice the kernel's 300: one step up, and the counters tell whether another is needed. Our choice. */
const SQUEEZED_PACKETS = 600;

/**
 * net.core.netdev_budget: packets that one run of the receive softirq takes from all NICs of a CPU.
 *
 * Only raised where the kernel has counted runs that ended with work left (time_squeeze), and not for latency: a longer
 * run keeps the service off that CPU for longer.
 */
export const netCoreNetdevBudget = integerSysctl({
  id: "net.core.netdev_budget",
  title: "Packets that one run of the receive softirq takes",
  unit: "packets",
  scope: "host",
  takesEffect: "now",
  range: [1, INT32_MAX],
  risk: { level: "low", what: "longer softirq runs take CPU time from the service" },
  kernelDefault: "300",
  anchors: { bpftune: "+25 % while time_squeeze rises" },
  sources: ["https://docs.kernel.org/admin-guide/sysctl/net.html#netdev-budget"],
  evidence: softnetEvidence,
  desired({ facts, profile, current }) {
    if (!isSqueezed(facts.softnet)) return leave("the receive softirq has not run out of its budget");
    if (profile.preset === "latency") {
      return leave(
        `${SQUEEZED}, but a longer run would keep the service off its CPU, and the preset is latency`,
      );
    }
    return raiseTo({ value: SQUEEZED_PACKETS, because: SQUEEZED }, { current, profile });
  },
});
