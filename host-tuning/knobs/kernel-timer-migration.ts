import { leave, setTo } from "./desired.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * kernel.timer_migration: may timers of an idle CPU run on one that is awake.
 *
 * The anchors disagree: TuneD's network-latency turns it off so that a timer fires where it was set, OpenShift keeps it on so that
 * timers leave the isolated CPUs. A service with CPUs of its own is the case where it matters, and there on is right; an
 * event loop's own timers are epoll time-outs, which wake their thread wherever they fire.
 *
 * @example cpu.isolation boot: 1; none: left
 */
export const kernelTimerMigration = integerSysctl({
  id: "kernel.timer_migration",
  title: "Timers leave CPUs that are idle",
  unit: "flag",
  scope: "host",
  takesEffect: "now",
  range: [0, 1],
  risk: { level: "low", what: "a timer that was set on an idle CPU fires on another one" },
  kernelDefault: "1",
  anchors: { TuneD: "network-latency: 0", NTO: "1" },
  sources: ["https://docs.kernel.org/admin-guide/sysctl/kernel.html#timer-migration"],
  desired({ profile }) {
    const { isolation } = profile.cpu;
    return isolation === "none"
      ? leave("the service has no CPUs of its own that timers would have to leave")
      : setTo(1, `timers leave the CPUs of the service while they idle (cpu.isolation ${isolation})`);
  },
});
