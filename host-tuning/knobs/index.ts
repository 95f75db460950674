import { clocksourceCurrentClocksource } from "./clocksource-current-clocksource.ts";
import { cpuDmaLatency } from "./cpu-dma-latency.ts";
import { cpufreqBoost } from "./cpufreq-boost.ts";
import { cpusetCpusPartition } from "./cpuset-cpus-partition.ts";
import { dcbApptrust } from "./dcb-apptrust.ts";
import { dcbPfc } from "./dcb-pfc.ts";
import { defaultRoceMode } from "./default-roce-mode.ts";
import { defaultRoceTos } from "./default-roce-tos.ts";
import { energyPerfBias } from "./energy-perf-bias.ts";
import { energyPerformancePreference } from "./energy-performance-preference.ts";
import { ethtoolChannelsCombined } from "./ethtool-channels-combined.ts";
import { ethtoolCoalesceAdaptiveRx } from "./ethtool-coalesce-adaptive-rx.ts";
import { ethtoolCoalesceAdaptiveTx } from "./ethtool-coalesce-adaptive-tx.ts";
import { ethtoolCoalesceRxUsecs } from "./ethtool-coalesce-rx-usecs.ts";
import { ethtoolCoalesceTxUsecs } from "./ethtool-coalesce-tx-usecs.ts";
import { ethtoolFeaturesGenericReceiveOffload } from "./ethtool-features-generic-receive-offload.ts";
import { ethtoolFeaturesGenericSegmentationOffload } from "./ethtool-features-generic-segmentation-offload.ts";
import { ethtoolFeaturesLargeReceiveOffload } from "./ethtool-features-large-receive-offload.ts";
import { ethtoolFeaturesNtupleFilters } from "./ethtool-features-ntuple-filters.ts";
import { ethtoolFeaturesTcpSegmentationOffload } from "./ethtool-features-tcp-segmentation-offload.ts";
import { ethtoolPause } from "./ethtool-pause.ts";
import { ethtoolRingRx } from "./ethtool-ring-rx.ts";
import { ethtoolRingTx } from "./ethtool-ring-tx.ts";
import { fsAioMaxNr } from "./fs-aio-max-nr.ts";
import { fsFileMax } from "./fs-file-max.ts";
import { fsInotifyMaxUserInstances } from "./fs-inotify-max-user-instances.ts";
import { fsInotifyMaxUserWatches } from "./fs-inotify-max-user-watches.ts";
import { fsNrOpen } from "./fs-nr-open.ts";
import { hugepagesNrHugepages } from "./hugepages-nr-hugepages.ts";
import { hugepages } from "./hugepages.ts";
import { intelIdleMaxCstate } from "./intel-idle-max-cstate.ts";
import { intelIommu } from "./intel-iommu.ts";
import { intelPstateMinPerfPct } from "./intel-pstate-min-perf-pct.ts";
import { intelPstateNoTurbo } from "./intel-pstate-no-turbo.ts";
import { iommu } from "./iommu.ts";
import { irqDefaultSmpAffinity } from "./irq-default-smp-affinity.ts";
import { irqSmpAffinityList } from "./irq-smp-affinity-list.ts";
import { irqaffinity } from "./irqaffinity.ts";
import { irqbalanceIrqbalanceArgs } from "./irqbalance-irqbalance-args.ts";
import { irqbalanceIrqbalanceBannedCpulist } from "./irqbalance-irqbalance-banned-cpulist.ts";
import { isolcpus } from "./isolcpus.ts";
import { kernelKeysRootMaxbytes } from "./kernel-keys-root-maxbytes.ts";
import { kernelKeysRootMaxkeys } from "./kernel-keys-root-maxkeys.ts";
import { kernelNmiWatchdog } from "./kernel-nmi-watchdog.ts";
import { kernelNumaBalancing } from "./kernel-numa-balancing.ts";
import { kernelPanicOnOops } from "./kernel-panic-on-oops.ts";
import { kernelPanic } from "./kernel-panic.ts";
import { kernelPidMax } from "./kernel-pid-max.ts";
import { kernelTimerMigration } from "./kernel-timer-migration.ts";
import type { AnyKnob } from "./knob.ts";
import { ksmRun } from "./ksm-run.ts";
import { mtu } from "./mtu.ts";
import { netCoreBusyPoll } from "./net-core-busy-poll.ts";
import { netCoreBusyRead } from "./net-core-busy-read.ts";
import { netCoreDefaultQdisc } from "./net-core-default-qdisc.ts";
import { netCoreNetdevBudgetUsecs } from "./net-core-netdev-budget-usecs.ts";
import { netCoreNetdevBudget } from "./net-core-netdev-budget.ts";
import { netCoreNetdevMaxBacklog } from "./net-core-netdev-max-backlog.ts";
import { kubeletKubeletConfiguration } from "./kubelet-kubelet-configuration.ts";
import { netCoreRmemMax } from "./net-core-rmem-max.ts";
import { netCoreRpsSockFlowEntries } from "./net-core-rps-sock-flow-entries.ts";
import { netCoreSomaxconn } from "./net-core-somaxconn.ts";
import { netCoreWmemMax } from "./net-core-wmem-max.ts";
import { netIpv4IpLocalPortRange } from "./net-ipv4-ip-local-port-range.ts";
import { netIpv4IpLocalReservedPorts } from "./net-ipv4-ip-local-reserved-ports.ts";
import { netIpv4NeighDefaultGcThresh1 } from "./net-ipv4-neigh-default-gc-thresh1.ts";
import { netIpv4NeighDefaultGcThresh2 } from "./net-ipv4-neigh-default-gc-thresh2.ts";
import { netIpv4NeighDefaultGcThresh3 } from "./net-ipv4-neigh-default-gc-thresh3.ts";
import { netIpv4TcpCongestionControl } from "./net-ipv4-tcp-congestion-control.ts";
import { netIpv4TcpKeepaliveIntvl } from "./net-ipv4-tcp-keepalive-intvl.ts";
import { netIpv4TcpKeepaliveProbes } from "./net-ipv4-tcp-keepalive-probes.ts";
import { netIpv4TcpKeepaliveTime } from "./net-ipv4-tcp-keepalive-time.ts";
import { netIpv4TcpMaxOrphans } from "./net-ipv4-tcp-max-orphans.ts";
import { netIpv4TcpMaxSynBacklog } from "./net-ipv4-tcp-max-syn-backlog.ts";
import { netIpv4TcpMem } from "./net-ipv4-tcp-mem.ts";
import { netIpv4TcpMtuProbing } from "./net-ipv4-tcp-mtu-probing.ts";
import { netIpv4TcpNotsentLowat } from "./net-ipv4-tcp-notsent-lowat.ts";
import { netIpv4TcpRetries2 } from "./net-ipv4-tcp-retries2.ts";
import { netIpv4TcpRmem } from "./net-ipv4-tcp-rmem.ts";
import { netIpv4TcpSlowStartAfterIdle } from "./net-ipv4-tcp-slow-start-after-idle.ts";
import { netIpv4TcpTwReuse } from "./net-ipv4-tcp-tw-reuse.ts";
import { netIpv4TcpWmem } from "./net-ipv4-tcp-wmem.ts";
import { netIpv6NeighDefaultGcThresh1 } from "./net-ipv6-neigh-default-gc-thresh1.ts";
import { netIpv6NeighDefaultGcThresh2 } from "./net-ipv6-neigh-default-gc-thresh2.ts";
import { netIpv6NeighDefaultGcThresh3 } from "./net-ipv6-neigh-default-gc-thresh3.ts";
import { netNetfilterNfConntrackBuckets } from "./net-netfilter-nf-conntrack-buckets.ts";
import { netNetfilterNfConntrackMax } from "./net-netfilter-nf-conntrack-max.ts";
import { nohzFull } from "./nohz-full.ts";
import { nvidiaComputeMode } from "./nvidia-compute-mode.ts";
import { nvidiaEccMode } from "./nvidia-ecc-mode.ts";
import { nvidiaLockedClocks } from "./nvidia-locked-clocks.ts";
import { nvidiaMigMode } from "./nvidia-mig-mode.ts";
import { nvidiaMigProfiles } from "./nvidia-mig-profiles.ts";
import { nvidiaPersistenceMode } from "./nvidia-persistence-mode.ts";
import { nvidiaPowerLimit } from "./nvidia-power-limit.ts";
import { nvmeArray } from "./nvme-array.ts";
import { nvmeCoreIoTimeout } from "./nvme-core-io-timeout.ts";
import { nvmeFilesystem } from "./nvme-filesystem.ts";
import { nvmeMount } from "./nvme-mount.ts";
import { platformProfile } from "./platform-profile.ts";
import { pmQosResumeLatencyUs } from "./pm-qos-resume-latency-us.ts";
import { processorMaxCstate } from "./processor-max-cstate.ts";
import { queueAddRandom } from "./queue-add-random.ts";
import { queueIoPoll } from "./queue-io-poll.ts";
import { queueIoTimeout } from "./queue-io-timeout.ts";
import { queueMaxSectorsKb } from "./queue-max-sectors-kb.ts";
import { queueNomerges } from "./queue-nomerges.ts";
import { queueNrRequests } from "./queue-nr-requests.ts";
import { queueReadAheadKb } from "./queue-read-ahead-kb.ts";
import { queueRqAffinity } from "./queue-rq-affinity.ts";
import { queueScheduler } from "./queue-scheduler.ts";
import { queueWbtLatUsec } from "./queue-wbt-lat-usec.ts";
import { rcuNocbs } from "./rcu-nocbs.ts";
import { rpsCpus } from "./rps-cpus.ts";
import { rpsFlowCnt } from "./rps-flow-cnt.ts";
import { scalingGovernor } from "./scaling-governor.ts";
import { skewTick } from "./skew-tick.ts";
import { smtControl } from "./smt-control.ts";
import { sriovNumvfs } from "./sriov-numvfs.ts";
import { systemdAllowedCpus } from "./systemd-allowed-cpus.ts";
import { systemdCpuweight } from "./systemd-cpuweight.ts";
import { systemdIoweight } from "./systemd-ioweight.ts";
import { systemdLimitMemlock } from "./systemd-limit-memlock.ts";
import { systemdLimitNofile } from "./systemd-limit-nofile.ts";
import { systemdMemoryHigh } from "./systemd-memory-high.ts";
import { systemdMemoryMax } from "./systemd-memory-max.ts";
import { systemdNetworkNamespaceSysctls } from "./systemd-network-namespace-sysctls.ts";
import { systemdNumapolicy } from "./systemd-numapolicy.ts";
import { systemdOomscoreAdjust } from "./systemd-oomscore-adjust.ts";
import { systemdSliceAllowedCpus } from "./systemd-slice-allowed-cpus.ts";
import { systemdSlice } from "./systemd-slice.ts";
import { systemdTasksMax } from "./systemd-tasks-max.ts";
import { threaded } from "./threaded.ts";
import { transparentHugepageDefrag } from "./transparent-hugepage-defrag.ts";
import { transparentHugepageEnabled } from "./transparent-hugepage-enabled.ts";
import { transparentHugepageKhugepagedDefrag } from "./transparent-hugepage-khugepaged-defrag.ts";
import { transparentHugepageKhugepagedMaxPtesNone } from "./transparent-hugepage-khugepaged-max-ptes-none.ts";
import { transparentHugepageShmemEnabled } from "./transparent-hugepage-shmem-enabled.ts";
import { txQueueLen } from "./tx-queue-len.ts";
import { vfDriver } from "./vf-driver.ts";
import { vfMac } from "./vf-mac.ts";
import { vfMtu } from "./vf-mtu.ts";
import { vfSpoofchk } from "./vf-spoofchk.ts";
import { vfTrust } from "./vf-trust.ts";
import { vfVlan } from "./vf-vlan.ts";
import { vmCompactionProactiveness } from "./vm-compaction-proactiveness.ts";
import { vmDirtyBackgroundBytes } from "./vm-dirty-background-bytes.ts";
import { vmDirtyBytes } from "./vm-dirty-bytes.ts";
import { vmMaxMapCount } from "./vm-max-map-count.ts";
import { vmMinFreeKbytes } from "./vm-min-free-kbytes.ts";
import { vmOvercommitMemory } from "./vm-overcommit-memory.ts";
import { vmPanicOnOom } from "./vm-panic-on-oom.ts";
import { vmStatInterval } from "./vm-stat-interval.ts";
import { vmSwappiness } from "./vm-swappiness.ts";
import { vmWatermarkScaleFactor } from "./vm-watermark-scale-factor.ts";
import { vmZoneReclaimMode } from "./vm-zone-reclaim-mode.ts";
import { workqueueCpumask } from "./workqueue-cpumask.ts";
import { workqueueWritebackCpumask } from "./workqueue-writeback-cpumask.ts";
import { xpsCpus } from "./xps-cpus.ts";
import { zramDisksize } from "./zram-disksize.ts";

/**
 * Every knob, by family and then by id; a knob that another one resets (`after`) comes behind it. This is the order of
 * plans, writes, reports and docs/knobs.md. A new knob is one file, one import and one line here
 * (`npm run new:knob net.core.somaxconn` writes all three).
 */
export const KNOBS: readonly AnyKnob[] = [
  // net
  netCoreBusyPoll,
  netCoreBusyRead,
  netCoreDefaultQdisc,
  netCoreNetdevBudget,
  netCoreNetdevBudgetUsecs,
  netCoreNetdevMaxBacklog,
  netCoreRmemMax,
  netCoreRpsSockFlowEntries,
  netCoreSomaxconn,
  netCoreWmemMax,
  netIpv4IpLocalPortRange,
  netIpv4IpLocalReservedPorts,
  netIpv4NeighDefaultGcThresh1,
  netIpv4NeighDefaultGcThresh2,
  netIpv4NeighDefaultGcThresh3,
  netIpv4TcpCongestionControl,
  netIpv4TcpKeepaliveIntvl,
  netIpv4TcpKeepaliveProbes,
  netIpv4TcpKeepaliveTime,
  netIpv4TcpMaxOrphans,
  netIpv4TcpMaxSynBacklog,
  netIpv4TcpMem,
  netIpv4TcpMtuProbing,
  netIpv4TcpNotsentLowat,
  netIpv4TcpRetries2,
  netIpv4TcpRmem,
  netIpv4TcpSlowStartAfterIdle,
  netIpv4TcpTwReuse,
  netIpv4TcpWmem,
  netIpv6NeighDefaultGcThresh1,
  netIpv6NeighDefaultGcThresh2,
  netIpv6NeighDefaultGcThresh3,
  netNetfilterNfConntrackBuckets,
  netNetfilterNfConntrackMax,
  // vm
  vmCompactionProactiveness,
  vmDirtyBackgroundBytes,
  vmDirtyBytes,
  vmMaxMapCount,
  vmMinFreeKbytes,
  vmOvercommitMemory,
  vmPanicOnOom,
  vmStatInterval,
  vmSwappiness,
  vmWatermarkScaleFactor,
  vmZoneReclaimMode,
  // kernel
  kernelKeysRootMaxbytes,
  kernelKeysRootMaxkeys,
  kernelNmiWatchdog,
  kernelNumaBalancing,
  kernelPanic,
  kernelPanicOnOops,
  kernelPidMax,
  kernelTimerMigration,
  // fs
  fsAioMaxNr,
  fsFileMax,
  fsInotifyMaxUserInstances,
  fsInotifyMaxUserWatches,
  fsNrOpen,
  // systemd
  systemdAllowedCpus,
  systemdCpuweight,
  systemdIoweight,
  systemdLimitMemlock,
  systemdLimitNofile,
  systemdMemoryHigh,
  systemdMemoryMax,
  systemdNumapolicy,
  systemdNetworkNamespaceSysctls,
  systemdOomscoreAdjust,
  systemdSlice,
  systemdTasksMax,
  systemdSliceAllowedCpus,
  // kubernetes
  kubeletKubeletConfiguration,
  // memory
  hugepagesNrHugepages,
  ksmRun,
  transparentHugepageDefrag,
  transparentHugepageEnabled,
  transparentHugepageKhugepagedDefrag,
  transparentHugepageKhugepagedMaxPtesNone,
  transparentHugepageShmemEnabled,
  zramDisksize,
  // block
  nvmeArray,
  nvmeFilesystem,
  nvmeMount,
  queueAddRandom,
  queueIoPoll,
  queueIoTimeout,
  queueMaxSectorsKb,
  queueNomerges,
  queueReadAheadKb,
  queueRqAffinity,
  queueScheduler,
  queueNrRequests,
  queueWbtLatUsec,
  // sriov
  sriovNumvfs,
  vfMac,
  vfMtu,
  vfSpoofchk,
  vfTrust,
  vfVlan,
  vfDriver,
  // nic
  dcbApptrust,
  defaultRoceMode,
  defaultRoceTos,
  ethtoolChannelsCombined,
  ethtoolCoalesceAdaptiveRx,
  ethtoolCoalesceAdaptiveTx,
  ethtoolCoalesceRxUsecs,
  ethtoolCoalesceTxUsecs,
  ethtoolFeaturesGenericReceiveOffload,
  ethtoolFeaturesGenericSegmentationOffload,
  ethtoolFeaturesLargeReceiveOffload,
  ethtoolFeaturesNtupleFilters,
  ethtoolFeaturesTcpSegmentationOffload,
  ethtoolPause,
  dcbPfc,
  ethtoolRingRx,
  ethtoolRingTx,
  mtu,
  rpsCpus,
  rpsFlowCnt,
  threaded,
  txQueueLen,
  xpsCpus,
  // irq
  irqDefaultSmpAffinity,
  irqbalanceIrqbalanceArgs,
  irqSmpAffinityList,
  irqbalanceIrqbalanceBannedCpulist,
  // cpu
  clocksourceCurrentClocksource,
  cpuDmaLatency,
  cpufreqBoost,
  cpusetCpusPartition,
  energyPerfBias,
  intelPstateMinPerfPct,
  intelPstateNoTurbo,
  platformProfile,
  pmQosResumeLatencyUs,
  scalingGovernor,
  energyPerformancePreference,
  smtControl,
  workqueueCpumask,
  workqueueWritebackCpumask,
  // gpu
  nvidiaComputeMode,
  nvidiaEccMode,
  nvidiaLockedClocks,
  nvidiaMigMode,
  nvidiaMigProfiles,
  nvidiaPersistenceMode,
  nvidiaPowerLimit,
  // boot
  hugepages,
  intelIdleMaxCstate,
  intelIommu,
  iommu,
  irqaffinity,
  isolcpus,
  nohzFull,
  nvmeCoreIoTimeout,
  processorMaxCstate,
  rcuNocbs,
  skewTick,
];
