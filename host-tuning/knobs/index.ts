import { ethtoolChannelsCombined } from "./ethtool-channels-combined.ts";
import { ethtoolRingRx } from "./ethtool-ring-rx.ts";
import { ethtoolRingTx } from "./ethtool-ring-tx.ts";
import { hugepagesNrHugepages } from "./hugepages-nr-hugepages.ts";
import { irqSmpAffinityList } from "./irq-smp-affinity-list.ts";
import type { AnyKnob } from "./knob.ts";
import { netCoreRmemMax } from "./net-core-rmem-max.ts";
import { netCoreSomaxconn } from "./net-core-somaxconn.ts";
import { netCoreWmemMax } from "./net-core-wmem-max.ts";
import { netIpv4TcpMaxSynBacklog } from "./net-ipv4-tcp-max-syn-backlog.ts";
import { netIpv4TcpRmem } from "./net-ipv4-tcp-rmem.ts";
import { netIpv4TcpWmem } from "./net-ipv4-tcp-wmem.ts";
import { nvidiaPersistenceMode } from "./nvidia-persistence-mode.ts";
import { queueNrRequests } from "./queue-nr-requests.ts";
import { queueReadAheadKb } from "./queue-read-ahead-kb.ts";
import { queueScheduler } from "./queue-scheduler.ts";
import { rpsCpus } from "./rps-cpus.ts";
import { scalingGovernor } from "./scaling-governor.ts";
import { sriovNumvfs } from "./sriov-numvfs.ts";
import { transparentHugepageDefrag } from "./transparent-hugepage-defrag.ts";
import { transparentHugepageEnabled } from "./transparent-hugepage-enabled.ts";

/**
 * Every knob, by family and then by id; a knob that another one resets (`after`) comes behind it. This is the order of
 * plans, writes, reports and docs/knobs.md. A new knob is one file, one import and one line here
 * (`npm run new:knob net.core.somaxconn` writes all three).
 */
export const KNOBS: readonly AnyKnob[] = [
  // net
  netCoreRmemMax,
  netCoreSomaxconn,
  netCoreWmemMax,
  netIpv4TcpMaxSynBacklog,
  netIpv4TcpRmem,
  netIpv4TcpWmem,
  // memory
  hugepagesNrHugepages,
  transparentHugepageDefrag,
  transparentHugepageEnabled,
  // block
  queueReadAheadKb,
  queueScheduler,
  queueNrRequests,
  // sriov
  sriovNumvfs,
  // nic
  ethtoolChannelsCombined,
  ethtoolRingRx,
  ethtoolRingTx,
  rpsCpus,
  // irq
  irqSmpAffinityList,
  // cpu
  scalingGovernor,
  // gpu
  nvidiaPersistenceMode,
];
