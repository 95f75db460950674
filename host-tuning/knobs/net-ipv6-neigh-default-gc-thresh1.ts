import { neighbourThreshold } from "./neighbour-table.ts";

/** net.ipv6.neigh.default.gc_thresh1: neighbours below which nothing is collected. */
export const netIpv6NeighDefaultGcThresh1 = neighbourThreshold("ipv6", "gc_thresh1");
