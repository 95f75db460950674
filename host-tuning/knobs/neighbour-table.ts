import type { HostProfile } from "../profile/host-profile.ts";
import { type Wanted, clamp, powerOfTwoAtLeast, raiseTo } from "./desired.ts";
import { countedPerCpu } from "./kernel-counters.ts";
import type { AnyKnob } from "./knob.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** The kernel's own gc_thresh3; asking for less would gain nothing. */
const LEAST = 1024;
/** Our choice: a /16 of neighbours, about 30 MB when full. */
const MOST = 65_536;
/** Pods of other nodes are neighbours on many pod networks. Bottlerocket sets 16384 for that. */
const KUBERNETES_LEAST = 16_384;

/** The kernel's proportions: below the first nothing is collected, above the second at once, the third is the end. */
const SHARE_OF_MOST = { gc_thresh1: 1 / 8, gc_thresh2: 1 / 2, gc_thresh3: 1 } as const;

type Threshold = keyof typeof SHARE_OF_MOST;

const TITLES: Readonly<Record<Threshold, string>> = {
  gc_thresh1: "neighbours that are kept without looking",
  gc_thresh2: "neighbours from which on old ones go at once",
  gc_thresh3: "neighbours that the table holds at most",
};

const DEFAULTS: Readonly<Record<Threshold, string>> = {
  gc_thresh1: "128",
  gc_thresh2: "512",
  gc_thresh3: "1024",
};

/**
 * Neighbours (addresses on the same link with their MAC addresses) that the host has to remember. Clients behind a
 * router count once; those in the same network, each: so the profile's connections are the upper bound.
 *
 * @example 4096 clients and 256 tools: 8192; Kubernetes: at least 16 384
 */
export function neighbours({ workload, service }: HostProfile): Wanted<number> {
  const peers = workload.connections + workload.outboundConnections;
  const least = service.runtime === "kubernetes" ? KUBERNETES_LEAST : LEAST;
  const value = clamp(powerOfTwoAtLeast(peers), least, MOST);
  const bound = value < peers ? `, capped at ${MOST}` : "";
  const pods = least > LEAST ? "; pods of other nodes are neighbours too" : "";
  return { value, because: `${peers} clients and tools may all be on the same link${bound}${pods}` };
}

/** One threshold of the ARP or the NDISC table; the tables are the host's, whatever the network namespace. */
export function neighbourThreshold(family: "ipv4" | "ipv6", threshold: Threshold): AnyKnob {
  const protocol = family === "ipv4" ? "IPv4" : "IPv6";
  return integerSysctl({
    id: `net.${family}.neigh.default.${threshold}`,
    title: `${protocol} ${TITLES[threshold]}`,
    unit: "entries",
    scope: "host",
    takesEffect: "now",
    range: [0, INT32_MAX],
    risk: { level: "low", what: "about 500 bytes of kernel memory for each neighbour that is really there" },
    kernelDefault: DEFAULTS[threshold],
    ...(family === "ipv6" ? { kernelRange: "where IPv6 is not turned off" } : {}),
    anchors: {
      TuneD: "openshift: 8192 / 32768 / 65536",
      bpftune: "grows a full table, up to 4 times its prefix",
    },
    evidence: countedPerCpu(`/proc/net/stat/${family === "ipv4" ? "arp" : "ndisc"}_cache`, [
      "entries",
      "table_fulls",
      "forced_gc_runs",
    ]),
    sources: [
      family === "ipv4"
        ? "https://man7.org/linux/man-pages/man7/arp.7.html"
        : "https://docs.kernel.org/networking/ip-sysctl.html#proc-sys-net-ipv6-variables",
      "https://docs.kernel.org/networking/ip-sysctl.html#ip-sysctl",
    ],
    desired(input) {
      const most = neighbours(input.profile);
      const value = Math.round(most.value * SHARE_OF_MOST[threshold]);
      const part =
        threshold === "gc_thresh3" ? "" : `; 1/${1 / SHARE_OF_MOST[threshold]} of the table's ${most.value}`;
      return raiseTo({ value, because: `${most.because}${part}` }, input);
    },
  });
}
