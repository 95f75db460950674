import type { HostFacts, NicFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { parseKernelList } from "../sys/kernel-list.ts";
import { clamp, powerOfTwoAtLeast } from "./desired.ts";
import { type PacketCpus, packetCpus } from "./packet-cpus.ts";
import { placeService } from "./service-placement.ts";

/** Drivers that put flows on a queue by themselves when the kernel asks (ndo_rx_flow_steer), Linux 6.12. */
const ARFS_DRIVERS: ReadonlySet<string> = new Set([
  "bnxt_en",
  "enic",
  "hns3",
  "ice",
  "mlx4_en",
  "mlx5_core",
  "qede",
  "sfc",
]);

/** Flows that the table holds: fewer are not worth its hash, more are beyond what one service has. Our choice. */
const LEAST_FLOWS = 4096;
const MOST_FLOWS = 1024 * 1024;

/** A set of CPUs with its reason, or why there is none. */
export type Steering = PacketCpus | { readonly cpus?: undefined; readonly because: string };

/**
 * Receive Packet Steering: the CPUs that share a NIC's packets where it has fewer queues than CPUs. With a queue for
 * each CPU the hardware has spread the packets already, and the hand-over only costs an inter-processor interrupt. That
 * interrupt is also why the latency preset goes without.
 */
export function packetSteering(nic: NicFacts, facts: HostFacts, profile: HostProfile): Steering {
  const { cpus, because } = packetCpus(nic, facts, profile);
  if (nic.rxQueues >= cpus.length) {
    return {
      because: `${nic.rxQueues} hardware queues for ${cpus.length} CPUs: the hardware spreads packets already`,
    };
  }
  if (profile.preset === "latency") {
    return { because: "handing a packet on costs an inter-processor interrupt, and the preset is latency" };
  }
  return {
    cpus,
    because: `${nic.rxQueues} hardware ${nic.rxQueues === 1 ? "queue" : "queues"} for ${cpus.length} CPUs: shared by ${because}`,
  };
}

/**
 * Accelerated flow steering: the NIC itself puts each flow on the queue of the CPU where its reader runs. Worth it for
 * latency, and only where the CPUs that take the interrupts are those that the service runs on, each with a queue.
 */
export function acceleratedSteering(nic: NicFacts, facts: HostFacts, profile: HostProfile): Steering {
  if (profile.preset !== "latency") {
    return { because: "filters that follow every flow cost more than they bring but for latency" };
  }
  if (nic.driver === null || !ARFS_DRIVERS.has(nic.driver)) {
    return { because: `${nic.driver ?? "the driver"} does not put flows on queues by itself` };
  }
  const packet = packetCpus(nic, facts, profile);
  const placement = placeService(facts, profile);
  const service =
    placement.kind === "everywhere" ? (parseKernelList(facts.cpu.onlineCpus) ?? []) : placement.cpus;
  const isSame = packet.cpus.toSorted((a, b) => a - b).join() === service.toSorted((a, b) => a - b).join();
  if (!isSame) {
    return { because: "the CPUs that take this NIC's interrupts are not those that the service runs on" };
  }
  if (nic.rxQueues < packet.cpus.length) {
    return {
      because: `${nic.rxQueues} queues for ${packet.cpus.length} CPUs of the service: not one for each`,
    };
  }
  return {
    cpus: packet.cpus,
    because: `interrupts and the service share ${packet.because}, and each CPU has a queue`,
  };
}

/** Entries of the table that remembers where each flow's reader runs, and for whom; `undefined` where nothing asks it. */
export interface FlowTable {
  readonly entries: number;
  readonly because: string;
}

/**
 * Flow steering (RFS) follows packet steering: it only chooses among its CPUs, or among the queues of a NIC that steers
 * flows itself.
 *
 * @example 50,000 connections: 65,536 entries, 256 KiB
 */
export function flowTable(nic: NicFacts, facts: HostFacts, profile: HostProfile): FlowTable | undefined {
  const why = [packetSteering(nic, facts, profile), acceleratedSteering(nic, facts, profile)].find(
    ({ cpus }) => cpus !== undefined,
  );
  if (why === undefined) return undefined;
  const { connections } = profile.workload;
  const entries = clamp(powerOfTwoAtLeast(connections), LEAST_FLOWS, MOST_FLOWS);
  return { entries, because: `${connections} connections, and ${nic.name}: ${why.because}` };
}
