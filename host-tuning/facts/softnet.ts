import type { FactReader } from "./fact-reader.ts";
import type { HostFacts } from "./host-facts.ts";

/**
 * Sums /proc/net/softnet_stat over its CPUs: one line each, hexadecimal columns; the first three are packets processed,
 * packets dropped because the CPU's backlog was full, and runs of the receive softirq that ended with work left.
 *
 * @returns `undefined` when the text is something else
 * @see https://github.com/torvalds/linux/blob/v6.12/net/core/net-procfs.c
 */
export function parseSoftnet(text: string): NonNullable<HostFacts["softnet"]> | undefined {
  const rows = text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).slice(0, 3));
  if (!rows.every((row) => row.length === 3 && row.every((word) => /^[0-9a-f]{8}$/.test(word))))
    return undefined;
  const sum = (column: number): number =>
    rows.reduce((total, row) => total + Number.parseInt(row[column] ?? "", 16), 0);
  return { processed: sum(0), dropped: sum(1), timeSqueezed: sum(2) };
}

/** How the kernel has coped with received packets since boot; null where it does not say. */
export async function readSoftnet(reader: FactReader): Promise<HostFacts["softnet"]> {
  const path = "/proc/net/softnet_stat";
  const text = await reader.text(path);
  if (text === undefined) return null;
  const softnet = parseSoftnet(text);
  if (softnet === undefined) reader.note(path, "Not rows of hexadecimal counters");
  return softnet ?? null;
}
