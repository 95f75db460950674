import * as z from "zod";
import { API_VERSION } from "../profile/host-profile.ts";

const kernelList = z.string().describe('Kernel list form, "0-63"');
/** NUMA node of a device; null where the firmware names none (the kernel's -1). */
const deviceNode = z.int().min(0).nullable();
const pciAddress = z.string().nullable().describe("As in 0000:41:00.0; null for a device that is not on PCI");

export const nicFactsSchema = z.object({
  name: z.string(),
  driver: z.string().nullable(),
  pciAddress,
  node: deviceNode,
  macAddress: z.string().nullable(),
  speedMbitPerSec: z
    .number()
    .nullable()
    .describe("Negotiated speed; null when the driver names none (virtio) or the link is down"),
  mtuBytes: z.int().nullable(),
  operState: z.string().nullable(),
  isPhysical: z.boolean().describe("Backed by a device, not a bridge, veth, bond or loopback"),
  isVirtualFunction: z.boolean(),
  carriesDefaultRoute: z.boolean(),
  rxQueues: z.int(),
  txQueues: z.int(),
  irqs: z.array(z.int()).describe("Interrupts of this NIC's queues, ascending"),
  sriov: z
    .object({
      totalVirtualFunctions: z.int(),
      virtualFunctions: z.int(),
      functions: z
        .array(
          z.object({
            index: z.int(),
            pciAddress: z.string(),
            driver: z.string().nullable(),
            netdev: z
              .string()
              .nullable()
              .describe("Its interface in our namespace, where a network driver has it"),
            hasIommuGroup: z.boolean(),
          }),
        )
        .describe("The virtual functions that there are"),
    })
    .nullable(),
  kind: z.enum(["device", "bond", "bridge", "other"]).describe('What it is; "device" where isPhysical'),
  master: z.string().nullable().describe("Bond, bridge or team that it is a port of"),
  lower: z
    .array(z.string())
    .describe("What it is built on: the ports of a bond or bridge, the device beneath a VLAN"),
  isForwarding: z
    .boolean()
    .describe("Packets that come in here go on to others: forwarding is on for it, or it is a bridge's port"),
  exceeded: z
    .record(z.string(), z.int())
    .describe(
      "Counters that no setting can bring down, by the driver's own names: the instance type's allowances that were exceeded (ENA)",
    ),
});

export const rdmaFactsSchema = z.object({
  devices: z.array(
    z.object({
      name: z.string().describe("mlx5_0, rxe0, efa_0"),
      driver: z.string().nullable(),
      pciAddress,
      node: deviceNode,
      nodeGuid: z.string().nullable(),
      firmware: z.string().nullable(),
      isEfa: z.boolean(),
      ports: z.array(
        z.object({
          port: z.int(),
          state: z.string().nullable().describe("ACTIVE, DOWN, INIT ..."),
          physicalState: z.string().nullable(),
          linkLayer: z.string().nullable().describe("InfiniBand, Ethernet (RoCE) or Unspecified (EFA)"),
          rate: z.string().nullable(),
          netdev: z.string().nullable(),
          gidTypes: z.array(z.string()).describe("IB/RoCE v1, RoCE v2"),
        }),
      ),
    }),
  ),
  netnsMode: z
    .enum(["shared", "exclusive"])
    .nullable()
    .describe("Are RDMA devices seen in every network namespace, as `rdma system` shows"),
  peerMemoryModule: z
    .string()
    .nullable()
    .describe("nvidia_peermem or nv_peer_mem where loaded: GPUDirect RDMA without DMA-BUF"),
  hasOpenNvidiaModule: z
    .boolean()
    .nullable()
    .describe(
      "The open NVIDIA kernel module, which GPUDirect RDMA by DMA-BUF needs; null without the driver",
    ),
});

export const blockDeviceFactsSchema = z.object({
  name: z.string(),
  kind: z.enum(["nvme", "nvme-multipath", "virtio", "scsi", "xen", "md", "dm", "loop", "ram", "other"]),
  model: z.string().nullable(),
  sizeBytes: z.number(),
  logicalBlockBytes: z.int(),
  isRotational: z.boolean(),
  isReadOnly: z.boolean(),
  pciAddress,
  node: deviceNode,
  scheduler: z.string().nullable().describe("The one in force"),
  schedulers: z.array(z.string()).describe("Those that the kernel offers for this device now"),
  hardwareQueues: z.int(),
  transport: z.string().nullable().describe("NVMe transport: pcie, tcp, rdma, fc; null for others"),
  wwid: z
    .string()
    .nullable()
    .describe("Name of the medium that no other has; null where the device has none"),
  maxHwSectorsKiB: z.int().nullable().describe("Largest request that the device takes"),
  members: z.array(z.string()).describe("Block devices that this one is built from (md, dm)"),
  holders: z.array(z.string()).describe("Block devices that are built from this one or its partitions"),
});

export const irqFactsSchema = z.object({
  irq: z.int(),
  action: z.string().describe("Name in /proc/interrupts or under /sys/kernel/irq"),
  pciAddress,
  node: deviceNode,
  isManaged: z
    .boolean()
    .nullable()
    .describe("The kernel owns its affinity and refuses a write; null when not known"),
  affinity: kernelList.nullable().describe("smp_affinity_list"),
  effectiveAffinity: kernelList.nullable().describe("effective_affinity_list, what is in force"),
});

export const gpuFactsSchema = z.object({
  pciAddress: z.string(),
  vendorId: z.string().describe("Four hexadecimal digits, 10de is NVIDIA"),
  deviceId: z.string(),
  vendor: z.string(),
  pciClass: z.string().describe("Six hexadecimal digits, 0x030200 is a 3D controller"),
  node: deviceNode,
  driver: z.string().nullable(),
  driverVersion: z.string().nullable().describe("Of the driver's module, 580.65.06"),
  model: z.string().nullable().describe("As NVIDIA's driver names it; null without that driver"),
  linkSpeed: z.string().nullable(),
  linkWidth: z.int().nullable(),
  maxLinkSpeed: z.string().nullable(),
  maxLinkWidth: z.int().nullable(),
  isLinkNarrow: z
    .boolean()
    .nullable()
    .describe(
      "Fewer lanes than the GPU has: a slot, a riser or a fault. The speed alone tells nothing, as an idle GPU lowers it",
    ),
});

/** Who else sets a knob: a file in sysctl.d, TuneD, irqbalance, kubelet and the like. */
export const ownershipFactsSchema = z.object({
  owner: z.enum([
    "sysctl.d",
    "tuned",
    "irqbalance",
    "kubelet",
    "kube-proxy",
    "cni",
    "cri-o",
    "containerd",
    "cloud-init",
    "saptune",
    "bpftune",
    "redpanda-tuner",
    "bedplate",
  ]),
  key: z
    .string()
    .describe(
      "Canonical knob id, net.ipv4.x and never net/ipv4/x; a kernel file, with *; a tool as in ethtool -L; or a family as in irq.affinity",
    ),
  source: z.string().describe("File or unit that says so"),
  value: z.string().nullable(),
  hold: z
    .enum(["boot", "start", "always", "required", "containers"])
    .optional()
    .describe(
      "When it is written: once at boot, when the owner starts, again and again; required: the owner does not work with another value; containers: in theirs and not on the host",
    ),
});

/**
 * HostFacts: what the agent found on a host. Read from /proc and /sys below a root; absent things are null or empty
 * lists, never invented.
 */
export const hostFactsSchema = z
  .object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("HostFacts"),
    hostname: z.string().nullable(),
    architecture: z.string().describe("As uname -m prints it"),
    kernel: z.object({
      release: z.string().nullable(),
      commandLine: z.string().nullable(),
      pageBytes: z.int(),
      congestionControls: z
        .array(z.string())
        .describe("TCP congestion controls in the kernel, or as a module that it loads when asked for one"),
    }),
    distribution: z
      .object({
        id: z.string(),
        idLike: z.array(z.string()),
        versionId: z.string().nullable(),
        prettyName: z.string().nullable(),
      })
      .nullable(),
    initSystem: z.enum(["systemd", "other"]),
    bootLoader: z
      .object({
        kind: z.enum(["grub", "grub-bls", "systemd-boot", "unsupported"]),
        because: z.string().describe("What was found"),
      })
      .describe("What starts this host, so where its kernel's arguments are kept"),
    virtualization: z.object({
      kind: z.enum([
        "none",
        "kvm",
        "qemu",
        "xen",
        "vmware",
        "hyperv",
        "amazon",
        "google",
        "container",
        "other",
      ]),
      because: z.string(),
    }),
    cloud: z.object({
      provider: z.enum(["aws", "gcp", "azure", "none"]),
      instanceType: z.string().nullable(),
      instanceId: z
        .string()
        .optional()
        .describe("As the bill names the machine; absent where the firmware does not say it"),
      because: z.string(),
    }),
    cpu: z.object({
      vendor: z.string().nullable(),
      model: z.string().nullable(),
      onlineCpus: kernelList,
      offlineCpus: kernelList,
      packages: z.int(),
      cores: z.int().describe("Physical cores with at least one online CPU"),
      threadsPerCore: z.int().describe("Largest number of online CPUs that share a core"),
      cpus: z.array(
        z.object({ id: z.int(), package: z.int(), core: z.int(), node: z.int(), siblings: kernelList }),
      ),
      isolatedCpus: kernelList,
      governors: z
        .array(z.string())
        .describe("scaling_available_governors of the first policy; empty without cpufreq"),
      frequencyPolicies: z.array(z.string()).describe("policy0, policy4 ... below cpufreq"),
      idle: z
        .object({
          driver: z.string().nullable().describe("cpuidle's current_driver; null without one"),
          states: z.array(z.object({ name: z.string(), latencyMicros: z.int() })),
        })
        .describe(
          "Idle states (C-states) with the time each takes to wake up; none in most virtual machines",
        ),
    }),
    clock: z.object({
      source: z.string().nullable().describe("current_clocksource"),
      sources: z.array(z.string()).describe("available_clocksource"),
      hasInvariantTsc: z.boolean().describe("The CPU flags constant_tsc and nonstop_tsc"),
    }),
    memory: z.object({
      totalBytes: z.number(),
      swapTotalBytes: z.number(),
      hugepageSizesKiB: z.array(z.int()),
    }),
    numa: z.object({
      nodes: z.array(
        z.object({
          id: z.int(),
          cpus: kernelList,
          memoryBytes: z.number(),
          distances: z.array(z.int()),
          hugepages: z.array(z.object({ sizeKiB: z.int(), total: z.int() })),
        }),
      ),
    }),
    nics: z.array(nicFactsSchema),
    rdma: rdmaFactsSchema,
    softnet: z
      .object({ processed: z.number(), dropped: z.number(), timeSqueezed: z.number() })
      .nullable()
      .describe("/proc/net/softnet_stat over all CPUs since boot; counters of 32 bits that wrap"),
    passthrough: z
      .object({
        iommuGroups: z.int(),
        lockdown: z.enum(["none", "integrity", "confidentiality"]).nullable(),
      })
      .describe("What handing a device to user space (vfio-pci) needs"),
    blockDevices: z.array(blockDeviceFactsSchema),
    irqs: z.array(irqFactsSchema),
    gpus: z.array(gpuFactsSchema),
    kubelet: z
      .object({ cpuManagerPolicy: z.string().nullable(), memoryManagerPolicy: z.string().nullable() })
      .describe("Policies of the kubelet's last run, from its checkpoints; null where it has none"),
    ownership: z.array(ownershipFactsSchema),
    unreadable: z
      .array(z.object({ path: z.string(), because: z.string() }))
      .describe("What was there and could not be read or understood"),
  })
  .describe("What the agent found on a host");

export type HostFacts = z.output<typeof hostFactsSchema>;
export type NicFacts = z.output<typeof nicFactsSchema>;
export type RdmaFacts = z.output<typeof rdmaFactsSchema>;
export type BlockDeviceFacts = z.output<typeof blockDeviceFactsSchema>;
export type IrqFacts = z.output<typeof irqFactsSchema>;
export type GpuFacts = z.output<typeof gpuFactsSchema>;
export type OwnershipFacts = z.output<typeof ownershipFactsSchema>;
