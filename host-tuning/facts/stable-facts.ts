import type { BlockDeviceFacts, HostFacts, NicFacts } from "./host-facts.ts";

/** Devices that exist because something was configured, not because of the machine: they come and go with the workload. */
const CONFIGURED_BLOCK_KINDS: ReadonlySet<BlockDeviceFacts["kind"]> = new Set(["md", "dm", "loop", "ram"]);

function stableNic(nic: NicFacts): unknown {
  return {
    name: nic.name,
    driver: nic.driver,
    pciAddress: nic.pciAddress,
    node: nic.node,
    macAddress: nic.macAddress,
    totalVirtualFunctions: nic.sriov?.totalVirtualFunctions ?? null,
  };
}

function stableBlockDevice(device: BlockDeviceFacts): unknown {
  return {
    name: device.name,
    kind: device.kind,
    model: device.model,
    sizeBytes: device.sizeBytes,
    logicalBlockBytes: device.logicalBlockBytes,
    isRotational: device.isRotational,
    isReadOnly: device.isReadOnly,
    pciAddress: device.pciAddress,
    node: device.node,
    transport: device.transport,
    wwid: device.wwid,
  };
}

/**
 * The part of the facts that a plan stands on: what changes neither by itself nor by our own tuning. The plan's facts
 * digest is made of it, so that a second apply, or one after VFs were created, does not call its own work "a host that
 * changed".
 *
 * Left out, and why: interrupts with their numbers and affinities, hugepage totals, schedulers, governors, clock source, MTU, VF
 * counts and the VFs themselves, queue counts, the kernel command line, loaded congestion controls, the kubelet's checkpoints, our own files (we set them); link state and
 * speed, default route, PCI link, GPU driver, virtual NICs, md, dm and loop devices, swap (they come and go by
 * themselves); `unreadable` (it depends on who asks).
 */
export function stableFacts(facts: HostFacts): unknown {
  return {
    hostname: facts.hostname,
    architecture: facts.architecture,
    kernel: { release: facts.kernel.release, pageBytes: facts.kernel.pageBytes },
    distribution: facts.distribution,
    initSystem: facts.initSystem,
    bootLoader: facts.bootLoader.kind,
    virtualization: facts.virtualization.kind,
    cloud: { provider: facts.cloud.provider, instanceType: facts.cloud.instanceType },
    cpu: {
      vendor: facts.cpu.vendor,
      model: facts.cpu.model,
      onlineCpus: facts.cpu.onlineCpus,
      isolatedCpus: facts.cpu.isolatedCpus,
      cpus: facts.cpu.cpus,
      frequencyPolicies: facts.cpu.frequencyPolicies,
      idle: facts.cpu.idle,
    },
    memory: { totalBytes: facts.memory.totalBytes, hugepageSizesKiB: facts.memory.hugepageSizesKiB },
    numaNodes: facts.numa.nodes.map(({ id, cpus, memoryBytes, distances }) => ({
      id,
      cpus,
      memoryBytes,
      distances,
    })),
    nics: facts.nics.filter((nic) => nic.isPhysical && !nic.isVirtualFunction).map(stableNic),
    blockDevices: facts.blockDevices
      .filter((device) => !CONFIGURED_BLOCK_KINDS.has(device.kind))
      .map(stableBlockDevice),
    gpus: facts.gpus.map(({ pciAddress, vendorId, deviceId, pciClass, node }) => ({
      pciAddress,
      vendorId,
      deviceId,
      pciClass,
      node,
    })),
    ownership: facts.ownership.filter((entry) => entry.owner !== "bedplate"),
  };
}
