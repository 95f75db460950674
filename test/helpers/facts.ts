import fc from "fast-check";
import type { BlockDeviceFacts, HostFacts, NicFacts } from "../../host-tuning/facts/host-facts.ts";
import {
  API_VERSION,
  type HostProfile,
  type HostProfileInput,
  hostProfileSchema,
} from "../../host-tuning/profile/host-profile.ts";
import { formatKernelList } from "../../host-tuning/sys/kernel-list.ts";

const GIB = 1024 ** 3;

/** The few figures that most computations start from. */
export interface HostShape {
  readonly cpus: number;
  readonly nodes: number;
  readonly threadsPerCore: 1 | 2;
  readonly memoryBytes: number;
  readonly nicMbitPerSec: number | null;
  /** Node of the one NIC, which carries the default route; null on firmware that names none. */
  readonly nicNode: number | null;
  readonly swapBytes: number;
}

const DEFAULT_SHAPE: HostShape = {
  cpus: 16,
  nodes: 2,
  threadsPerCore: 2,
  memoryBytes: 64 * GIB,
  nicMbitPerSec: 25_000,
  nicNode: 1,
  swapBytes: 0,
};

export function sampleNic(overrides: Partial<NicFacts> = {}): NicFacts {
  return {
    name: "eno1",
    driver: "ice",
    pciAddress: "0000:81:00.0",
    node: 1,
    macAddress: "3c:ec:ef:12:34:56",
    speedMbitPerSec: 25_000,
    mtuBytes: 1500,
    operState: "up",
    isPhysical: true,
    isVirtualFunction: false,
    carriesDefaultRoute: true,
    rxQueues: 8,
    txQueues: 8,
    irqs: [64, 65, 66, 67, 68, 69, 70, 71],
    sriov: { totalVirtualFunctions: 64, virtualFunctions: 0, functions: [] },
    kind: "device",
    master: null,
    lower: [],
    isForwarding: false,
    exceeded: {},
    ...overrides,
  };
}

/** Facts of a host of this shape: CPUs spread over nodes in equal blocks, one package a node, SMT siblings adjacent. */
export function factsOfShape(shape: Partial<HostShape> = {}): HostFacts {
  const { cpus, nodes, threadsPerCore, memoryBytes, nicMbitPerSec, nicNode, swapBytes } = {
    ...DEFAULT_SHAPE,
    ...shape,
  };
  const perNode = Math.ceil(cpus / nodes);
  const nodeOf = (cpu: number): number => Math.floor(cpu / perNode);
  const allCpus = Array.from({ length: cpus }, (_, cpu) => cpu);
  return {
    apiVersion: API_VERSION,
    kind: "HostFacts",
    hostname: "rack7-node3",
    architecture: "x86_64",
    kernel: {
      release: "6.1.0-40-amd64",
      commandLine: "root=UUID=5b9a ro quiet",
      pageBytes: 4096,
      congestionControls: ["bbr", "cubic", "reno"],
    },
    distribution: {
      id: "debian",
      idLike: [],
      versionId: "12",
      prettyName: "Debian GNU/Linux 12 (bookworm)",
    },
    initSystem: "systemd",
    bootLoader: { kind: "grub", because: "/boot/grub/grub.cfg and update-grub" },
    virtualization: { kind: "none", because: "no hypervisor flag" },
    cloud: { provider: "none", instanceType: null, because: "DMI names no cloud" },
    cpu: {
      vendor: "GenuineIntel",
      model: "Intel(R) Xeon(R) Gold 6334 CPU @ 3.60GHz",
      onlineCpus: formatKernelList(allCpus),
      offlineCpus: "",
      packages: nodes,
      cores: Math.ceil(cpus / threadsPerCore),
      threadsPerCore,
      cpus: allCpus.map((id) => {
        const first = id - (id % threadsPerCore);
        const siblings = Array.from({ length: threadsPerCore }, (_, thread) => first + thread);
        return {
          id,
          package: nodeOf(id),
          core: Math.floor(id / threadsPerCore),
          node: nodeOf(id),
          siblings: formatKernelList(siblings.filter((cpu) => cpu < cpus)),
        };
      }),
      isolatedCpus: "",
      governors: ["performance", "powersave"],
      frequencyPolicies: allCpus.map((cpu) => `policy${cpu}`),
      idle: {
        driver: "intel_idle",
        states: [
          { name: "POLL", latencyMicros: 0 },
          { name: "C1", latencyMicros: 2 },
          { name: "C1E", latencyMicros: 10 },
          { name: "C6", latencyMicros: 133 },
        ],
      },
    },
    clock: { source: "tsc", sources: ["tsc", "hpet", "acpi_pm"], hasInvariantTsc: true },
    memory: {
      totalBytes: memoryBytes,
      swapTotalBytes: swapBytes,
      hugepageSizesKiB: [2048, 1_048_576],
    },
    numa: {
      nodes: Array.from({ length: nodes }, (_, id) => ({
        id,
        cpus: formatKernelList(allCpus.filter((cpu) => nodeOf(cpu) === id)),
        memoryBytes: Math.floor(memoryBytes / nodes),
        distances: Array.from({ length: nodes }, (_, other) => (other === id ? 10 : 21)),
        hugepages: [
          { sizeKiB: 2048, total: 0 },
          { sizeKiB: 1_048_576, total: 0 },
        ],
      })),
    },
    nics: [sampleNic({ speedMbitPerSec: nicMbitPerSec, node: nicNode })],
    rdma: { devices: [], netnsMode: null, peerMemoryModule: null, hasOpenNvidiaModule: null },
    softnet: { processed: 1_000_000, dropped: 0, timeSqueezed: 0 },
    passthrough: { iommuGroups: 0, lockdown: "none" },
    blockDevices: [],
    irqs: [],
    gpus: [],
    kubelet: { cpuManagerPolicy: null, memoryManagerPolicy: null },
    ownership: [],
    unreadable: [],
  };
}

export function sampleDisk(overrides: Partial<BlockDeviceFacts> = {}): BlockDeviceFacts {
  return {
    name: "nvme0n1",
    kind: "nvme",
    model: "SAMSUNG MZQL21T9HCJR-00A07",
    sizeBytes: 1_920_383_410_176,
    logicalBlockBytes: 512,
    isRotational: false,
    isReadOnly: false,
    pciAddress: "0000:01:00.0",
    node: 0,
    scheduler: "none",
    schedulers: ["none", "mq-deadline"],
    hardwareQueues: 16,
    transport: "pcie",
    wwid: `eui.${overrides.name ?? "nvme0n1"}`,
    maxHwSectorsKiB: 2048,
    members: [],
    holders: [],
    ...overrides,
  };
}

const TURNING_DISK = sampleDisk({
  name: "sda",
  kind: "scsi",
  model: "WDC WD4003FRYZ",
  sizeBytes: 4_000_787_030_016,
  isRotational: true,
  pciAddress: null,
  node: null,
  scheduler: "mq-deadline",
  hardwareQueues: 1,
  transport: null,
});

/**
 * Facts like those of test/helpers/stock-host.ts (CPUs numbered in blocks, which that host does not do), with top-level
 * fields replaced.
 */
export function sampleFacts(overrides: Partial<HostFacts> = {}): HostFacts {
  const nic = sampleNic();
  const irqs = nic.irqs.map((irq, queue) => ({
    irq,
    action: `ice-eno1-TxRx-${queue}`,
    pciAddress: nic.pciAddress,
    node: nic.node,
    isManaged: false,
    affinity: "0-15",
    effectiveAffinity: "8",
  }));
  return { ...factsOfShape(), blockDevices: [sampleDisk(), TURNING_DISK], irqs, ...overrides };
}

/** A whole profile from the few fields a test cares about. */
export function sampleProfile(input: Omit<HostProfileInput, "apiVersion" | "kind"> = {}): HostProfile {
  return hostProfileSchema.parse({ apiVersion: API_VERSION, kind: "HostProfile", ...input });
}

const SAMPLE_FUNCTION = {
  index: 0,
  pciAddress: "0000:81:10.0",
  driver: "iavf",
  netdev: "eno1v0",
  hasIommuGroup: false,
};

const arbitraryNic: fc.Arbitrary<NicFacts> = fc
  .record({
    name: fc.stringMatching(/^[a-z]{2,4}[0-9]{1,3}$/),
    driver: fc.option(fc.constantFrom("ice", "mlx5_core", "ena", "virtio_net", "igb")),
    node: fc.option(fc.integer({ min: 0, max: 7 })),
    speedMbitPerSec: fc.option(fc.constantFrom(10, 100, 1000, 10_000, 25_000, 100_000, 400_000, 800_000)),
    mtuBytes: fc.option(fc.constantFrom(576, 1500, 9001)),
    operState: fc.option(fc.constantFrom("up", "down", "unknown")),
    isPhysical: fc.boolean(),
    isVirtualFunction: fc.boolean(),
    carriesDefaultRoute: fc.boolean(),
    rxQueues: fc.integer({ min: 1, max: 128 }),
    txQueues: fc.integer({ min: 1, max: 128 }),
    irqs: fc.uniqueArray(fc.integer({ min: 16, max: 2000 }), { maxLength: 130 }),
    sriov: fc.option(
      fc.record({
        totalVirtualFunctions: fc.integer({ min: 0, max: 256 }),
        virtualFunctions: fc.integer({ min: 0, max: 256 }),
        functions: fc.array(fc.constantFrom(SAMPLE_FUNCTION), { maxLength: 1 }),
      }),
    ),
  })
  .map((fields) => sampleNic({ ...fields, irqs: fields.irqs.toSorted((a, b) => a - b) }));

const arbitraryDisk: fc.Arbitrary<BlockDeviceFacts> = fc
  .record({
    name: fc.stringMatching(/^(nvme\dn1|sd[a-z]|vd[a-z]|md\d|dm-\d|loop\d)$/),
    kind: fc.constantFrom(
      "nvme" as const,
      "nvme-multipath" as const,
      "virtio" as const,
      "scsi" as const,
      "xen" as const,
      "md" as const,
      "dm" as const,
      "loop" as const,
      "ram" as const,
      "other" as const,
    ),
    sizeBytes: fc.integer({ min: 0, max: 64 * 1024 * GIB }),
    isRotational: fc.boolean(),
    scheduler: fc.option(fc.constantFrom("none", "mq-deadline", "bfq", "kyber")),
    schedulers: fc.subarray(["none", "mq-deadline", "bfq", "kyber"]),
    hardwareQueues: fc.integer({ min: 0, max: 128 }),
  })
  .map((fields) => sampleDisk(fields));

/** Hosts from one CPU and 128 MiB to 1024 CPUs and 24 TiB, with NICs without speed or node, and memoryless nodes. */
export const arbitraryFacts: fc.Arbitrary<HostFacts> = fc
  .record({
    cpus: fc.integer({ min: 1, max: 1024 }),
    nodes: fc.integer({ min: 1, max: 8 }),
    threadsPerCore: fc.constantFrom(1 as const, 2 as const),
    memoryBytes: fc.integer({ min: 128 * 1024 ** 2, max: 24 * 1024 * GIB }),
    swapBytes: fc.constantFrom(0, GIB, 64 * GIB),
    nics: fc.array(arbitraryNic, { maxLength: 4 }),
    blockDevices: fc.uniqueArray(arbitraryDisk, { maxLength: 4, selector: (disk) => disk.name }),
    initSystem: fc.constantFrom("systemd" as const, "other" as const),
    isMemoryless: fc.boolean(),
    isolated: fc.uniqueArray(fc.integer({ min: 0, max: 1023 }), { maxLength: 4 }),
  })
  .map(({ nics, blockDevices, initSystem, isMemoryless, isolated, ...shape }) => {
    const facts = factsOfShape(shape);
    const nodes = facts.numa.nodes.map((node, index) =>
      isMemoryless && index > 0 ? { ...node, memoryBytes: 0 } : node,
    );
    return {
      ...facts,
      initSystem,
      nics,
      blockDevices,
      numa: { nodes },
      cpu: { ...facts.cpu, isolatedCpus: formatKernelList(isolated.filter((cpu) => cpu < shape.cpus)) },
    };
  });

/** Any valid profile, the bounds of every number included. */
export const arbitraryProfile: fc.Arbitrary<HostProfile> = fc
  .record({
    preset: fc.constantFrom("latency", "throughput", "balanced", "gpu"),
    workload: fc.record({
      connections: fc.integer({ min: 1, max: 4_000_000 }),
      streams: fc.integer({ min: 0, max: 4_000_000 }),
      connectionsPerSecond: fc.integer({ min: 1, max: 1_000_000 }),
      outboundConnections: fc.integer({ min: 0, max: 1_000_000 }),
      rttMillis: fc.double({ min: 0.01, max: 2000, noNaN: true }),
      usesMemoryMaps: fc.boolean(),
    }),
    service: fc.record(
      {
        unit: fc.constantFrom("mcp-service.service", "tools@7.service"),
        runtime: fc.constantFrom("systemd", "kubernetes"),
        numaNode: fc.oneof(fc.constantFrom("auto", "none"), fc.integer({ min: 0, max: 1023 })),
        listenPorts: fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { maxLength: 4 }),
        memoryBytes: fc.integer({ min: 1, max: 24 * 1024 * GIB }),
      },
      { requiredKeys: ["unit", "runtime", "numaNode"] },
    ),
    cpu: fc.record(
      {
        reserved: fc
          .uniqueArray(fc.integer({ min: 0, max: 1023 }), { maxLength: 8 })
          .map((cpus) => formatKernelList(cpus)),
      },
      { requiredKeys: [] },
    ),
    hugepages: fc.record({
      sizeKiB: fc.constantFrom(2048 as const, 1_048_576 as const),
      perNode: fc.integer({ min: 0, max: 1_000_000 }),
    }),
    allowLowering: fc.boolean(),
  })
  .map((input) => hostProfileSchema.parse({ apiVersion: API_VERSION, kind: "HostProfile", ...input }));
