import { conntrackEntries } from "./conntrack-entries.ts";
import { raiseTo } from "./desired.ts";
import { allEvidence, countedPerCpu, firstNumbers } from "./kernel-counters.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/**
 * net.netfilter.nf_conntrack_max: how many connections the firewall tracks; beyond it new ones are dropped.
 *
 * There only once something has loaded connection tracking (nftables with a `ct` rule, Docker, kube-proxy), hence in the
 * late phase. Measured: 1000 new connections against a full table: 683 time out, then all 1000; with room none. Inside
 * another network namespace it can only be read. kube-proxy sets it too (`conntrack.maxPerCore`): the larger one stays.
 *
 * @unit entries
 * @example 4096 connections, 500 new a second: 131 072 entries, 42 MB when full
 */
export const netNetfilterNfConntrackMax = integerSysctl({
  id: "net.netfilter.nf_conntrack_max",
  title: "Connections that the firewall tracks",
  unit: "entries",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  range: [0, INT32_MAX],
  risk: { level: "low", what: "about 320 bytes of kernel memory for each tracked connection" },
  kernelDefault: "as many as hash buckets since Linux 5.15 (262144 above 4 GiB), four times before",
  kernelRange: "only while the module nf_conntrack is loaded",
  anchors: { TuneD: "openshift: 1048576" },
  evidence: allEvidence(
    firstNumbers({ "tracked now": "/proc/sys/net/netfilter/nf_conntrack_count" }),
    countedPerCpu("/proc/net/stat/nf_conntrack", ["insert_failed", "drop", "early_drop"]),
  ),
  sources: ["https://docs.kernel.org/networking/nf_conntrack-sysctl.html"],
  desired: (input) => raiseTo(conntrackEntries(input.facts, input.profile), input),
});
