import { defineBootArgument } from "./boot-argument.ts";
import { cpuListArgument } from "./boot-argument-syntax.ts";
import { isolateAtBoot, whyNotTaken } from "./boot-isolation.ts";
import { leave, setTo } from "./desired.ts";

/**
 * nohz_full: CPUs that get no timer tick while they run one thread. The isolated CPUs of the profile, where nothing else is
 * to interrupt the service. The kernel moves their RCU callbacks and timers to the reserved CPUs, and a system call costs a
 * little more on them. A kernel built without CONFIG_NO_HZ_FULL drops it, and that is told after the reboot.
 *
 * @unit cpus
 * @example 16 CPUs, reserved "0,8": "1-7,9-15"
 */
export const nohzFull = defineBootArgument({
  id: "nohz_full",
  syntax: cpuListArgument("nohz_full"),
  title: "CPUs without a timer tick while they run one thread",
  unit: "cpus",
  scope: "cpu",
  risk: {
    level: "medium",
    what: "system calls and context switches on these CPUs cost more; more than one runnable thread brings the tick back",
  },
  kernelDefault: "none",
  kernelRange: "kernels with CONFIG_NO_HZ_FULL",
  sources: [
    "https://docs.kernel.org/timers/no_hz.html",
    "https://docs.kernel.org/admin-guide/kernel-parameters.html",
  ],
  anchors: {
    TuneD: "the isolated cores (cpu-partitioning, realtime)",
    NTO: "the isolated CPUs (realtime hint)",
  },
  desired({ facts, profile }) {
    const isolation = isolateAtBoot(facts, profile);
    return isolation.kind === "leave"
      ? leave(isolation.because)
      : setTo(isolation.isolated, `no tick on ${isolation.because}`);
  },
  async readIgnored(host, value) {
    const path = "/sys/devices/system/cpu/nohz_full";
    if (!(await host.exists(path))) return "the kernel has no nohz_full (CONFIG_NO_HZ_FULL)";
    return await whyNotTaken(host, path, value);
  },
});
