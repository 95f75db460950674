import { defineBootArgument } from "./boot-argument.ts";
import { cpuListArgument } from "./boot-argument-syntax.ts";
import { isolateAtBoot } from "./boot-isolation.ts";
import { leave, setTo } from "./desired.ts";

/**
 * rcu_nocbs: CPUs whose RCU callbacks run in threads on other CPUs. The kernel does it for nohz_full CPUs by itself; named
 * here all the same, so that it holds where a kernel drops nohz_full.
 *
 * @unit cpus
 * @example 16 CPUs, reserved "0,8": "1-7,9-15"
 */
export const rcuNocbs = defineBootArgument({
  id: "rcu_nocbs",
  syntax: cpuListArgument("rcu_nocbs"),
  title: "CPUs whose RCU callbacks run on other CPUs",
  unit: "cpus",
  scope: "cpu",
  risk: {
    level: "low",
    what: "the reserved CPUs do the callbacks of all; waking their threads costs a little",
  },
  kernelDefault: "none",
  kernelRange: "kernels with CONFIG_RCU_NOCB_CPU",
  sources: [
    "https://docs.kernel.org/admin-guide/kernel-parameters.html",
    "https://docs.kernel.org/timers/no_hz.html",
  ],
  anchors: { TuneD: "the isolated cores (cpu-partitioning, realtime)", NTO: "the isolated CPUs" },
  desired({ facts, profile }) {
    const isolation = isolateAtBoot(facts, profile);
    return isolation.kind === "leave"
      ? leave(isolation.because)
      : setTo(isolation.isolated, `no callbacks on ${isolation.because}`);
  },
});
