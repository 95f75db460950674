import type { HostTree, TreeEntry } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";

/** A device below a PCI bridge, with its entry in /sys/bus/pci/devices. */
export function pciDevice(
  address: string,
  files: Readonly<Record<string, TreeEntry>>,
  driver?: string,
): HostTree {
  const bus = `pci${address.slice(0, 7)}`;
  const directory = `/sys/devices/${bus}/${address}`;
  const entries: [string, TreeEntry][] = Object.entries(files).map(([name, entry]) => [
    `${directory}/${name}`,
    entry,
  ]);
  entries.push([`/sys/bus/pci/devices/${address}`, { link: `../../../devices/${bus}/${address}` }]);
  if (driver !== undefined) {
    entries.push(
      [`/sys/bus/pci/drivers/${driver}/new_id`, ""],
      [`${directory}/driver`, { link: `../../../bus/pci/drivers/${driver}` }],
    );
  }
  return Object.fromEntries(entries);
}

/** A virtio network device: the netdev hangs from virtioN, which hangs from the PCI function. */
function virtioNic(): HostTree {
  const net = "/sys/devices/pci0000:00/0000:00:03.0/virtio0/net/ens3";
  return {
    ...pciDevice("0000:00:03.0", {
      class: "0x020000\n",
      vendor: "0x1af4\n",
      device: "0x1041\n",
      numa_node: "-1\n",
      local_cpulist: "0-15\n",
      "msi_irqs/80": "msix\n",
      "msi_irqs/81": "msix\n",
      "msi_irqs/82": "msix\n",
      "virtio0/uevent": "DRIVER=virtio_net\nMODALIAS=virtio:d00000001v00001AF4\n",
      "virtio0/driver": { link: "../../../../bus/virtio/drivers/virtio_net" },
    }),
    "/sys/bus/virtio/drivers/virtio_net/bind": "",
    "/sys/class/net/ens3": { link: "../../devices/pci0000:00/0000:00:03.0/virtio0/net/ens3" },
    [`${net}/device`]: { link: "../../../virtio0" },
    [`${net}/address`]: "52:54:00:12:34:56\n",
    [`${net}/speed`]: "-1\n",
    [`${net}/mtu`]: "1500\n",
    [`${net}/operstate`]: "up\n",
    [`${net}/queues/rx-0/rps_cpus`]: "0\n",
    [`${net}/queues/tx-0/xps_cpus`]: "0\n",
    "/sys/kernel/irq/80/actions": "virtio0-config\n",
    "/sys/kernel/irq/81/actions": "virtio0-input.0\n",
    "/sys/kernel/irq/82/actions": "virtio0-output.0\n",
    "/proc/irq/80/smp_affinity_list": "0-15\n",
    "/proc/irq/81/smp_affinity_list": "0-15\n",
    "/proc/irq/82/smp_affinity_list": "0-15\n",
  };
}

/** An igb function with one VF made, the VF's own netdev, and a representor of another NIC in switchdev mode. */
function virtualFunctions(): HostTree {
  const physical = "/sys/devices/pci0000:41/0000:41:00.0/net/enp65s0";
  const virtual = "/sys/devices/pci0000:41/0000:41:10.0/net/enp65s0v0";
  const port = "/sys/devices/pci0000:41/0000:41:00.0/net/enp65s0_0";
  return {
    ...pciDevice(
      "0000:41:00.0",
      {
        class: "0x020000\n",
        numa_node: "1\n",
        sriov_totalvfs: "7\n",
        sriov_numvfs: "1\n",
        virtfn0: { link: "../0000:41:10.0" },
      },
      "igb",
    ),
    ...pciDevice(
      "0000:41:10.0",
      {
        class: "0x020000\n",
        numa_node: "1\n",
        physfn: { link: "../0000:41:00.0" },
        iommu_group: { link: "../../../kernel/iommu_groups/7" },
      },
      "igbvf",
    ),
    "/sys/class/net/enp65s0": { link: "../../devices/pci0000:41/0000:41:00.0/net/enp65s0" },
    "/sys/class/net/enp65s0v0": { link: "../../devices/pci0000:41/0000:41:10.0/net/enp65s0v0" },
    "/sys/class/net/enp65s0_0": { link: "../../devices/pci0000:41/0000:41:00.0/net/enp65s0_0" },
    [`${physical}/device`]: { link: "../../../0000:41:00.0" },
    [`${physical}/phys_port_name`]: "p0\n",
    [`${physical}/speed`]: "1000\n",
    [`${virtual}/device`]: { link: "../../../0000:41:10.0" },
    [`${port}/device`]: { link: "../../../0000:41:00.0" },
    [`${port}/phys_port_name`]: "pf0vf0\n",
  };
}

/** A bridge over a bond over two ports: the default route goes through the bridge. */
function stackedNics(): HostTree {
  const tree: Record<string, TreeEntry> = {};
  const virtual = (name: string, lower: readonly string[]): void => {
    tree[`/sys/class/net/${name}`] = { link: `../../devices/virtual/net/${name}` };
    tree[`/sys/devices/virtual/net/${name}/mtu`] = "1500\n";
    tree[`/sys/devices/virtual/net/${name}/operstate`] = "up\n";
    for (const port of lower) {
      tree[`/sys/devices/virtual/net/${name}/lower_${port}`] = { link: `../../../../class/net/${port}` };
      const home = port.startsWith("enp") ? "pci0000:41/0000:41:00.0" : "virtual";
      tree[`/sys/devices/${home}/net/${port}/master`] = { link: `/sys/devices/virtual/net/${name}` };
    }
  };
  virtual("br0", ["bond0", "veth1"]);
  virtual("bond0", ["enp65s0"]);
  virtual("veth1", []);
  tree["/sys/class/net/bonding_masters"] = "bond0\n";
  tree["/sys/devices/virtual/net/bond0/bonding/slaves"] = "enp65s0\n";
  tree["/sys/devices/virtual/net/br0/bridge/stp_state"] = "0\n";
  tree["/sys/devices/virtual/net/bond0/brport/state"] = "3\n";
  tree["/sys/devices/virtual/net/veth1/brport/state"] = "3\n";
  tree["/proc/sys/net/ipv4/conf/ens3/forwarding"] = "0\n";
  tree["/proc/sys/net/ipv6/conf/ens3/forwarding"] = "1\n";
  return tree;
}

/** A multipath NVMe namespace with two paths, a partition, a RAID, loop devices bound and unbound. */
function disks(): HostTree {
  const subsystem = "/sys/devices/virtual/nvme-subsystem/nvme-subsys1";
  const path = (controller: string, address: string): HostTree => ({
    ...pciDevice(address, { class: "0x010802\n", numa_node: "0\n" }, "nvme"),
    [`/sys/devices/pci${address.slice(0, 7)}/${address}/nvme/${controller}/transport`]: "pcie\n",
    [`/sys/devices/pci${address.slice(0, 7)}/${address}/nvme/${controller}/nvme1c${controller.slice(4)}n1/size`]:
      "2048\n",
    [`/sys/devices/pci${address.slice(0, 7)}/${address}/nvme/${controller}/nvme1c${controller.slice(4)}n1/device`]:
      { link: `../../${controller}` },
    [`/sys/devices/pci${address.slice(0, 7)}/${address}/nvme/${controller}/nvme1c${controller.slice(4)}n1/queue/scheduler`]:
      "[none] mq-deadline\n",
    [`/sys/block/nvme1c${controller.slice(4)}n1`]: {
      link: `../devices/pci${address.slice(0, 7)}/${address}/nvme/${controller}/nvme1c${controller.slice(4)}n1`,
    },
    [`${subsystem}/${controller}`]: {
      link: `../../../pci${address.slice(0, 7)}/${address}/nvme/${controller}`,
    },
  });
  return {
    ...path("nvme1", "0000:61:00.0"),
    ...path("nvme2", "0000:62:00.0"),
    "/sys/block/nvme1n1": { link: "../devices/virtual/nvme-subsystem/nvme-subsys1/nvme1n1" },
    [`${subsystem}/nvme1n1/device`]: { link: "../../nvme-subsys1" },
    [`${subsystem}/nvme1n1/size`]: "2048\n",
    [`${subsystem}/nvme1n1/queue/scheduler`]: "none\n",
    [`${subsystem}/model`]: "Dual port disk\n",
    "/sys/class/block/nvme1n1p1": {
      link: "../../devices/virtual/nvme-subsystem/nvme-subsys1/nvme1n1/nvme1n1p1",
    },
    [`${subsystem}/nvme1n1/nvme1n1p1/partition`]: "1\n",
    "/sys/block/md0": { link: "../devices/virtual/block/md0" },
    "/sys/devices/virtual/block/md0/size": "4096\n",
    "/sys/devices/virtual/block/md0/queue/scheduler": "none\n",
    "/sys/block/loop0": { link: "../devices/virtual/block/loop0" },
    "/sys/devices/virtual/block/loop0/size": "0\n",
    "/sys/block/loop1": { link: "../devices/virtual/block/loop1" },
    "/sys/devices/virtual/block/loop1/size": "8\n",
    "/sys/devices/virtual/block/loop1/ro": "1\n",
  };
}

/** The RoCE device of the igb port's slot, as mlx5 shows one, and soft-RoCE, which has no device below it. */
function rdma(): HostTree {
  const device = "/sys/devices/pci0000:41/0000:41:00.0/infiniband/mlx5_0";
  const soft = "/sys/devices/virtual/infiniband/rxe0";
  const port = (state: string): Record<string, TreeEntry> => ({
    state: `${state}\n`,
    phys_state: "5: LinkUp\n",
    link_layer: "Ethernet\n",
    rate: "25 Gb/sec (1X EDR)\n",
    "gid_attrs/types/0": "IB/RoCE v1\n",
    "gid_attrs/types/1": "RoCE v2\n",
    "gid_attrs/ndevs/0": "enp65s0\n",
    "gid_attrs/ndevs/1": "enp65s0\n",
  });
  const portOf = (directory: string, state: string): HostTree =>
    Object.fromEntries(
      Object.entries(port(state)).map(([name, entry]) => [`${directory}/ports/1/${name}`, entry]),
    );
  return {
    "/sys/class/infiniband/mlx5_0": {
      link: "../../devices/pci0000:41/0000:41:00.0/infiniband/mlx5_0",
    },
    "/sys/class/infiniband/rxe0": { link: "../../devices/virtual/infiniband/rxe0" },
    [`${device}/device`]: { link: "../../../0000:41:00.0" },
    [`${device}/node_guid`]: "9803:9b03:0001:0002\n",
    [`${device}/fw_ver`]: "20.38.1002\n",
    ...portOf(device, "4: ACTIVE"),
    [`${soft}/node_guid`]: "5054:00ff:feb0:0001\n",
    [`${soft}/fw_ver`]: "\n",
    ...portOf(soft, "1: DOWN"),
    "/sys/module/ib_core/parameters/netns_mode": "Y\n",
    "/sys/module/nvidia_peermem/version": "550.54.15\n",
    "/proc/driver/nvidia/version":
      "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build\n",
  };
}

function gpus(): HostTree {
  const h100 = {
    class: "0x030200\n",
    vendor: "0x10de\n",
    device: "0x2330\n",
    numa_node: "1\n",
    current_link_speed: "2.5 GT/s PCIe\n",
    current_link_width: "16\n",
    max_link_speed: "32.0 GT/s PCIe\n",
    max_link_width: "16\n",
  };
  return {
    ...pciDevice("0000:c1:00.0", h100, "nvidia"),
    ...pciDevice("0000:c2:00.0", {
      class: "0x120000\n",
      vendor: "0x1002\n",
      device: "0x74a1\n",
      numa_node: "1\n",
    }),
    ...pciDevice("0000:03:00.0", { class: "0x030000\n", vendor: "0x1a03\n", device: "0x2000\n" }),
    ...pciDevice("0000:04:00.0", { class: "0x030000\n", vendor: "0x1234\n", device: "0x1111\n" }),
    ...pciDevice("0000:05:00.0", { class: "0x030000\n", vendor: "0x1002\n", device: "0x515e\n" }),
  };
}

function owners(): HostTree {
  return {
    "/etc/sysctl.d/50-vm.conf": "# ours\nvm.swappiness = 10\nnet/ipv4/tcp_tw_reuse=1\n",
    "/usr/lib/sysctl.d/50-vm.conf": "vm.swappiness = 60\n",
    "/usr/lib/sysctl.d/99-last.conf": "net.ipv4.tcp_tw_reuse = 2\n-net.core.somaxconn = 512\n",
    "/usr/lib/sysctl.d/50-default.conf": "net.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.lo.rp_filter\n",
    "/etc/sysctl.d/10-masked.conf": { link: "/dev/null" },
    "/usr/lib/sysctl.d/10-masked.conf": "kernel.panic = 99\n",
    "/proc/sys/net/ipv4/conf/ens3/rp_filter": "0\n",
    "/proc/sys/net/ipv4/conf/lo/rp_filter": "0\n",
    "/dev/null": "",
    "/etc/tuned/active_profile": "site-web\n",
    "/etc/tuned/site-web/tuned.conf":
      "[main]\ninclude=throughput-performance\n[sysctl]\nvm.dirty_ratio=20\n[disk]\nreadahead=>4096\n",
    "/usr/lib/tuned/throughput-performance/tuned.conf":
      "[cpu]\ngovernor=performance\n[sysctl]\nvm.dirty_ratio=40\nnet.core.somaxconn=>2048\n",
    "/etc/systemd/system/multi-user.target.wants/tuned.service": {
      link: "/lib/systemd/system/tuned.service",
    },
    "/etc/systemd/system/multi-user.target.wants/irqbalance.service": {
      link: "/lib/systemd/system/irqbalance.service",
    },
    "/var/lib/kubelet/config.yaml":
      "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nprotectKernelDefaults: true\n",
    "/etc/cni/net.d/10-aws.conflist": "{}\n",
    "/var/lib/cloud/instance/cloud-config.txt":
      "#cloud-config\nruncmd:\n  - sysctl -w net.core.rmem_max=4194304\n",
  };
}

/** The stock host with every kind of device and owner added to it. */
export function busyHost(): HostTree {
  return {
    ...stockHost(),
    ...virtioNic(),
    ...virtualFunctions(),
    ...stackedNics(),
    ...disks(),
    ...gpus(),
    ...rdma(),
    ...owners(),
    "/proc/net/softnet_stat": "0000007d 00000000 00000002 00000000\n00000018 00000001 00000003 00000000\n",
    "/sys/kernel/iommu_groups/7/type": "DMA-FQ\n",
    "/sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
    "/proc/sys/kernel/arch": "x86_64\n",
    "/proc/net/route":
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\nbr0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\nens3\t0000FEA9\t00000000\t0001\t0\t0\t100\t0000FFFF\t0\t0\t0\n",
  };
}
