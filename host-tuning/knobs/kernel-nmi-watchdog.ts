import { leave, setTo } from "./desired.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * kernel.nmi_watchdog: is every CPU watched for a hard lock-up, by an interrupt every few seconds.
 *
 * Off only where the profile gives the service CPUs of its own: the interrupt hits them like all others and the watchdog holds a
 * performance counter. TuneD turns it off with network-latency for the whole host, which hides a hang at 3 a.m., so the
 * preset alone is no reason. Off in KVM guests already.
 *
 * @example cpu.isolation partition: 0; none: left
 */
export const kernelNmiWatchdog = integerSysctl({
  id: "kernel.nmi_watchdog",
  title: "Watching every CPU for a hard lock-up",
  unit: "flag",
  scope: "host",
  takesEffect: "now",
  range: [0, 1],
  risk: { level: "medium", what: "a CPU that hangs with interrupts off is noticed by nobody" },
  kernelDefault: "1",
  kernelRange: "where the processor's performance counters can be had; 0 in KVM guests",
  anchors: { TuneD: "network-latency: 0" },
  sources: ["https://docs.kernel.org/admin-guide/sysctl/kernel.html#nmi-watchdog"],
  desired({ profile }) {
    const { isolation } = profile.cpu;
    return isolation === "none"
      ? leave("the service has no CPUs of its own, and a hang that nobody notices costs more")
      : setTo(0, `its interrupt would reach the service's own CPUs too (cpu.isolation ${isolation})`);
  },
});
