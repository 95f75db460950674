import { neighbourThreshold } from "./neighbour-table.ts";

/** net.ipv6.neigh.default.gc_thresh3: most neighbours; beyond it new ones are refused ("neighbour table overflow"). */
export const netIpv6NeighDefaultGcThresh3 = neighbourThreshold("ipv6", "gc_thresh3");
