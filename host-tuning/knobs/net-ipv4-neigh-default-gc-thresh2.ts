import { neighbourThreshold } from "./neighbour-table.ts";

/** net.ipv4.neigh.default.gc_thresh2: neighbours above which those unused for 5 s are collected at once. */
export const netIpv4NeighDefaultGcThresh2 = neighbourThreshold("ipv4", "gc_thresh2");
