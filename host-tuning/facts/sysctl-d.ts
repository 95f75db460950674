import { readInitSystem } from "./distribution.ts";
import type { FactReader } from "./fact-reader.ts";

/** Folders of sysctl.d in systemd's order: a file in an earlier one hides the file of the same name in a later one. */
const DIRECTORIES = [
  "/etc/sysctl.d",
  "/run/sysctl.d",
  "/usr/local/lib/sysctl.d",
  "/usr/lib/sysctl.d",
] as const;

/** One line of a sysctl.d file. */
export interface SysctlLine {
  /** Canonical: dots between the parts, and a slash for a dot within one (net.ipv4.conf.eth0/100.forwarding). */
  readonly key: string;
  /** `undefined` for `-key` alone, which takes a key out of the reach of globs. */
  readonly value: string | undefined;
}

/** A value that a file sets at boot. */
export interface SysctlSetting {
  readonly key: string;
  readonly value: string;
  readonly source: string;
}

/**
 * The one spelling of a sysctl key. Both `net/ipv4/ip_forward` and `net.ipv4.ip_forward` are taken; the first separator
 * decides which of the two characters separates, as in systemd and procps. Two spellings that look like two keys have
 * undone a user's setting elsewhere.
 */
export function canonicalSysctlKey(key: string): string {
  const first = /[./]/.exec(key)?.[0];
  if (first !== "/") return key;
  return key.replaceAll(/[./]/g, (separator) => (separator === "/" ? "." : "/"));
}

/**
 * Parses a sysctl.d file: `key = value`, `-key = value` (errors are ignored), `-key` (exempt from globs); `#` and `;`
 * begin a comment line.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/sysctl.d.html
 */
export function parseSysctlFile(text: string): { lines: SysctlLine[]; misunderstood: string[] } {
  const lines: SysctlLine[] = [];
  const misunderstood: string[] = [];
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const match = /^(-?)([^\s=]+)\s*(?:=\s*(.*))?$/.exec(line);
    const key = match?.[2];
    if (key === undefined || (match?.[3] === undefined && match?.[1] !== "-") || !isKey(key)) {
      misunderstood.push(line);
      continue;
    }
    lines.push({ key: canonicalSysctlKey(key), value: match[3] });
  }
  return { lines, misunderstood };
}

function isKey(key: string): boolean {
  return /^[\w./*?[\]!@:-]+$/.test(key) && !key.split(/[./]/).includes("");
}

/** More wildcards than this in one part of a key mean nothing and cost a regular expression dearly. Our choice. */
const MAX_WILDCARDS = 4;

function isGlob(key: string): boolean {
  return /[*?[]/.test(key);
}

/** The files in force by name: the first folder that has a name wins, and names sort across folders. */
async function readFileNames(reader: FactReader): Promise<string[]> {
  const [initSystem, ...listings] = await Promise.all([
    readInitSystem(reader),
    ...DIRECTORIES.map((directory) => reader.entries(directory)),
  ]);
  const byName = new Map<string, string>();
  for (const [index, names] of listings.entries()) {
    for (const name of names.filter((name) => name.endsWith(".conf"))) {
      if (!byName.has(name)) byName.set(name, `${DIRECTORIES[index]}/${name}`);
    }
  }
  const paths = [...byName.keys()].toSorted().flatMap((name) => byName.get(name) ?? []);
  return initSystem === "systemd" ? paths : [...paths, "/etc/sysctl.conf"];
}

async function readFile(reader: FactReader, path: string): Promise<readonly SysctlLine[]> {
  // A link to /dev/null, which hides the vendor's file of that name, is read like any: it sets nothing.
  const text = await reader.text(path);
  if (text === undefined) return [];
  const { lines, misunderstood } = parseSysctlFile(text);
  if (misunderstood.length > 0) {
    reader.note(path, `${misunderstood.length} lines are no sysctl setting`);
  }
  return lines;
}

/** One part of a glob as a regular expression; `undefined`, and so no match, for what is none. */
function partPattern(part: string): RegExp | undefined {
  if ((part.match(/\*/g) ?? []).length > MAX_WILDCARDS) return undefined;
  const source = part
    .replaceAll(/[.+^${}()|\\]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".")
    .replaceAll("[!", "[^");
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return undefined;
  }
}

/** Keys of this host that a glob reaches, found by walking /proc/sys part by part. */
async function expandGlob(reader: FactReader, key: string): Promise<string[]> {
  let found = [""];
  for (const part of key.split(".").map((part) => part.replaceAll("/", "."))) {
    const pattern = isGlob(part) ? partPattern(part) : undefined;
    const next = await Promise.all(
      found.map(async (prefix) => {
        if (!isGlob(part)) return [`${prefix}/${part}`];
        const names = pattern === undefined ? [] : await reader.entries(`/proc/sys${prefix}`);
        return names.filter((name) => pattern?.test(name) === true).map((name) => `${prefix}/${name}`);
      }),
    );
    found = next.flat();
  }
  const there = await Promise.all(found.map((path) => reader.exists(`/proc/sys${path}`)));
  return found.filter((_, index) => there[index] === true).map((path) => canonicalSysctlKey(path.slice(1)));
}

/**
 * What sysctl.d sets on this host at boot, each key once with the value that wins and the file it comes from: files in
 * the order of their names whatever their folder, the last one wins; a glob sets only keys that no file names.
 *
 * /etc/sysctl.conf counts where a link in sysctl.d brings it in, as on Debian 12, since systemd itself does not read it;
 * other init systems run `sysctl --system`, which reads it last.
 */
export async function readSysctlSettings(reader: FactReader): Promise<SysctlSetting[]> {
  const paths = await readFileNames(reader);
  const files = await Promise.all(paths.map((path) => readFile(reader, path)));
  const exact = new Map<string, SysctlSetting | undefined>();
  const globs = new Map<string, SysctlSetting>();
  for (const [index, lines] of files.entries()) {
    const source = paths[index] ?? "";
    for (const { key, value } of lines) {
      if (value === undefined) {
        if (!exact.has(key)) exact.set(key, undefined);
      } else if (isGlob(key)) globs.set(key, { key, value, source });
      else exact.set(key, { key, value, source });
    }
  }
  const byGlob = new Map<string, SysctlSetting>();
  for (const setting of globs.values()) {
    for (const key of await expandGlob(reader, setting.key)) {
      if (!exact.has(key)) byGlob.set(key, { ...setting, key });
    }
  }
  return [...exact.values(), ...byGlob.values()]
    .filter((setting) => setting !== undefined)
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
}
