import { neighbourThreshold } from "./neighbour-table.ts";

/** net.ipv4.neigh.default.gc_thresh3: most neighbours; beyond it new ones are refused ("neighbour table overflow"). */
export const netIpv4NeighDefaultGcThresh3 = neighbourThreshold("ipv4", "gc_thresh3");
