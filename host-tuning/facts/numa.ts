import { formatKernelList } from "../sys/kernel-list.ts";
import { type FactReader, parseInteger, quote } from "./fact-reader.ts";
import type { HostFacts } from "./host-facts.ts";
import { parseHugepageDirectory, parseMemInfo } from "./memory.ts";

const NODE_DIRECTORY = "/sys/devices/system/node";

type Hugepages = HostFacts["numa"]["nodes"][number]["hugepages"];

export interface NodeReading {
  readonly id: number;
  /** As the kernel lists them; old kernels name offline CPUs too. */
  readonly cpus: readonly number[];
  readonly memoryBytes: number | undefined;
  readonly distances: readonly number[];
  readonly hugepages: Hugepages;
}

/** Parses `distance`: "10 21 31", one figure for each node, 10 is local. */
export function parseDistances(text: string): number[] | undefined {
  const values = text
    .trim()
    .split(/\s+/)
    .map((part) => parseInteger(part) ?? -1);
  return values.every((value) => value >= 0) ? values : undefined;
}

/** Pages reserved of each size below `directory` (a node's, or the whole host's). */
export async function readHugepages(reader: FactReader, directory: string): Promise<Hugepages> {
  const pools = (await reader.entries(directory)).flatMap((name) => {
    const sizeKiB = parseHugepageDirectory(name);
    return sizeKiB === undefined ? [] : [{ name, sizeKiB }];
  });
  const totals = await Promise.all(
    pools.map(({ name }) => reader.count(`${directory}/${name}/nr_hugepages`)),
  );
  return pools
    .flatMap(({ sizeKiB }, index) => {
      const total = totals[index];
      return total === undefined ? [] : [{ sizeKiB, total }];
    })
    .toSorted((a, b) => a.sizeKiB - b.sizeKiB);
}

async function readNode(reader: FactReader, id: number): Promise<NodeReading> {
  const directory = `${NODE_DIRECTORY}/node${id}`;
  const [cpus, memInfo, distanceText, hugepages] = await Promise.all([
    reader.listOrMask(`${directory}/cpulist`, `${directory}/cpumap`),
    reader.text(`${directory}/meminfo`),
    reader.line(`${directory}/distance`),
    readHugepages(reader, `${directory}/hugepages`),
  ]);
  const distances = distanceText === undefined ? [] : parseDistances(distanceText);
  if (distances === undefined) {
    reader.note(`${directory}/distance`, `Not a row of distances: ${quote(distanceText ?? "")}`);
  }
  const totalKiB = parseMemInfo(memInfo ?? "").get("MemTotal");
  if (totalKiB === undefined) reader.note(`${directory}/meminfo`, "Names no MemTotal: counted as 0");
  return {
    id,
    cpus: cpus ?? [],
    memoryBytes: totalKiB === undefined ? undefined : totalKiB * 1024,
    distances: distances ?? [],
    hugepages,
  };
}

/**
 * Reads the NUMA nodes of a host; empty where the kernel knows none. Ids may have gaps (0, 1, 2, 33) and a node may
 * have memory and no CPU, or CPUs and no memory.
 *
 * @see https://docs.kernel.org/admin-guide/mm/numaperf.html
 * @see https://www.kernel.org/doc/Documentation/ABI/stable/sysfs-devices-node
 */
export async function readNumaNodes(reader: FactReader): Promise<NodeReading[]> {
  const ids = (await reader.entries(NODE_DIRECTORY))
    .flatMap((name) => parseInteger(/^node(\d{1,5})$/.exec(name)?.[1] ?? "") ?? [])
    .toSorted((a, b) => a - b);
  return Promise.all(ids.map((id) => readNode(reader, id)));
}

/** The one node of a host whose kernel knows no NUMA: everything is local. */
export async function readSoleNode(
  reader: FactReader,
  online: readonly number[],
  totalBytes: number | undefined,
): Promise<NodeReading> {
  const hugepages = await readHugepages(reader, "/sys/kernel/mm/hugepages");
  return { id: 0, cpus: online, memoryBytes: totalBytes, distances: [10], hugepages };
}

/** The `numa` part of the facts: only CPUs that are online. Pure. */
export function numaFacts(nodes: readonly NodeReading[], online: readonly number[]): HostFacts["numa"] {
  const isOnline = new Set(online);
  return {
    nodes: nodes.map((node) => ({
      id: node.id,
      cpus: formatKernelList(node.cpus.filter((cpu) => isOnline.has(cpu))),
      memoryBytes: node.memoryBytes ?? 0,
      distances: [...node.distances],
      hugepages: node.hugepages,
    })),
  };
}

/**
 * Node of each online CPU; -1 for one that no node lists, which is told and never guessed.
 */
export function nodesByCpu(
  reader: FactReader,
  nodes: readonly NodeReading[],
  online: readonly number[],
): (cpu: number) => number {
  const byCpu = new Map(nodes.flatMap((node) => node.cpus.map((cpu) => [cpu, node.id] as const)));
  const homeless = online.filter((cpu) => !byCpu.has(cpu));
  if (homeless.length > 0) {
    reader.note(NODE_DIRECTORY, `No node lists CPU ${formatKernelList(homeless)}: its node is -1`);
  }
  return (cpu) => byCpu.get(cpu) ?? -1;
}
