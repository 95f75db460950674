import { type FactReader, parseInteger } from "./fact-reader.ts";
import type { HostFacts } from "./host-facts.ts";

const HUGEPAGES_DIRECTORY = "/sys/kernel/mm/hugepages";

export interface MemoryReading {
  /** `undefined` where /proc/meminfo is absent: then the NUMA nodes say it. */
  readonly totalBytes: number | undefined;
  readonly swapTotalBytes: number;
  /** The default huge page, the size a plain MAP_HUGETLB gives. */
  readonly defaultHugepageKiB: number | undefined;
  readonly hugepageSizesKiB: readonly number[];
}

/** More than any machine has (4 EiB): a larger figure is a broken file. */
const MAX_KIB = 2 ** 52;

/**
 * Parses /proc/meminfo, or the meminfo of a NUMA node (`Node 0 MemTotal: 123 kB`), to KiB by name. Lines without "kB"
 * are counts (HugePages_Total) and come as they are.
 */
export function parseMemInfo(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^(?:Node\s+\d+\s+)?([\w()]+):\s*(\d+)(?:\s*kB)?\s*$/.exec(line);
    const value = parseInteger(match?.[2] ?? "");
    if (match?.[1] !== undefined && value !== undefined && value <= MAX_KIB) values.set(match[1], value);
  }
  return values;
}

/** Size of `hugepages-2048kB` in KiB. */
export function parseHugepageDirectory(name: string): number | undefined {
  return parseInteger(/^hugepages-(\d{1,12})kB$/.exec(name)?.[1] ?? "");
}

/**
 * Reads the memory of the whole host from /proc/meminfo and the huge page sizes from /sys/kernel/mm/hugepages.
 *
 * @see https://docs.kernel.org/filesystems/proc.html#meminfo
 * @see https://docs.kernel.org/admin-guide/mm/hugetlbpage.html
 */
export async function readMemory(reader: FactReader): Promise<MemoryReading> {
  const [text, directories] = await Promise.all([
    reader.text("/proc/meminfo"),
    reader.entries(HUGEPAGES_DIRECTORY),
  ]);
  const values = parseMemInfo(text ?? "");
  const totalKiB = values.get("MemTotal");
  if (text !== undefined && totalKiB === undefined) reader.note("/proc/meminfo", "Names no MemTotal");
  return {
    totalBytes: totalKiB === undefined ? undefined : totalKiB * 1024,
    swapTotalBytes: (values.get("SwapTotal") ?? 0) * 1024,
    defaultHugepageKiB: values.get("Hugepagesize"),
    hugepageSizesKiB: directories
      .flatMap((name) => parseHugepageDirectory(name) ?? [])
      .toSorted((a, b) => a - b),
  };
}

/** The `memory` part of the facts; without /proc/meminfo the total is the sum of the nodes. Pure. */
export function memoryFacts(
  reading: MemoryReading,
  nodes: readonly { readonly memoryBytes: number | undefined }[],
): HostFacts["memory"] {
  return {
    totalBytes: reading.totalBytes ?? nodes.reduce((sum, node) => sum + (node.memoryBytes ?? 0), 0),
    swapTotalBytes: reading.swapTotalBytes,
    hugepageSizesKiB: [...reading.hugepageSizesKiB],
  };
}
