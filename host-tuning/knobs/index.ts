import type { AnyKnob } from "./knob.ts";
import { netCoreRmemMax } from "./net-core-rmem-max.ts";
import { netCoreSomaxconn } from "./net-core-somaxconn.ts";
import { netCoreWmemMax } from "./net-core-wmem-max.ts";
import { netIpv4TcpMaxSynBacklog } from "./net-ipv4-tcp-max-syn-backlog.ts";
import { netIpv4TcpRmem } from "./net-ipv4-tcp-rmem.ts";
import { netIpv4TcpWmem } from "./net-ipv4-tcp-wmem.ts";

/**
 * Every knob, by family and then by id: the order of plans, reports and docs/knobs.md. A new knob is one file, one
 * import and one line here (`npm run new:knob net.core.somaxconn` writes all three).
 */
export const KNOBS: readonly AnyKnob[] = [
  // net
  netCoreRmemMax,
  netCoreSomaxconn,
  netCoreWmemMax,
  netIpv4TcpMaxSynBacklog,
  netIpv4TcpRmem,
  netIpv4TcpWmem,
];
