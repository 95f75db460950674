import { parseKernelList } from "../sys/kernel-list.ts";

/**
 * Parses a CPU list as the kernel's command line takes it: besides numbers and ranges also "all", "N" for the last CPU and
 * "0-31:2/8", which is the first 2 of every 8.
 *
 * @returns `undefined` when it is none
 * @see https://docs.kernel.org/admin-guide/kernel-parameters.html#cpu-lists
 */
export function parseCpuList(text: string, lastCpu: number): number[] | undefined {
  const ids = new Set<number>();
  for (const part of text.split(",")) {
    const named = part === "all" ? "0-N" : part;
    const [, range, used, group] = /^([\dN]+(?:-[\dN]+)?)(?::(\d+)\/(\d+))?$/.exec(named) ?? [];
    const cpus = range === undefined ? undefined : parseKernelList(range.replaceAll("N", String(lastCpu)));
    if (cpus === undefined || (group !== undefined && Number(group) < 1)) return undefined;
    for (const [index, cpu] of cpus.entries()) {
      if (group === undefined || index % Number(group) < Number(used)) ids.add(cpu);
    }
  }
  return [...ids].toSorted((a, b) => a - b);
}
