import type { HostFacts } from "../facts/host-facts.ts";
import { podSysctls } from "../namespaces/pod-sysctls.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { formatKernelList, parseKernelList } from "../sys/kernel-list.ts";
import type { KubeletConfig } from "./kubelet-config.ts";

/** One core in so many is kept for the kernel, interrupts, the kubelet and its runtime; perftune.py's proportion. */
const CORES_PER_RESERVED = 16;

/** EKS' sum for the kubelet and the runtime: 255 MiB and 11 MiB for each pod. */
const KUBE_BASE_MIB = 255;
const KUBE_MIB_PER_POD = 11;

/** Pods that a node is made for: Kubernetes' own limit, and that of EKS from 30 CPUs on. */
const PODS = { small: 110, large: 250, largeFromCpus: 30 } as const;

/** Daemons beside the kubelet, the kernel's growing tables: 1/64 of memory within these. Our choice. */
const SYSTEM_SHARE = 1 / 64;
const SYSTEM_LEAST_MIB = 256;
const SYSTEM_MOST_MIB = 4096;

/** The kubelet's own default; all of its defaults are named, as naming one takes the others away. */
const EVICTION_MIB = 100;

/** A node that keeps less than this for pods is too small to be partitioned. */
const LEAST_PODS_SHARE = 1 / 2;

/** The topology manager refuses to start on a host with more. */
const MOST_NUMA_NODES = 8;

/** Below this the hand-over says nothing about what is safe: names that are safe in newer ones do no harm in the list. */
const OLDEST_KUBERNETES_MINOR = 27;

const MIB = 1024 * 1024;

export type HandOver =
  | { readonly kind: "config"; readonly config: KubeletConfig; readonly because: string }
  | { readonly kind: "none"; readonly because: string };

/**
 * Pure. What the kubelet should be told of this host: which CPUs and how much memory of which NUMA node are not for
 * pods, and that pods with whole CPUs get them for themselves. The sums are such that the kubelet starts with them:
 * reservedMemory equals kubeReserved, systemReserved and evictionHard together.
 *
 * @example 8 cores of 2 threads on 2 nodes, 64 GiB: one core reserved ("0-1"), 1465 + 1024 + 100 MiB kept, half of it of each node
 */
export function kubeletHandOver(facts: HostFacts, profile: HostProfile): HandOver {
  const reserved = reservedCpus(facts, profile);
  const online = parseKernelList(facts.cpu.onlineCpus) ?? [];
  if (reserved.cpus.length === 0 || reserved.cpus.length > online.length / 2)
    return {
      kind: "none",
      because: `${reserved.because}: too few of ${online.length} CPUs would be left to hand out`,
    };
  const kubeMiB =
    KUBE_BASE_MIB + KUBE_MIB_PER_POD * (online.length < PODS.largeFromCpus ? PODS.small : PODS.large);
  const totalMiB = Math.floor(facts.memory.totalBytes / MIB);
  const systemMiB = Math.min(
    SYSTEM_MOST_MIB,
    Math.max(SYSTEM_LEAST_MIB, Math.floor(totalMiB * SYSTEM_SHARE)),
  );
  const sumMiB = kubeMiB + systemMiB + EVICTION_MIB;
  if (sumMiB > totalMiB * (1 - LEAST_PODS_SHARE))
    return {
      kind: "none",
      because: `${sumMiB} MiB of reservations are over half of this host's ${totalMiB} MiB`,
    };

  const nodes = facts.numa.nodes.filter((node) => node.memoryBytes > 0);
  const topology =
    facts.numa.nodes.length > MOST_NUMA_NODES ? "none" : profile.kubernetes.topologyManagerPolicy;
  const isStrict = topology === "restricted" || topology === "single-numa-node";
  const memory = isStrict && nodes.length > 1 ? shareOut(sumMiB, nodes) : undefined;
  const unsafe = podSysctls(facts, profile, OLDEST_KUBERNETES_MINOR).unsafe.map(({ name }) => name);
  const config: KubeletConfig = {
    reservedSystemCPUs: formatKernelList(reserved.cpus),
    cpuManagerPolicy: "static",
    ...(facts.cpu.threadsPerCore > 1
      ? { cpuManagerPolicyOptions: { "full-pcpus-only": "true" as const } }
      : {}),
    topologyManagerPolicy: topology,
    memoryManagerPolicy: memory === undefined ? "None" : "Static",
    // nodeadm names both, and the kubelet refuses to start with them and reserved CPUs together (amazon-eks-ami#2794).
    kubeReservedCgroup: "",
    systemReservedCgroup: "",
    kubeReserved: { memory: `${kubeMiB}Mi` },
    systemReserved: { memory: `${systemMiB}Mi` },
    evictionHard: {
      "memory.available": `${EVICTION_MIB}Mi`,
      "nodefs.available": "10%",
      "nodefs.inodesFree": "5%",
      "imagefs.available": "15%",
    },
    ...(memory === undefined ? {} : { reservedMemory: memory }),
    ...(unsafe.length === 0 ? {} : { allowedUnsafeSysctls: unsafe }),
  };
  const limit =
    topology === profile.kubernetes.topologyManagerPolicy
      ? ""
      : "; the topology manager takes 8 NUMA nodes at most";
  return {
    kind: "config",
    config,
    because: `${reserved.because}; ${sumMiB} of ${totalMiB} MiB kept from pods (${kubeMiB} kubelet and runtime, ${systemMiB} system, ${EVICTION_MIB} eviction)${limit}`,
  };
}

/**
 * CPUs that pods never get: those that the profile reserves, else whole cores, one in 16, taken from the nodes by turns,
 * lowest first (interrupts start on CPU 0).
 */
function reservedCpus(
  facts: HostFacts,
  profile: HostProfile,
): { readonly cpus: readonly number[]; readonly because: string } {
  const online = new Set(parseKernelList(facts.cpu.onlineCpus) ?? []);
  const named = parseKernelList(profile.cpu.reserved ?? "") ?? [];
  if (named.length > 0) {
    const cpus = named.filter((cpu) => online.has(cpu));
    return { cpus, because: `the profile reserves CPUs ${formatKernelList(named)}` };
  }
  const cores = coresByTurns(facts, online);
  const count = Math.ceil(cores.length / CORES_PER_RESERVED);
  const cpus = cores
    .slice(0, count)
    .flat()
    .toSorted((a, b) => a - b);
  return { cpus, because: `${count} of ${cores.length} cores reserved, one in ${CORES_PER_RESERVED}` };
}

/** Whole cores, as lists of their online CPUs: the first of each node, then the second of each, and so on. */
function coresByTurns(facts: HostFacts, online: ReadonlySet<number>): readonly (readonly number[])[] {
  const cores = new Map<string, { node: number; cpus: number[] }>();
  for (const { id, node, siblings } of facts.cpu.cpus) {
    if (!online.has(id)) continue;
    const known = cores.get(siblings);
    if (known === undefined) cores.set(siblings, { node, cpus: [id] });
    else known.cpus.push(id);
  }
  const turns = new Map<number, number>();
  return [...cores.values()]
    .toSorted((a, b) => Math.min(...a.cpus) - Math.min(...b.cpus))
    .map((core) => {
      const turn = turns.get(core.node) ?? 0;
      turns.set(core.node, turn + 1);
      return { ...core, turn };
    })
    .toSorted((a, b) => a.turn - b.turn || a.node - b.node)
    .map(({ cpus }) => cpus);
}

/** Shares MiB out to nodes by their memory; what does not divide goes to the first, so that the sum is exact. */
function shareOut(
  sumMiB: number,
  nodes: HostFacts["numa"]["nodes"],
): NonNullable<KubeletConfig["reservedMemory"]> {
  const total = nodes.reduce((sum, node) => sum + node.memoryBytes, 0);
  const shares = nodes.map((node) => Math.floor((sumMiB * node.memoryBytes) / total));
  const rest = sumMiB - shares.reduce((sum, share) => sum + share, 0);
  return nodes.map(({ id }, index) => ({
    numaNode: id,
    limits: { memory: `${(shares[index] ?? 0) + (index === 0 ? rest : 0)}Mi` },
  }));
}
