import { conntrackEntries } from "./conntrack-entries.ts";
import { raiseTo } from "./desired.ts";
import { allEvidence, countedPerCpu, firstNumbers } from "./kernel-counters.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/**
 * net.netfilter.nf_conntrack_buckets: buckets of the table in which tracked connections are looked up.
 *
 * One for each connection, the kernel's own proportion since Linux 5.15: every connection stands in the table twice, so
 * a full one has chains of two. Raising nf_conntrack_max alone makes every packet walk longer chains.
 *
 * @unit entries
 * @example 131 072 tracked connections: 131 072 buckets of 8 bytes, 1 MB
 */
export const netNetfilterNfConntrackBuckets = integerSysctl({
  id: "net.netfilter.nf_conntrack_buckets",
  title: "Hash buckets for tracked connections",
  unit: "entries",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  range: [1, INT32_MAX],
  risk: { level: "low", what: "all tracked connections are moved to the new table while packets wait" },
  kernelDefault: "by memory: 262144 above 4 GiB, 65536 above 1 GiB",
  kernelRange: "only while the module nf_conntrack is loaded",
  anchors: { TuneD: "openshift: 1048576" },
  evidence: allEvidence(
    firstNumbers({ "tracked now": "/proc/sys/net/netfilter/nf_conntrack_count" }),
    countedPerCpu("/proc/net/stat/nf_conntrack", ["chaintoolong", "search_restart"]),
  ),
  sources: ["https://docs.kernel.org/networking/nf_conntrack-sysctl.html"],
  desired: (input) => raiseTo(conntrackEntries(input.facts, input.profile), input),
});
