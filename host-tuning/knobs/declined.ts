import type { Family, Tuner } from "./knob.ts";

/** A setting that another tuner has and Bedplate deliberately does not set, with the reason. */
export interface DeclinedSetting {
  /** The kernel's or vendor's own word, as a knob's id would be. */
  readonly id: string;
  readonly family: Family;
  /** Why not, for an operator who knows the setting from elsewhere and looks for it here. */
  readonly because: string;
  /** What other tuners set there and when; empty where only tuners do that docs/coverage.md does not compare with. */
  readonly anchors: Readonly<Partial<Record<Tuner, string>>>;
}

/** What the compared tuners, or a vendor's guide, set and Bedplate does not. docs/coverage.md lists it beside the knobs. */
export const DECLINED: readonly DeclinedSetting[] = [
  // net
  {
    id: "net.core.flow_limit_cpu_bitmap",
    family: "net",
    because:
      "drops packets of the largest flow by design, which for a service behind a proxy is the service itself",
    anchors: { bpftune: "sets bits for CPUs under pressure" },
  },
  {
    id: "net.ipv4.ip_forward",
    family: "net",
    because: "belongs to the container network; setting it from outside has taken pods off the network",
    anchors: { TuneD: "only by re-applying all of sysctl.d" },
  },
  {
    id: "net.ipv4.tcp_max_tw_buckets",
    family: "net",
    because: "the kernel's documentation says not to lower it, and its default grows with memory",
    anchors: {},
  },
  {
    id: "net.ipv4.tcp_timestamps",
    family: "net",
    because:
      "on by default in every supported kernel, and off only on clouds whose load balancer asks for it",
    anchors: { saptune: "1, except on Azure" },
  },
  {
    id: "net.ipv4.conf.all.arp_announce",
    family: "net",
    because: "a matter of how addresses are routed, not of speed: the network's owner decides",
    anchors: { TuneD: "2 (openshift)" },
  },
  {
    id: "net.core.rmem_default",
    family: "net",
    because: "takes TCP's automatic sizing from every socket that asks for nothing; the limits have knobs",
    anchors: { TuneD: "262144 (mssql, oracle)" },
  },
  {
    id: "net.core.wmem_default",
    family: "net",
    because: "takes TCP's automatic sizing from every socket that asks for nothing; the limits have knobs",
    anchors: { TuneD: "262144 (mssql, oracle)" },
  },
  {
    id: "net.ipv4.udp_mem",
    family: "net",
    because: "MCP is served over TCP, and the kernel sizes UDP's share by memory",
    anchors: { bpftune: "grows it under pressure" },
  },
  {
    id: "net.ipv4.ipfrag_high_thresh",
    family: "net",
    because: "TCP sends no fragments; where they come, the path's MTU is what to mend",
    anchors: { bpftune: "grows it when fragments are lost" },
  },
  {
    id: "net.ipv4.tcp_fastopen",
    family: "net",
    because: "the listener has to ask for it too, which Node.js cannot, and middleboxes drop it",
    anchors: { TuneD: "3 (network-latency)" },
  },
  {
    id: "net.ipv4.tcp_syn_retries",
    family: "net",
    because: "more retries only find a dead peer later; clients of this kind have timeouts of their own",
    anchors: { saptune: "8" },
  },
  // vm
  {
    id: "vm.vfs_cache_pressure",
    family: "vm",
    because: "no workload here keeps more in directory caches than the default lets it",
    anchors: {},
  },
  // kernel
  {
    id: "kernel.threads-max",
    family: "kernel",
    because: "the kernel sizes it by memory, far above what a service's own limit (TasksMax) lets through",
    anchors: {},
  },
  {
    id: "sched.base_slice_ns",
    family: "kernel",
    because: "in debugfs, moved twice and renamed with the scheduler: no interface to keep a promise on",
    anchors: { TuneD: "scheduler plugin, by kernel version" },
  },
  {
    id: "kernel.sched_autogroup_enabled",
    family: "kernel",
    because: "acts on login sessions only; a service of systemd is in a control group of its own",
    anchors: { TuneD: "0 (postgresql)" },
  },
  {
    id: "timedatectl NTP",
    family: "kernel",
    because: "the distribution's own time service, checked by whoever runs it: nothing to compute",
    anchors: { rpk: "checks it" },
  },
  {
    id: "journald.conf",
    family: "systemd",
    because: "what is logged and how long it is kept is the operator's policy",
    anchors: {},
  },
  {
    id: "kernel.sched_rt_runtime_us",
    family: "kernel",
    because: "without the limit a spinning real-time task hangs the host; an MCP service runs none",
    anchors: { TuneD: "-1 (realtime)" },
  },
  {
    id: "kernel.sched_min_granularity_ns, sched_wakeup_granularity_ns, sched_migration_cost_ns",
    family: "kernel",
    because:
      "sysctls until Linux 5.12, in debugfs from 5.13 on and gone with EEVDF (6.6, base_slice_ns): one number means three things, debugfs is closed under lockdown, and weights (systemd.CPUWeight) say what is meant",
    anchors: { TuneD: "10 and 15 ms in throughput-performance, by a map of kernel versions" },
  },
  {
    id: "kernel.hung_task_timeout_secs",
    family: "kernel",
    because: "costs nothing measurable, and a longer timeout only hides hangs",
    anchors: { TuneD: "600 (network-latency)" },
  },
  {
    id: "kernel.shmmax, shmall, shmmni, sem",
    family: "kernel",
    because: "System V shared memory for databases; Node.js and MCP servers use none",
    anchors: { TuneD: "oracle profile", saptune: "shmmni 32768" },
  },
  {
    id: "kernel.core_pattern",
    family: "kernel",
    because: "crash handling belongs to the distribution; a script run by the kernel as root is a way in",
    anchors: { rpk: "a script of its own" },
  },
  {
    id: "kernel.unprivileged_bpf_disabled, kptr_restrict, net.core.bpf_jit_harden",
    family: "kernel",
    because:
      "hardening, not tuning, and the first cannot be cleared without a reboot: the security owner decides",
    anchors: {},
  },
  // block
  {
    id: "queue/write_cache",
    family: "block",
    because:
      "changes only what the kernel believes: with a cache that is really there, flushes stop and a power cut loses data",
    anchors: { rpk: '"write through" on Google Cloud', "perftune.py": '"write through" on request' },
  },
  {
    id: "fstrim.timer",
    family: "block",
    because: "every supported distribution ships and enables it",
    anchors: { rpk: "enables it" },
  },
  {
    id: "iotune",
    family: "block",
    because: "measures a disk for Redpanda's own I/O scheduler; the kernel has nothing to set from it",
    anchors: { rpk: "120 s benchmark" },
  },
  {
    id: "ballast_file",
    family: "block",
    because: "reserves space that a full disk gives back; a quota or an alert does that without the space",
    anchors: { rpk: "a file of fixed size" },
  },
  // nic
  {
    id: "ena LLQ, LPC and BQL module parameters",
    family: "nic",
    because: "take a driver reload, which drops the network of a cloud host that has no other",
    anchors: {},
  },
  {
    id: "mlxconfig firmware settings",
    family: "nic",
    because:
      "are written into the card, outlive the host's disk and need a firmware reset: the fleet's owner decides",
    anchors: {},
  },
  {
    id: "setpci MaxReadReq",
    family: "nic",
    because:
      "a wrong write has broken devices until the next reboot, and firmware sets it right on current cards",
    anchors: {},
  },
  // cpu
  {
    id: "scaling_max_freq",
    family: "cpu",
    because: "caps CPUs that a service could use; the governor, the boost and the idle states decide here",
    anchors: { NTO: "isolatedCpuFreq, reservedCpuFreq" },
  },
  {
    id: "intel_uncore_frequency",
    family: "cpu",
    because: "firmware scales it by load; fixing it takes power from the cores",
    anchors: { TuneD: "uncore plugin" },
  },
  // boot
  {
    id: "tsc=reliable",
    family: "boot",
    because: "turns the watchdog off that finds a clock gone wrong; the clock source itself has a knob",
    anchors: { NTO: "by RealTime hint", "EKS AMI": "with clocksource=tsc" },
  },
  {
    id: "rcupdate.rcu_normal_after_boot",
    family: "boot",
    because: "for CPUs without a tick under real-time load, where rcu_nocbs, which has a knob, does the work",
    anchors: { TuneD: "cpu-partitioning, realtime" },
  },
  {
    id: "idle=poll",
    family: "boot",
    because: "burns full power, slows the sibling thread and costs turbo; the latency request does the work",
    anchors: { NTO: "RealTime with HighPowerConsumption" },
  },
  {
    id: "intel_pstate=disable",
    family: "boot",
    because: "gives up the driver that knows the CPU, for a governor that it can also be asked for",
    anchors: { TuneD: "cpu-partitioning", rpk: "with --reboot-allowed", NTO: "by hint" },
  },
  {
    id: "mce=off",
    family: "boot",
    because: "hides hardware errors",
    anchors: { NTO: "by RealTime hint" },
  },
  {
    id: "nosoftlockup",
    family: "boot",
    because: "hides hangs",
    anchors: { NTO: "by RealTime hint" },
  },
  {
    id: "mitigations=off",
    family: "boot",
    because: "trades security for speed: its owner decides, never a tuner",
    anchors: { NTO: "only as an additional argument" },
  },
  {
    id: "audit=0",
    family: "boot",
    because: "takes the audit trail away, which compliance may need",
    anchors: { NTO: "as an example" },
  },
  {
    id: "net.ifnames=0",
    family: "boot",
    because: "renames the interfaces of a host that is configured by their names",
    anchors: { TuneD: "aws profile" },
  },
  // gpu
  {
    id: "nvidia-smi --applications-clocks",
    family: "gpu",
    because: "deprecated by NVIDIA: locked clocks take its place here",
    anchors: { "EKS AMI": "the first GPU's highest, for all" },
  },
  {
    id: "nvidia-smi --auto-boost-default",
    family: "gpu",
    because: "only GPUs before 2016 have it",
    anchors: { "EKS AMI": "0" },
  },
];
