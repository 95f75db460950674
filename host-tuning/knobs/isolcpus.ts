import { defineBootArgument } from "./boot-argument.ts";
import { ISOLCPUS_SYNTAX } from "./boot-argument-syntax.ts";
import { isolateAtBoot, whyNotTaken } from "./boot-isolation.ts";
import { leave, setTo } from "./desired.ts";

const ISOLATED = "/sys/devices/system/cpu/isolated";

/**
 * isolcpus: CPUs that the kernel keeps free of managed interrupts and, with `domain`, of its scheduler's balancing.
 *
 * Anchors disagree on `domain` (TuneD always, NTO unless load balancing is kept), so the workload decides: without balancing
 * all threads of a program stay on the CPU where they were started, which suits one that pins its threads and ruins any
 * other. Preset latency asks for it; the others get `managed_irq` alone. What `domain` does can be had at run time too, from
 * a cpuset partition.
 *
 * @unit cpus
 * @example 16 CPUs, reserved "0,8", preset latency: "domain,managed_irq,1-7,9-15"
 */
export const isolcpus = defineBootArgument({
  id: "isolcpus",
  syntax: ISOLCPUS_SYNTAX,
  title: "CPUs kept free of interrupts and of the scheduler's balancing",
  unit: "cpus",
  scope: "cpu",
  risk: {
    level: "high",
    what: "with domain, threads that do not pin themselves share one CPU; the reserved CPUs do all other work; only a reboot takes it back",
  },
  kernelDefault: "none isolated",
  kernelRange: "managed_irq since Linux 5.6",
  sources: [
    "https://docs.kernel.org/admin-guide/kernel-parameters.html",
    "https://docs.kernel.org/admin-guide/cgroup-v2.html#cpuset-interface-files",
  ],
  anchors: {
    TuneD: "managed_irq,domain and the isolated cores (realtime)",
    NTO: "managed_irq, and domain when load balancing is turned off",
  },
  desired({ facts, profile }) {
    const isolation = isolateAtBoot(facts, profile);
    if (isolation.kind === "leave") return leave(isolation.because);
    const { isolated, because } = isolation;
    return profile.preset === "latency"
      ? setTo(
          `domain,managed_irq,${isolated}`,
          `${because}; preset latency: the service pins its own threads, so no balancing either`,
        )
      : setTo(
          `managed_irq,${isolated}`,
          `${because}; without "domain", as threads that nobody pins would share one CPU (preset ${profile.preset})`,
        );
  },
  async readIgnored(host, value) {
    return value.split(",").includes("domain") ? await whyNotTaken(host, ISOLATED, value) : undefined;
  },
});
