import { formatKernelList, formatKernelMask } from "../../host-tuning/sys/kernel-list.ts";
import type { HostTree, TreeEntry } from "./host-root.ts";

/**
 * A stock Debian 12 server (kernel 6.1) with two NUMA nodes, as its files look right after boot:
 * 16 CPUs (2 packages x 4 cores x 2 threads, CPU n and n+8 share a core), 2 x 32 GiB, a 25 Gbit/s NIC "eno1" with 8
 * queues and SR-IOV on node 1 that carries the default route, an NVMe disk on node 0, a SATA disk, no swap,
 * a service "mcp-service.service" that runs as PID 4242.
 */
export const STOCK = {
  cpus: 16,
  memoryKiBPerNode: 32 * 1024 * 1024,
  nic: "eno1",
  nicPci: "0000:81:00.0",
  nicIrqs: [64, 65, 66, 67, 68, 69, 70, 71],
  nvmePci: "0000:01:00.0",
  nvmeIrqs: [40, 41, 42],
  servicePid: 4242,
} as const;

const NODE_CPUS = [
  [0, 1, 2, 3, 8, 9, 10, 11],
  [4, 5, 6, 7, 12, 13, 14, 15],
] as const;

const ALL_CPUS = Array.from({ length: STOCK.cpus }, (_, cpu) => cpu);
const NIC_DEVICE = `/sys/devices/pci0000:80/0000:80:02.0/${STOCK.nicPci}`;
const NVME_DEVICE = `/sys/devices/pci0000:00/0000:00:01.0/${STOCK.nvmePci}`;

/** Adds a folder's name before every path. */
function below(folder: string, tree: HostTree): HostTree {
  return Object.fromEntries(Object.entries(tree).map(([path, entry]) => [`${folder}/${path}`, entry]));
}

function lines(files: Readonly<Record<string, string | number>>): HostTree {
  return Object.fromEntries(Object.entries(files).map(([path, value]) => [path, `${value}\n`]));
}

/** Values of a Debian 12 kernel (6.1) with 64 GiB; derived ones (file-max, tcp_mem, threads-max) scaled to it. */
export function stockSysctls(): HostTree {
  return below(
    "/proc/sys",
    lines({
      "net/core/somaxconn": 4096,
      "net/core/default_qdisc": "fq_codel",
      "net/core/netdev_max_backlog": 1000,
      "net/core/rmem_default": 212_992,
      "net/core/rmem_max": 212_992,
      "net/core/wmem_default": 212_992,
      "net/core/wmem_max": 212_992,
      "net/core/rps_sock_flow_entries": 0,
      "net/ipv4/ip_forward": 0,
      "net/ipv4/ip_local_port_range": "32768\t60999",
      "net/ipv4/ip_local_reserved_ports": "",
      "net/ipv4/tcp_congestion_control": "cubic",
      "net/ipv4/tcp_max_orphans": 262_144,
      "net/ipv4/tcp_max_syn_backlog": 4096,
      "net/ipv4/tcp_mem": "763614\t1018153\t1527228",
      "net/ipv4/tcp_notsent_lowat": 4_294_967_295,
      "net/ipv4/tcp_rmem": "4096\t131072\t6291456",
      "net/ipv4/tcp_slow_start_after_idle": 1,
      "net/ipv4/tcp_tw_reuse": 2,
      "net/ipv4/tcp_wmem": "4096\t16384\t4194304",
      "net/netfilter/nf_conntrack_buckets": 262_144,
      "net/netfilter/nf_conntrack_count": 113,
      "net/netfilter/nf_conntrack_max": 262_144,
      "vm/dirty_background_bytes": 0,
      "vm/dirty_background_ratio": 10,
      "vm/dirty_bytes": 0,
      "vm/dirty_ratio": 20,
      "vm/max_map_count": 65_530,
      "vm/min_free_kbytes": 67_584,
      "vm/nr_hugepages": 0,
      "vm/overcommit_memory": 0,
      "vm/overcommit_ratio": 50,
      "vm/swappiness": 60,
      "fs/file-max": "9223372036854775807",
      "fs/aio-max-nr": 65_536,
      "fs/inotify/max_user_instances": 128,
      "fs/inotify/max_user_watches": 524_288,
      "fs/nr_open": 1_048_576,
      "kernel/numa_balancing": 1,
      "kernel/pid_max": 4_194_304,
      "kernel/osrelease": "6.1.0-40-amd64",
      "kernel/random/boot_id": "8f7b1f0e-6f3f-4f6c-9a55-2c7f1f4f9f10",
      "kernel/hostname": "rack7-node3",
    }),
  );
}

function stockCpus(): HostTree {
  const tree: Record<string, TreeEntry> = {
    online: "0-15\n",
    offline: "\n",
    possible: "0-15\n",
    present: "0-15\n",
    isolated: "\n",
    nohz_full: "(null)\n",
  };
  for (const cpu of ALL_CPUS) {
    const core = cpu % 8;
    const siblings = [core, core + 8];
    const node = core < 4 ? 0 : 1;
    Object.assign(
      tree,
      below(
        `cpu${cpu}`,
        lines({
          "topology/physical_package_id": node,
          "topology/core_id": core % 4,
          "topology/thread_siblings_list": formatKernelList(siblings),
          "topology/core_cpus_list": formatKernelList(siblings),
          ...(cpu === 0 ? {} : { online: 1 }),
        }),
      ),
      below(
        `cpufreq/policy${cpu}`,
        lines({
          affected_cpus: cpu,
          related_cpus: cpu,
          scaling_available_governors: "performance powersave",
          scaling_driver: "intel_pstate",
          scaling_governor: "powersave",
          cpuinfo_min_freq: 800_000,
          cpuinfo_max_freq: 3_700_000,
        }),
      ),
      { [`cpu${cpu}/node${node}`]: { link: `../../node/node${node}` } },
    );
  }
  return below("/sys/devices/system/cpu", tree);
}

function stockNodes(): HostTree {
  const tree: Record<string, TreeEntry> = { online: "0-1\n", has_cpu: "0-1\n", has_memory: "0-1\n" };
  for (const [node, cpus] of NODE_CPUS.entries()) {
    Object.assign(
      tree,
      below(
        `node${node}`,
        lines({
          cpulist: formatKernelList(cpus),
          cpumap: formatKernelMask(cpus).slice(-4),
          distance: node === 0 ? "10 21" : "21 10",
          meminfo: `Node ${node} MemTotal:       ${STOCK.memoryKiBPerNode} kB\nNode ${node} MemFree:        ${STOCK.memoryKiBPerNode - 1_000_000} kB`,
          "hugepages/hugepages-2048kB/nr_hugepages": 0,
          "hugepages/hugepages-2048kB/free_hugepages": 0,
          "hugepages/hugepages-1048576kB/nr_hugepages": 0,
          "hugepages/hugepages-1048576kB/free_hugepages": 0,
        }),
      ),
    );
  }
  return below("/sys/devices/system/node", tree);
}

function stockMemory(): HostTree {
  return {
    "/proc/meminfo": `MemTotal:       ${2 * STOCK.memoryKiBPerNode} kB\nMemFree:        65108864 kB\nMemAvailable:   66000000 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\nHugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n`,
    "/proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
    ...below(
      "/sys/kernel/mm",
      lines({
        "transparent_hugepage/enabled": "[always] madvise never",
        "transparent_hugepage/defrag": "always defer defer+madvise [madvise] never",
        "transparent_hugepage/shmem_enabled": "always within_size advise [never] deny force",
        "transparent_hugepage/khugepaged/defrag": 1,
        "hugepages/hugepages-2048kB/nr_hugepages": 0,
        "hugepages/hugepages-1048576kB/nr_hugepages": 0,
      }),
    ),
  };
}

function stockNic(): HostTree {
  const net = `${NIC_DEVICE}/net/${STOCK.nic}`;
  const tree: Record<string, TreeEntry> = {
    [`/sys/class/net/${STOCK.nic}`]: {
      link: `../../devices/pci0000:80/0000:80:02.0/${STOCK.nicPci}/net/${STOCK.nic}`,
    },
    [`/sys/bus/pci/devices/${STOCK.nicPci}`]: {
      link: `../../../devices/pci0000:80/0000:80:02.0/${STOCK.nicPci}`,
    },
    "/sys/bus/pci/drivers/ice/module": { link: "../../../../module/ice" },
    [`${NIC_DEVICE}/driver`]: { link: "../../../../bus/pci/drivers/ice" },
    [`${net}/device`]: { link: `../../../${STOCK.nicPci}` },
    ...below(
      NIC_DEVICE,
      lines({
        class: "0x020000",
        vendor: "0x8086",
        device: "0x159b",
        numa_node: 1,
        local_cpulist: "4-7,12-15",
        sriov_totalvfs: 64,
        sriov_numvfs: 0,
        sriov_drivers_autoprobe: 1,
      }),
    ),
    ...below(
      net,
      lines({
        address: "3c:ec:ef:12:34:56",
        mtu: 1500,
        operstate: "up",
        carrier: 1,
        speed: 25_000,
        type: 1,
        ifindex: 2,
        flags: "0x1003",
      }),
    ),
    "/sys/class/net/lo": { link: "../../devices/virtual/net/lo" },
    ...below(
      "/sys/devices/virtual/net/lo",
      lines({ address: "00:00:00:00:00:00", mtu: 65_536, operstate: "unknown", type: 772, ifindex: 1 }),
    ),
  };
  for (const [queue, irq] of STOCK.nicIrqs.entries()) {
    tree[`${net}/queues/rx-${queue}/rps_cpus`] = "0000\n";
    tree[`${net}/queues/rx-${queue}/rps_flow_cnt`] = "0\n";
    tree[`${net}/queues/tx-${queue}/xps_cpus`] = "0000\n";
    tree[`${NIC_DEVICE}/msi_irqs/${irq}`] = "msix\n";
  }
  return tree;
}

const QUEUE = {
  nr_requests: 1023,
  nomerges: 0,
  read_ahead_kb: 128,
  rq_affinity: 1,
  logical_block_size: 512,
  ro: 0,
} as const;

function stockDisks(): HostTree {
  const nvme = `${NVME_DEVICE}/nvme/nvme0/nvme0n1`;
  const sataDevice = "/sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0";
  const sata = `${sataDevice}/block/sda`;
  const tree: Record<string, TreeEntry> = {
    "/sys/block/nvme0n1": { link: `../devices/pci0000:00/0000:00:01.0/${STOCK.nvmePci}/nvme/nvme0/nvme0n1` },
    "/sys/class/block/nvme0n1": {
      link: `../../devices/pci0000:00/0000:00:01.0/${STOCK.nvmePci}/nvme/nvme0/nvme0n1`,
    },
    "/sys/class/nvme/nvme0": {
      link: `../../devices/pci0000:00/0000:00:01.0/${STOCK.nvmePci}/nvme/nvme0`,
    },
    [`/sys/bus/pci/devices/${STOCK.nvmePci}`]: {
      link: `../../../devices/pci0000:00/0000:00:01.0/${STOCK.nvmePci}`,
    },
    "/sys/bus/pci/drivers/nvme/module": { link: "../../../../module/nvme" },
    [`${NVME_DEVICE}/driver`]: { link: "../../../../bus/pci/drivers/nvme" },
    [`${nvme}/device`]: { link: "../../nvme0" },
    [`${NVME_DEVICE}/nvme/nvme0/device`]: { link: `../../../${STOCK.nvmePci}` },
    ...below(
      NVME_DEVICE,
      lines({
        class: "0x010802",
        vendor: "0x144d",
        device: "0xa80a",
        numa_node: 0,
        local_cpulist: "0-3,8-11",
      }),
    ),
    ...below(
      `${NVME_DEVICE}/nvme/nvme0`,
      lines({ transport: "pcie", model: "SAMSUNG MZQL21T9HCJR-00A07", numa_node: 0 }),
    ),
    ...below(
      nvme,
      lines({
        size: 3_750_748_848,
        ro: 0,
        ...prefixed("queue/", { ...QUEUE, rotational: 0, scheduler: "[none] mq-deadline" }),
      }),
    ),
    "/sys/block/sda": {
      link: "../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda",
    },
    "/sys/class/block/sda": {
      link: "../../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda",
    },
    [`${sata}/device`]: { link: "../../../0:0:0:0" },
    ...below(sataDevice, lines({ model: "WDC WD4003FRYZ", vendor: "ATA     " })),
    ...below(
      sata,
      lines({
        size: 7_814_037_168,
        ro: 0,
        ...prefixed("queue/", {
          ...QUEUE,
          nr_requests: 64,
          rotational: 1,
          scheduler: "none [mq-deadline]",
        }),
      }),
    ),
  };
  for (const [index, irq] of STOCK.nvmeIrqs.entries()) {
    tree[`${NVME_DEVICE}/msi_irqs/${irq}`] = "msix\n";
    tree[`${nvme}/mq/${index}/cpu_list`] = "0, 1\n";
  }
  return tree;
}

function prefixed(
  prefix: string,
  files: Readonly<Record<string, string | number>>,
): Readonly<Record<string, string | number>> {
  return Object.fromEntries(Object.entries(files).map(([name, value]) => [`${prefix}${name}`, value]));
}

function stockIrqs(): HostTree {
  const irqs = [
    ...STOCK.nvmeIrqs.map((irq, index) => ({ irq, pci: STOCK.nvmePci, node: 0, action: `nvme0q${index}` })),
    ...STOCK.nicIrqs.map((irq, index) => ({
      irq,
      pci: STOCK.nicPci,
      node: 1,
      action: `ice-${STOCK.nic}-TxRx-${index}`,
    })),
  ];
  const tree: Record<string, TreeEntry> = {};
  for (const { irq, node, action } of irqs) {
    const effective = node === 0 ? 0 : 4 + (irq % 4);
    Object.assign(
      tree,
      below(
        `/proc/irq/${irq}`,
        lines({
          smp_affinity: "ffff",
          smp_affinity_list: "0-15",
          effective_affinity_list: effective,
          node,
        }),
      ),
      { [`/proc/irq/${irq}/${action}/.keep`]: "" },
      below(`/sys/kernel/irq/${irq}`, lines({ actions: action, chip_name: "IR-PCI-MSIX", type: "edge" })),
    );
  }
  tree["/proc/irq/default_smp_affinity"] = "ffff\n";
  const header = ` ${ALL_CPUS.map((cpu) => `CPU${cpu}`.padStart(10)).join(" ")}\n`;
  const rows = irqs.map(
    ({ irq, pci, action }) =>
      `${String(irq).padStart(4)}: ${ALL_CPUS.map(() => "0".padStart(10)).join(" ")}  IR-PCI-MSIX-${pci}  ${irq}-edge      ${action}\n`,
  );
  tree["/proc/interrupts"] =
    `    ${header}${rows.join("")} NMI: ${ALL_CPUS.map(() => "0".padStart(10)).join(" ")}   Non-maskable interrupts\n`;
  return tree;
}

/** The service as systemd started it: soft 1024, hard 524288, every CPU, in its own cgroup. */
function stockService(): HostTree {
  const cgroup = "/sys/fs/cgroup/system.slice/mcp-service.service";
  const pid = STOCK.servicePid;
  return {
    "/etc/systemd/system/mcp-service.service":
      "[Unit]\nDescription=MCP service\n\n[Service]\nExecStart=/usr/bin/node /srv/mcp/main.js\n\n[Install]\nWantedBy=multi-user.target\n",
    "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
    [`${cgroup}/cgroup.procs`]: `${pid}\n`,
    [`${cgroup}/cpuset.cpus`]: "\n",
    [`${cgroup}/cpuset.cpus.effective`]: "0-15\n",
    [`/proc/${pid}/limits`]: `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max processes             257224               257224               processes 
Max open files            1024                 524288               files     
Max locked memory         8388608              8388608              bytes     
`,
    [`/proc/${pid}/status`]: `Name:\tnode\nPid:\t${pid}\nCpus_allowed:\tffff\nCpus_allowed_list:\t0-15\nMems_allowed_list:\t0-1\n`,
    [`/proc/${pid}/numa_maps`]:
      "55d0c0a00000 default file=/usr/bin/node mapped=10 N0=10 kernelpagesize_kB=4\n",
  };
}

/** The whole stock host; lay it down with createHostRoot(stockHost()). */
export function stockHost(): HostTree {
  return {
    "/etc/os-release":
      'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION="12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n',
    "/etc/hostname": "rack7-node3\n",
    "/proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz-6.1.0-40-amd64 root=UUID=5b9a ro quiet\n",
    "/proc/version": "Linux version 6.1.0-40-amd64 (debian-kernel@lists.debian.org)\n",
    "/proc/1/comm": "systemd\n",
    "/run/systemd/system/.keep": "",
    "/proc/cpuinfo": ALL_CPUS.map(
      (cpu) =>
        `processor\t: ${cpu}\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Gold 6334 CPU @ 3.60GHz\nphysical id\t: ${cpu % 8 < 4 ? 0 : 1}\ncore id\t\t: ${cpu % 4}\nflags\t\t: fpu sse2 avx512f\n\n`,
    ).join(""),
    "/proc/net/route": `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n${STOCK.nic}\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n${STOCK.nic}\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`,
    "/sys/class/dmi/id/sys_vendor": "Supermicro\n",
    "/sys/class/dmi/id/product_name": "SYS-120U-TNR\n",
    ...stockSysctls(),
    ...stockCpus(),
    ...stockNodes(),
    ...stockMemory(),
    ...stockNic(),
    ...stockDisks(),
    ...stockIrqs(),
    ...stockService(),
  };
}
