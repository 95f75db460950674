import { readEnabledLink } from "./enabled-units.ts";
import type { FactReader } from "./fact-reader.ts";
import type { OwnershipFacts } from "./host-facts.ts";
import { canonicalSysctlKey } from "./sysctl-d.ts";
import { parseSections } from "./tuned-profile.ts";

/**
 * Sysctls that bpftune moves while it runs.
 *
 * @see https://github.com/oracle/bpftune/tree/main/docs
 */
const BPFTUNE_SYSCTLS = [
  "net.core.netdev_budget",
  "net.core.netdev_budget_usecs",
  "net.core.netdev_max_backlog",
  "net.core.flow_limit_cpu_bitmap",
  "net.ipv4.ipfrag_high_thresh",
  "net.ipv4.tcp_max_orphans",
  "net.ipv4.tcp_max_syn_backlog",
  "net.ipv4.tcp_mem",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
  "net.ipv4.udp_mem",
] as const;

async function readBpftune(reader: FactReader): Promise<OwnershipFacts[]> {
  const source = await readEnabledLink(reader, "bpftune.service");
  if (source === undefined) return [];
  return BPFTUNE_SYSCTLS.map((key) => ({ owner: "bpftune", key, source, value: null, hold: "always" }));
}

/** Values that Redpanda's tuner raises to at least, from rpk's own checkers. */
const REDPANDA_SYSCTLS: readonly (readonly [key: string, value: string])[] = [
  ["net.core.somaxconn", ">4096"],
  ["net.ipv4.tcp_max_syn_backlog", ">4096"],
  ["fs.aio-max-nr", ">1048576"],
  ["vm.swappiness", "1"],
];

async function readRedpanda(reader: FactReader): Promise<OwnershipFacts[]> {
  const source = await readEnabledLink(reader, "redpanda-tuner.service");
  if (source === undefined) return [];
  return REDPANDA_SYSCTLS.map(([key, value]) => ({
    owner: "redpanda-tuner",
    key,
    source,
    value,
    hold: "start",
  }));
}

const SAPTUNE_CONFIG = "/etc/sysconfig/saptune";

/** Where a note may lie, the first found counts. A file in the override folder changes single values of a note. */
const SAPTUNE_NOTES = ["/etc/saptune/extra", "/var/lib/saptune/working/notes", "/usr/share/saptune/notes"];
const SAPTUNE_OVERRIDES = "/etc/saptune/override";

/** A note's id goes into a path. */
function isNoteName(name: string): boolean {
  return /^[\w.-]{1,100}$/.test(name) && !/^\.+$/.test(name);
}

/**
 * The sysctls of the notes that saptune applies when it starts, the last note's value in force; empty values are only
 * watched by saptune, and set nothing.
 */
async function readSaptune(reader: FactReader): Promise<OwnershipFacts[]> {
  if ((await readEnabledLink(reader, "saptune.service")) === undefined) return [];
  const config = (await reader.text(SAPTUNE_CONFIG)) ?? "";
  const order = /^NOTE_APPLY_ORDER="?([^"\n]*)"?/m.exec(config)?.[1] ?? "";
  const claims = new Map<string, OwnershipFacts>();
  for (const note of order.split(/\s+/).filter((name) => isNoteName(name))) {
    for (const { path, text } of await readNote(reader, note)) {
      for (const [name, value] of parseSections(text).get("sysctl") ?? []) {
        const key = canonicalSysctlKey(name);
        if (value === "") claims.delete(key);
        else claims.set(key, { owner: "saptune", key, source: path, value, hold: "start" });
      }
    }
  }
  return [...claims.values()];
}

async function readNote(reader: FactReader, note: string): Promise<{ path: string; text: string }[]> {
  const found: { path: string; text: string }[] = [];
  for (const path of SAPTUNE_NOTES.flatMap((folder) => [`${folder}/${note}`, `${folder}/${note}.conf`])) {
    const text = found.length === 0 ? await reader.text(path) : undefined;
    if (text !== undefined) found.push({ path, text });
  }
  const path = `${SAPTUNE_OVERRIDES}/${note}`;
  const text = await reader.text(path);
  return text === undefined ? found : [...found, { path, text }];
}

/** What other tuners that are enabled on this host set: saptune, bpftune, Redpanda's. */
export async function readOtherTuners(reader: FactReader): Promise<OwnershipFacts[]> {
  return (await Promise.all([readSaptune(reader), readBpftune(reader), readRedpanda(reader)])).flat();
}
