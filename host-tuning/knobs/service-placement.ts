import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { formatKernelList, parseKernelList } from "../sys/kernel-list.ts";
import { isolateAtBoot } from "./boot-isolation.ts";
import { serviceNic } from "./socket-buffer.ts";

/** Share of a node's memory that a service may fill and still leave room for the kernel. Our choice. */
const NODE_MEMORY_SHARE = 0.9;

/** Where the service runs: on one NUMA node, on a part of the CPUs, or wherever the scheduler likes. */
export type Placement =
  | {
      readonly kind: "bound";
      readonly node: number;
      readonly cpus: readonly number[];
      /** The service's memory is known and fits, so that memory may be bound too and not only preferred. */
      readonly fitsInMemory: boolean;
      readonly because: string;
    }
  | { readonly kind: "narrowed"; readonly cpus: readonly number[]; readonly because: string }
  | { readonly kind: "everywhere"; readonly because: string };

type NodeChoice = { readonly node: number; readonly because: string } | { readonly because: string };

/**
 * Decides where the service runs: on the node of its network card where the profile says "auto", on the node that it
 * names, and never on CPUs that are reserved or isolated.
 *
 * @example 2 nodes, NIC on node 1 (CPUs 8-15), CPU 8 reserved: bound to node 1, CPUs 9-15
 */
export function placeService(facts: HostFacts, profile: HostProfile): Placement {
  if (profile.service.runtime !== "systemd")
    return { kind: "everywhere", because: "Kubernetes places the pods (CPU and topology manager)" };
  const kept = keptCpus(facts, profile);
  const free = (parseKernelList(facts.cpu.onlineCpus) ?? []).filter((cpu) => !kept.has(cpu));
  const choice = chooseNode(facts, profile);
  if ("node" in choice) {
    const node = facts.numa.nodes.find((candidate) => candidate.id === choice.node);
    const own = new Set(parseKernelList(node?.cpus ?? ""));
    const cpus = free.filter((cpu) => own.has(cpu));
    if (node !== undefined && cpus.length > 0) {
      const { memoryBytes } = profile.service;
      const fitsInMemory = memoryBytes !== undefined && memoryBytes <= node.memoryBytes * NODE_MEMORY_SHARE;
      return { kind: "bound", node: node.id, cpus, fitsInMemory, because: choice.because };
    }
    return narrow(free, kept, `node ${choice.node} has no CPU left (${choice.because})`);
  }
  return narrow(free, kept, choice.because);
}

/**
 * CPUs that are not the service's: reserved for the kernel and interrupts, or isolated by a boot argument of somebody
 * else's. Those that the profile has isolated at boot are the service's own.
 */
function keptCpus(facts: HostFacts, profile: HostProfile): ReadonlySet<number> {
  const boot = isolateAtBoot(facts, profile);
  if (boot.kind === "isolate") return new Set(parseKernelList(boot.housekeeping));
  const reserved = parseKernelList(profile.cpu.reserved ?? "") ?? [];
  const isolated = parseKernelList(facts.cpu.isolatedCpus) ?? [];
  return new Set([...reserved, ...isolated]);
}

function narrow(free: readonly number[], kept: ReadonlySet<number>, because: string): Placement {
  if (kept.size === 0) return { kind: "everywhere", because };
  if (free.length === 0)
    return { kind: "everywhere", because: `every CPU is reserved or isolated; ${because}` };
  const list = formatKernelList(kept);
  return { kind: "narrowed", cpus: free, because: `CPUs ${list} are reserved or isolated; ${because}` };
}

function chooseNode(facts: HostFacts, profile: HostProfile): NodeChoice {
  const { numaNode, memoryBytes } = profile.service;
  const nodes = facts.numa.nodes.filter((node) => node.cpus !== "");
  if (numaNode === "none") return { because: "the profile binds the service to no node" };
  if (nodes.length < 2) return { because: "this host has one NUMA node" };
  if (numaNode !== "auto") {
    return nodes.some((node) => node.id === numaNode)
      ? { node: numaNode, because: `the profile names node ${numaNode}` }
      : { because: `the profile names node ${numaNode}, and this host has no CPUs on it` };
  }
  if (profile.preset === "throughput")
    return { because: `preset throughput: a worker on every CPU of all ${nodes.length} nodes` };
  const nic = serviceNic(facts);
  const node = nodes.find((candidate) => candidate.id === nic?.node);
  if (nic === undefined || node === undefined)
    return { because: `${nic?.name ?? "no network interface"} names no node to be near` };
  const largest = Math.floor(node.memoryBytes * NODE_MEMORY_SHARE);
  if (memoryBytes !== undefined && memoryBytes > largest)
    return {
      because: `the service's ${memoryBytes} bytes do not fit node ${node.id}, which has room for ${largest}`,
    };
  if (node.memoryBytes === 0) return { because: `node ${node.id} of ${nic.name} has no memory` };
  return { node: node.id, because: `${nic.name} is on node ${node.id}` };
}
