import { leave, setTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";
import { placeService } from "./service-placement.ts";

/**
 * kernel.numa_balancing: does the kernel move memory to the node whose CPUs use it, at the price of page faults.
 *
 * Off where the service is bound to one node anyway: the kernel's documentation asks for that, and the faults are cost
 * without gain. TuneD (network-latency, hpc) and saptune turn it off without looking; where nothing is bound it is left,
 * because nobody can tell in general. 2 (memory tiering) is somebody's choice and stays.
 *
 * @example two nodes, service bound to the node of its NIC: 0; one node: left
 */
export const kernelNumaBalancing = integerSysctl({
  id: "kernel.numa_balancing",
  title: "Moving memory to the node that uses it",
  unit: "enum",
  scope: "host",
  takesEffect: "now",
  range: [0, 3],
  risk: { level: "low", what: "other programs that move between nodes keep their memory where it is" },
  kernelDefault: "1 with more than one node, else 0",
  kernelRange: "bits since Linux 5.18: 1 balancing, 2 memory tiering; 0 or 1 before",
  anchors: { TuneD: "network-latency, hpc-compute: 0", saptune: "0" },
  evidence: counted("/proc/vmstat", ["numa_hint_faults", "numa_pages_migrated"]),
  sources: ["https://docs.kernel.org/admin-guide/sysctl/kernel.html#numa-balancing"],
  desired({ facts, profile, current }) {
    if (facts.numa.nodes.length < 2) return leave("this host has one NUMA node");
    if (current >= 2) return leave(`host has ${current}, memory tiering, which somebody chose`);
    const placement = placeService(facts, profile);
    return placement.kind === "bound"
      ? setTo(
          0,
          `the service is bound to one node, so moving its memory costs faults and gains nothing (${placement.because})`,
        )
      : leave(`the service is not bound to one node: ${placement.because}`);
  },
});
