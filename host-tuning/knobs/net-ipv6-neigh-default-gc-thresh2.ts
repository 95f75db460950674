import { neighbourThreshold } from "./neighbour-table.ts";

/** net.ipv6.neigh.default.gc_thresh2: neighbours above which those unused for 5 s are collected at once. */
export const netIpv6NeighDefaultGcThresh2 = neighbourThreshold("ipv6", "gc_thresh2");
