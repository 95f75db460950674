import type { HostFacts, NicFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { parseKernelList } from "../sys/kernel-list.ts";

/** CPUs that take a NIC's packets, in the order they are filled: one thread of every core first, siblings after. */
export interface PacketCpus {
  readonly cpus: readonly number[];
  readonly because: string;
}

/**
 * The profile's reserved CPUs where it names some (those of the NIC's node before others), else the CPUs of the NIC's
 * node, else all. Isolated CPUs are left out: whoever isolated them wants no interrupts there.
 */
export function packetCpus(nic: NicFacts, facts: HostFacts, profile: HostProfile): PacketCpus {
  const online = numbers(facts.cpu.onlineCpus);
  const node = facts.numa.nodes.find((candidate) => candidate.id === nic.node);
  const local = node === undefined ? online : both(online, numbers(node.cpus));
  const reserved = both(online, numbers(profile.cpu.reserved ?? ""));
  if (reserved.length > 0) {
    const localReserved = both(reserved, local);
    return localReserved.length > 0
      ? { cpus: coresFirst(localReserved, facts), because: `the reserved CPUs of ${placeOf(nic)}` }
      : { cpus: coresFirst(reserved, facts), because: "the reserved CPUs" };
  }
  const isolated = new Set(numbers(facts.cpu.isolatedCpus));
  const free = local.filter((cpu) => !isolated.has(cpu));
  if (free.length > 0) return { cpus: coresFirst(free, facts), because: `the CPUs of ${placeOf(nic)}` };
  const elsewhere = online.filter((cpu) => !isolated.has(cpu));
  return {
    cpus: coresFirst(elsewhere.length > 0 ? elsewhere : online, facts),
    because: `all CPUs, as ${placeOf(nic)} has none that are free`,
  };
}

function placeOf(nic: NicFacts): string {
  return nic.node === null ? "the host (the NIC names no node)" : `node ${nic.node}, the NIC's`;
}

function numbers(list: string): number[] {
  return parseKernelList(list) ?? [];
}

function both(ids: readonly number[], others: readonly number[]): number[] {
  const wanted = new Set(others);
  return ids.filter((id) => wanted.has(id));
}

/** Threads of a core in their order, for every CPU: worked out once for a host, as it takes a pass over all of them. */
const threadsOf = new WeakMap<HostFacts, ReadonlyMap<number, number>>();

function coresFirst(cpus: readonly number[], facts: HostFacts): number[] {
  const thread =
    threadsOf.get(facts) ??
    new Map(facts.cpu.cpus.map(({ id, siblings }) => [id, numbers(siblings).indexOf(id)]));
  threadsOf.set(facts, thread);
  return cpus.toSorted((a, b) => (thread.get(a) ?? 0) - (thread.get(b) ?? 0) || a - b);
}
