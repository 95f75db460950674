import { ARTIFACT_ADDRESS, type LocalVmSpec } from "./vm-spec.ts";

/** What a QEMU command is rendered from. Paths inside the VM's folder are relative: QEMU is started there. */
export interface QemuMachine {
  readonly id: string;
  readonly spec: LocalVmSpec;
  readonly accelerator: "kvm" | "tcg";
  readonly vmlinux: string;
  readonly initrd: string;
  /** A disk with GRUB, which starts the kernel of the root disk in place of the two above. */
  readonly grubDisk?: string | undefined;
  /** Absolute, as is the next: QEMU leaves its folder when it goes to the background and opens these later. */
  readonly seedFolder: string;
  readonly artifactsFolder: string;
  readonly busybox: string;
  readonly sshPort: number;
  readonly servicePort: number;
  /** An ACPI table that gives the CPUs frequencies, so that the guest has a cpufreq governor. */
  readonly ssdt: string | undefined;
}

/** Names of the files that QEMU uses in the VM's folder. */
export const VM_FILES = {
  rootDisk: "root.qcow2",
  serialLog: "serial.log",
  qemuLog: "qemu.log",
  nvme: (index: number): string => `nvme${index}.img`,
} as const;

/** The guest's main NIC. Locally administered, the same in every VM: each is alone on its own network. */
export const MAIN_NIC_MAC = "52:54:00:b0:00:01";

/** QEMU reads a comma as the end of a value unless it is doubled. */
const escapeOption = (value: string): string => value.replaceAll(",", ",,");

/** Quotes a word for the shell-like splitting that QEMU's user network does itself; no shell is involved. */
const quoteWord = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;

/**
 * All that the emulator can do, as an Intel of a family whose time-stamp counter the kernel knows to be constant. With
 * QEMU's own vendor, AMD, the kernel gives the counter up once CPUs have frequencies, and reads the far slower HPET.
 */
const EMULATED_CPU = "max,vendor=GenuineIntel,family=6,model=26,stepping=5";

/** Kernel arguments that only make an emulated boot quick or its console useful. */
export const BASE_KERNEL_ARGUMENTS = [
  "console=ttyS0",
  "8250.nr_uarts=1",
  "quiet",
  "panic=-1",
  "systemd.show_status=auto",
  "tsc=reliable",
  "clocksource=tsc",
  "no_timer_check",
  "lpj=10000000",
  "mitigations=off",
  "nokaslr",
  "apparmor=0",
  "selinux=0",
  "audit=0",
  "nowatchdog",
  "rcupdate.rcu_cpu_stall_suppress=1",
  "nvme_core.multipath=N",
] as const;

/** The seed's drive. No other QEMU has this argument, so it also tells which process is the VM's. */
export function seedDrive(seedFolder: string): string {
  return `if=none,id=seed,driver=vvfat,dir=${escapeOption(seedFolder)},label=cidata,read-only=on`;
}

function numaArguments(spec: LocalVmSpec): string[] {
  const nodes = Array.from({ length: spec.numaNodes }, (_, node) => node);
  const perNodeMiB = spec.memoryMiB / spec.numaNodes;
  return [
    ...nodes.flatMap((node) => ["-object", `memory-backend-ram,id=mem${node},size=${perNodeMiB}M`]),
    ...nodes.flatMap((node) => ["-numa", `node,nodeid=${node},memdev=mem${node}`]),
    ...nodes.flatMap((node) => ["-numa", `cpu,node-id=${node},socket-id=${node}`]),
    ...nodes.flatMap((from) =>
      nodes.filter((to) => to > from).flatMap((to) => ["-numa", `dist,src=${from},dst=${to},val=21`]),
    ),
  ];
}

/** One PCI expander per node, so that a device behind it says which node it is near. */
function pciArguments(spec: LocalVmSpec): string[] {
  const expander = (node: number): string =>
    `pxb-pcie,id=pxb${node},bus=pcie.0,bus_nr=${0x20 + node * 0x18},numa_node=${node}`;
  return Array.from({ length: spec.numaNodes }, (_, node) => ["-device", expander(node)]).flat();
}

function nvmeArguments(spec: LocalVmSpec): string[] {
  return spec.nvmeDisks.flatMap((disk, index) => {
    const queues = `max_ioqpairs=${spec.cpus},msix_qsize=${spec.cpus + 1}`;
    const isShared = disk.controllers > 1;
    const subsystem = isShared ? `,subsys=nvmesubsys${index}` : "";
    const controller = (id: string, place: number): string[] => [
      "-device",
      `pcie-root-port,id=nvmeport${id},bus=pxb${disk.numaNode},chassis=${place},slot=${place}`,
      "-device",
      `nvme,id=nvme${id},serial=BEDPLATE${index}${subsystem},bus=nvmeport${id},${queues}`,
    ];
    return [
      ...(isShared ? ["-device", `nvme-subsys,id=nvmesubsys${index},nqn=bedplate${index}`] : []),
      ...controller(String(index), 10 + index),
      // The second port of a dual-port disk.
      ...(isShared ? controller(`${index}b`, 20 + index) : []),
      "-drive",
      `if=none,id=nvmedisk${index},file=${VM_FILES.nvme(index)},format=raw`,
      "-device",
      `nvme-ns,drive=nvmedisk${index},bus=nvme${index},nsid=1,logical_block_size=${disk.logicalBlockBytes},physical_block_size=${disk.logicalBlockBytes}${isShared ? ",shared=on" : ""}`,
    ];
  });
}

/**
 * The guest's only network is QEMU's user network with `restrict=on`: nothing outside and nothing on this machine can
 * be reached from it, not even this machine's loopback. Two ways lead in (ssh and the service, on loopback ports) and
 * one out: a connection to ARTIFACT_ADDRESS starts a busybox httpd on it that serves the VM's artifacts folder and
 * ends with the connection. No server has to be kept alive, so a reboot hours later finds its artifacts too.
 */
function networkArguments(machine: QemuMachine): string[] {
  const { spec } = machine;
  const httpd = [machine.busybox, "httpd", "-i", "-h", machine.artifactsFolder].map(quoteWord).join(" ");
  const netdev = [
    "user",
    "id=net0",
    "restrict=on",
    "ipv6=off",
    `hostfwd=tcp:127.0.0.1:${machine.sshPort}-:22`,
    `hostfwd=tcp:127.0.0.1:${machine.servicePort}-:${spec.servicePort}`,
    `guestfwd=tcp:${ARTIFACT_ADDRESS}:80-cmd:${escapeOption(httpd)}`,
  ].join(",");
  // On the last node, where the disks of the default spec are not: near and far CPUs differ for each device.
  const port = `pcie-root-port,id=nicport,bus=pxb${spec.numaNodes - 1},chassis=1,slot=1`;
  const nic = `${spec.sriovNic ? "igb" : "virtio-net-pci"},netdev=net0,bus=nicport,mac=${MAIN_NIC_MAC},romfile=`;
  return ["-netdev", netdev, "-device", port, "-device", nic];
}

/** After the other disks, so that those keep their names in the guest. */
function grubArguments(disk: string | undefined): string[] {
  if (disk === undefined) return [];
  return [
    "-drive",
    `if=none,id=grub,file=${escapeOption(disk)},format=raw,read-only=on`,
    "-device",
    "virtio-blk-pci,bus=pcie.0,drive=grub,num-queues=1,bootindex=0",
  ];
}

/** The arguments of qemu-system-x86_64 for a VM; it goes to the background by itself once all devices are made. */
export function renderQemuArguments(machine: QemuMachine): string[] {
  const { spec } = machine;
  const cores = spec.cpus / spec.numaNodes;
  const machineId = `systemd.machine_id=${machine.id.replaceAll("-", "")}`;
  const kernelArguments = [...BASE_KERNEL_ARGUMENTS, machineId, ...spec.kernelArguments];
  return [
    "-name",
    `bedplate-${spec.name}`,
    "-uuid",
    machine.id,
    "-machine",
    "q35",
    "-accel",
    machine.accelerator === "kvm" ? "kvm" : "tcg,thread=multi",
    "-cpu",
    machine.accelerator === "kvm" ? "host" : EMULATED_CPU,
    "-smp",
    `${spec.cpus},sockets=${spec.numaNodes},cores=${cores},threads=1`,
    "-m",
    `${spec.memoryMiB}M`,
    ...numaArguments(spec),
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-chardev",
    `file,id=serial,path=${VM_FILES.serialLog},append=on`,
    "-serial",
    "chardev:serial",
    ...(machine.grubDisk === undefined
      ? ["-kernel", machine.vmlinux, "-initrd", machine.initrd, "-append", kernelArguments.join(" ")]
      : []),
    ...(machine.ssdt === undefined ? [] : ["-acpitable", `file=${escapeOption(machine.ssdt)}`]),
    "-drive",
    `if=none,id=root,file=${VM_FILES.rootDisk},format=qcow2,cache=writeback,discard=unmap`,
    "-device",
    "virtio-blk-pci,bus=pcie.0,drive=root,num-queues=1",
    // QEMU makes the seed's FAT file system of a folder by itself, so no mkfs and no ISO tool is needed.
    "-drive",
    seedDrive(machine.seedFolder),
    "-device",
    "virtio-blk-pci,bus=pcie.0,drive=seed,num-queues=1",
    ...grubArguments(machine.grubDisk),
    ...pciArguments(spec),
    ...nvmeArguments(spec),
    ...networkArguments(machine),
    "-D",
    VM_FILES.qemuLog,
    "-daemonize",
  ];
}
