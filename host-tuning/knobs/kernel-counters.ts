import type { Host } from "../sys/host.ts";
import type { Knob } from "./knob.ts";

/** Where the kernel counts; each file has its own form, all come out as numbers by name. */
type CounterFile = "/proc/net/netstat" | "/proc/net/snmp" | "/proc/net/sockstat" | "/proc/vmstat";

type Evidence = NonNullable<Knob<number>["evidence"]>;

/**
 * Evidence from counters of one kernel file. Counters of /proc/net are those of the network namespace that is asked
 * from, the host's; they count since boot, and so say that something happened and not when.
 *
 * @param names as the file has them; those of netstat, snmp and sockstat with their line's name: `TcpExt.ListenOverflows`
 * @example counted("/proc/net/netstat", ["TcpExt.ListenOverflows"]) gives "TcpExt.ListenOverflows 12 (/proc/net/netstat)"
 */
export function counted(path: CounterFile, names: readonly string[]): Evidence {
  return async (host) => {
    const counters = await readCounters(host, path);
    const found = names.flatMap((name) => {
      const value = counters.get(name);
      return value === undefined ? [] : [`${name} ${value}`];
    });
    return found.length === 0 ? undefined : `${found.join(", ")} (${path})`;
  };
}

/** Several pieces of evidence as one; those that this host does not have are left out. */
export function allEvidence(...parts: readonly Evidence[]): Evidence {
  return async (host, target) => {
    const texts = await Promise.all(parts.map((part) => part(host, target)));
    const found = texts.filter((text) => text !== undefined);
    return found.length === 0 ? undefined : found.join("; ");
  };
}

/** The first numbers of kernel files, each with a word: "allocated 1312 (/proc/sys/fs/file-nr)". */
export function firstNumbers(files: Readonly<Record<string, string>>): Evidence {
  return async (host) => {
    const found = await Promise.all(
      Object.entries(files).map(async ([word, path]) => {
        const number = /^\d+/.exec((await host.readText(path))?.trim() ?? "")?.[0];
        return number === undefined ? undefined : `${word} ${number} (${path})`;
      }),
    );
    const texts = found.filter((text) => text !== undefined);
    return texts.length === 0 ? undefined : texts.join(", ");
  };
}

/**
 * Sums of columns of a /proc/net/stat file, which has a line of names and then one line of hexadecimal numbers for each
 * CPU. `entries` is the same table's size on every line, so it is not summed.
 */
export function countedPerCpu(path: string, names: readonly string[]): Evidence {
  return async (host) => {
    const text = await host.readText(path);
    if (text === undefined) return undefined;
    const counters = parsePerCpu(text);
    const found = names.flatMap((name) => {
      const value = counters.get(name);
      return value === undefined ? [] : [`${name} ${value}`];
    });
    return found.length === 0 ? undefined : `${found.join(", ")} (${path})`;
  };
}

export async function readCounters(host: Host, path: CounterFile): Promise<ReadonlyMap<string, number>> {
  const text = (await host.readText(path)) ?? "";
  if (path === "/proc/vmstat") return parseVmstat(text);
  return path === "/proc/net/sockstat" ? parseSockstat(text) : parsePairedLines(text);
}

/** `nr_free_pages 123`, one a line. */
function parseVmstat(text: string): ReadonlyMap<string, number> {
  const counters = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [name, value, ...rest] = line.trim().split(/\s+/);
    if (name !== undefined && rest.length === 0) keep(counters, name, value, 10);
  }
  return counters;
}

/** `TCP: inuse 5 orphan 0 tw 3 alloc 8 mem 2`: name and number by turns. */
function parseSockstat(text: string): ReadonlyMap<string, number> {
  const counters = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [label = "", ...words] = line.trim().split(/\s+/);
    for (let index = 0; index + 1 < words.length; index += 2)
      keep(counters, `${label.replace(":", "")}.${words[index]}`, words[index + 1], 10);
  }
  return counters;
}

/** netstat and snmp: a line of names and below it a line of numbers, both beginning with the same word. */
function parsePairedLines(text: string): ReadonlyMap<string, number> {
  const counters = new Map<string, number>();
  let names: readonly string[] = [];
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
    if (words[0] !== names[0]) {
      names = words;
      continue;
    }
    const label = words[0]?.replace(":", "");
    for (const [index, name] of names.entries())
      if (index > 0) keep(counters, `${label}.${name}`, words[index], 10);
    names = [];
  }
  return counters;
}

function parsePerCpu(text: string): ReadonlyMap<string, number> {
  const [head = "", ...rows] = text.trim().split("\n");
  const names = head.trim().split(/\s+/);
  const sums = new Map<string, number>();
  for (const row of rows) {
    const line = new Map<string, number>();
    for (const [index, word] of row.trim().split(/\s+/).entries()) keep(line, names[index] ?? "", word, 16);
    for (const [name, value] of line)
      sums.set(name, name === "entries" ? value : (sums.get(name) ?? 0) + value);
  }
  return sums;
}

function keep(counters: Map<string, number>, name: string, word: string | undefined, radix: 10 | 16): void {
  const pattern = radix === 10 ? /^-?\d+$/ : /^[0-9a-f]+$/i;
  if (name !== "" && word !== undefined && pattern.test(word))
    counters.set(name, Number.parseInt(word, radix));
}
