import { API_VERSION } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { readBlockDevices } from "./block-devices.ts";
import { readBootLoader } from "./boot-loader.ts";
import { clockFacts, readClock } from "./clock.ts";
import { cloudFacts } from "./cloud.ts";
import { readCongestionControls } from "./congestion-controls.ts";
import { cpuFacts, readCpu } from "./cpu.ts";
import { readDistribution, readInitSystem } from "./distribution.ts";
import { readDmi } from "./dmi.ts";
import { FactReader } from "./fact-reader.ts";
import { readGpus } from "./gpus.ts";
import type { HostFacts } from "./host-facts.ts";
import { readIrqs } from "./irqs.ts";
import { readArchitecture, readKernel, readPageBytes } from "./kernel.ts";
import { readKubelet } from "./kubelet.ts";
import { memoryFacts, readMemory } from "./memory.ts";
import { readNics } from "./nics.ts";
import { readPassthrough } from "./passthrough.ts";
import { nodesByCpu, numaFacts, readNumaNodes, readSoleNode } from "./numa.ts";
import { readOwnership } from "./ownership.ts";
import { readPciDevices } from "./pci.ts";
import { readRdma } from "./rdma.ts";
import { readSoftnet } from "./softnet.ts";
import { readVirtualization, virtualizationFacts } from "./virtualization.ts";

/**
 * Finds out what the host is, from its files: nothing is asked over the network, and a process is started only for what
 * is in no file (ENA's allowances). Files
 * that do not depend on each other are read together. Never fails because of what a file holds: what cannot be read or
 * understood is absent from the facts and named in `unreadable`.
 */
export async function readFacts(host: Host): Promise<HostFacts> {
  const reader = new FactReader(host);
  const [cpu, memory, knownNodes, kernel, distribution, initSystem, dmi, virtualization, ownership, clock] =
    await Promise.all([
      readCpu(reader),
      readMemory(reader),
      readNumaNodes(reader),
      readKernel(reader),
      readDistribution(reader),
      readInitSystem(reader),
      readDmi(reader),
      readVirtualization(reader),
      readOwnership(reader),
      readClock(reader),
    ]);
  const nodes =
    knownNodes.length > 0 ? knownNodes : [await readSoleNode(reader, cpu.online, memory.totalBytes)];
  const [architecture, pciDevices] = await Promise.all([
    readArchitecture(reader, cpu.info),
    readPciDevices(reader, nodes),
  ]);
  const [kubelet, congestionControls, pageBytes, irqs, blockDevices, gpus] = await Promise.all([
    readKubelet(reader),
    readCongestionControls(reader, kernel.release),
    readPageBytes(reader, architecture, memory.defaultHugepageKiB),
    readIrqs(reader, pciDevices),
    readBlockDevices(reader, pciDevices),
    readGpus(reader, pciDevices),
  ]);
  const [nics, rdma, softnet, passthrough, bootLoader] = await Promise.all([
    readNics(reader, pciDevices, irqs),
    readRdma(reader, pciDevices),
    readSoftnet(reader),
    readPassthrough(reader),
    readBootLoader(reader, kernel.commandLine, distribution),
  ]);
  return {
    apiVersion: API_VERSION,
    kind: "HostFacts",
    hostname: kernel.hostname,
    architecture,
    kernel: { release: kernel.release, commandLine: kernel.commandLine, pageBytes, congestionControls },
    distribution,
    initSystem,
    bootLoader,
    virtualization: virtualizationFacts(virtualization, dmi, cpu.info, architecture),
    cloud: cloudFacts(dmi, virtualization.hypervisorUuid),
    cpu: cpuFacts(cpu, nodesByCpu(reader, nodes, cpu.online)),
    clock: clockFacts(clock, cpu.info),
    memory: memoryFacts(memory, nodes),
    numa: numaFacts(nodes, cpu.online),
    nics,
    rdma,
    softnet,
    passthrough,
    blockDevices,
    irqs,
    gpus,
    kubelet,
    ownership,
    unreadable: reader.unreadable(),
  };
}
