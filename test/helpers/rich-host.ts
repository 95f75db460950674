import { KNOBS } from "../../host-tuning/knobs/index.ts";
import type { HostProfile } from "../../host-tuning/profile/host-profile.ts";
import { sampleProfile } from "./facts.ts";
import { type HostRoot, type HostTree, createHostRoot } from "./host-root.ts";
import { STOCK, stockHost } from "./stock-host.ts";

/** A profile with a wish in every family, so that apply writes as much as it can. */
export const RICH_PROFILE: HostProfile = sampleProfile({
  preset: "latency",
  workload: {
    connections: 600_000,
    streams: 600_000,
    connectionsPerSecond: 20_000,
    outboundConnections: 40_000,
    usesMemoryMaps: true,
  },
  service: { listenPorts: [8080, 40_000], memoryBytes: 8 * 1024 ** 3 },
  cpu: { reserved: "0,8", wakeUpLatencyMicros: 10, isolation: "boot", smt: "off" },
  hugepages: { perNode: 64 },
  nics: [{ match: { name: STOCK.nic }, mtuBytes: 9000, busyPollMicros: 50 }],
  sriov: [{ match: { name: STOCK.nic }, virtualFunctions: 4 }],
  consent: ["irreversible", "data-loss"],
});

/** The same host for bulk work on Kubernetes: what this asks for and the other does not. */
export const RICH_KUBERNETES_PROFILE: HostProfile = sampleProfile({
  preset: "throughput",
  workload: { connections: 50_000, rttMillis: 200 },
  service: { runtime: "kubernetes" },
  cpu: { reserved: "0,8", isolation: "partition" },
  swap: "zram",
  consent: ["irreversible", "data-loss"],
});

const ROOT_UUID = "b7a3c1de-52b1-4e6f-8f0a-1c2d3e4f5a6b";
const BOOT_LINE = `root=UUID=${ROOT_UUID} ro quiet`;

/** GRUB as Debian installs it, cut down to the entry that boots. */
function grub(): HostTree {
  return {
    "/proc/cmdline": `BOOT_IMAGE=/boot/vmlinuz-6.1.0-40-amd64 ${BOOT_LINE}\n`,
    "/etc/default/grub": 'GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n',
    "/usr/sbin/update-grub": '#!/bin/sh\nset -e\nexec grub-mkconfig -o /boot/grub/grub.cfg "$@"\n',
    "/boot/grub/grub.cfg": `### BEGIN /etc/grub.d/10_linux ###
menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-${ROOT_UUID}' {
\tlinux\t/boot/vmlinuz-6.1.0-40-amd64 ${BOOT_LINE}
\tinitrd\t/boot/initrd.img-6.1.0-40-amd64
}
### END /etc/grub.d/10_linux ###
`,
  };
}

/** What firmware and drivers of a bare-metal server add to the stock host: idle states, energy hints, a clock to choose. */
function bareMetal(): HostTree {
  const cpu = "/sys/devices/system/cpu";
  const tree: Record<string, string> = {
    "/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm \n",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n",
    "/sys/firmware/acpi/platform_profile": "balanced\n",
    "/sys/firmware/acpi/platform_profile_choices": "low-power balanced performance\n",
    "/sys/kernel/mm/ksm/run": "1\n",
    "/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none": "511\n",
    "/sys/devices/virtual/workqueue/cpumask": "ffff\n",
    "/sys/devices/virtual/workqueue/writeback/cpumask": "ffff\n",
    [`${cpu}/smt/control`]: "on\n",
    [`${cpu}/smt/active`]: "1\n",
    [`${cpu}/cpufreq/boost`]: "1\n",
    [`${cpu}/intel_pstate/status`]: "active\n",
    [`${cpu}/intel_pstate/no_turbo`]: "1\n",
    [`${cpu}/intel_pstate/min_perf_pct`]: "21\n",
    [`${cpu}/cpuidle/current_driver`]: "intel_idle\n",
  };
  for (let index = 0; index < STOCK.cpus; index++) {
    tree[`${cpu}/cpu${index}/power/energy_perf_bias`] = "6\n";
    tree[`${cpu}/cpu${index}/power/pm_qos_resume_latency_us`] = "0\n";
    tree[`${cpu}/cpufreq/policy${index}/energy_performance_preference`] = "balance_performance\n";
    tree[`${cpu}/cpufreq/policy${index}/energy_performance_available_preferences`] =
      "default performance balance_performance balance_power power\n";
    for (const [state, [name, latency]] of [
      ["POLL", 0] as const,
      ["C1", 2] as const,
      ["C6", 190] as const,
    ].entries()) {
      tree[`${cpu}/cpu${index}/cpuidle/state${state}/name`] = `${name}\n`;
      tree[`${cpu}/cpu${index}/cpuidle/state${state}/latency`] = `${latency}\n`;
    }
  }
  return tree;
}

/** Attributes of devices that the stock host leaves out. */
function devices(): HostTree {
  const tree: Record<string, string> = {};
  for (const queue of ["/sys/block/nvme0n1/queue", "/sys/block/sda/queue"]) {
    tree[`${queue}/add_random`] = "1\n";
    tree[`${queue}/io_poll`] = "0\n";
    tree[`${queue}/io_timeout`] = "30000\n";
    tree[`${queue}/max_sectors_kb`] = "128\n";
    tree[`${queue}/max_hw_sectors_kb`] = "2048\n";
    tree[`${queue}/wbt_lat_usec`] = "2000\n";
  }
  tree[`/sys/class/net/${STOCK.nic}/threaded`] = "0\n";
  tree[`/sys/class/net/${STOCK.nic}/tx_queue_len`] = "1000\n";
  return tree;
}

/**
 * The stock host with every sysctl that the registry knows: those it does not have get the kernel's default, as far as
 * the knob gives it in numbers.
 */
export function richTree(): HostTree {
  const defaults: Record<string, string> = {};
  for (const knob of KNOBS.filter(({ family }) => ["net", "vm", "kernel", "fs"].includes(family))) {
    const numbers = /^\d+(?: \d+)*/.exec(knob.kernelDefault)?.[0];
    if (numbers !== undefined) defaults[`/proc/sys/${knob.id.replaceAll(".", "/")}`] = `${numbers}\n`;
  }
  // The folders of the agent's own books are there, so that what it leaves behind is files alone.
  const books = { "/var/lib/keep": "", "/run/keep": "" };
  return { ...defaults, ...stockHost(), ...bareMetal(), ...grub(), ...books };
}

/** Devices are reached through their links, so their attributes are written once the links are there. */
export async function createRichHost(): Promise<HostRoot> {
  const host = await createHostRoot(richTree());
  for (const [path, entry] of Object.entries(devices())) await host.write(path, entry);
  return host;
}
