import { leave, setTo } from "./desired.ts";
import { offloadKnob } from "./ethtool-features.ts";
import { acceleratedSteering } from "./packet-steering.ts";

/**
 * ethtool.features.ntuple-filters: filters that put chosen flows on chosen queues; on, the kernel has the NIC put each
 * flow on the queue of the CPU where its reader runs (accelerated RFS).
 *
 * Only for latency, where interrupts and the service share their CPUs: elsewhere the filters would move packets to CPUs
 * that the service is kept away from. Needs `net.core.rps_sock_flow_entries` and `rps_flow_cnt`, which go with it.
 */
export const ethtoolFeaturesNtupleFilters = offloadKnob({
  name: "ntuple-filters",
  title: "The NIC puts each flow on its reader's queue",
  risk: {
    level: "medium",
    what: "the NIC has few filters: many short flows make it exchange them all the time",
  },
  kernelDefault: "off on most drivers",
  anchors: {
    "perftune.py": "on where its interrupt CPUs are its service CPUs",
    TuneD: "as the profile's net plugin says (features)",
  },
  sources: [
    "https://docs.kernel.org/networking/scaling.html#accelerated-rfs",
    "https://github.com/scylladb/seastar/blob/525fcc86/scripts/perftune.py",
  ],
  desired(nic, facts, profile) {
    const { cpus, because } = acceleratedSteering(nic, facts, profile);
    return cpus === undefined ? leave(because) : setTo(true, because);
  },
});
