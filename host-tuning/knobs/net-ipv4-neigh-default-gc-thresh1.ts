import { neighbourThreshold } from "./neighbour-table.ts";

/** net.ipv4.neigh.default.gc_thresh1: neighbours below which nothing is collected. */
export const netIpv4NeighDefaultGcThresh1 = neighbourThreshold("ipv4", "gc_thresh1");
