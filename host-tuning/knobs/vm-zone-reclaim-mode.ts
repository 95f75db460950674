import { leave, setTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * vm.zone_reclaim_mode: does a node throw its file cache away before it takes memory of another node.
 *
 * 0: a service keeps its code and files cached, and remote memory is slower by far less than a disk. The kernel's
 * documentation says the same of file servers; TuneD's hpc-compute sets 1 for programs that partition their data by hand.
 *
 * @example two nodes: 0; one node: left
 */
export const vmZoneReclaimMode = integerSysctl({
  id: "vm.zone_reclaim_mode",
  title: "Freeing the node's own memory before using another's",
  unit: "enum",
  scope: "host",
  takesEffect: "now",
  range: [0, 7],
  risk: { level: "low", what: "memory may come from the other node when a node is full" },
  kernelDefault: "0",
  kernelRange: "kernels with NUMA",
  anchors: { TuneD: "hpc-compute: 1" },
  evidence: counted("/proc/vmstat", [
    "zone_reclaim_success",
    "zone_reclaim_failed",
    "numa_miss",
    "numa_local",
  ]),
  sources: ["https://docs.kernel.org/admin-guide/sysctl/vm.html#zone-reclaim-mode"],
  desired({ facts }) {
    const { length } = facts.numa.nodes;
    return length < 2
      ? leave("this host has one NUMA node")
      : setTo(0, `with ${length} nodes remote memory costs less than reading the service's files again`);
  },
});
