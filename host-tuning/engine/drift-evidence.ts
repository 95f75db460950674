import { statSync } from "node:fs";
import { TuningError } from "../errors.ts";
import type { LiveHost } from "../sys/live-host.ts";

/** A span of time, both ends as milliseconds since 1970. */
export interface Span {
  readonly fromMillis: number;
  readonly toMillis: number;
}

export function isWithin(span: Span, millis: number | undefined): boolean {
  return millis !== undefined && millis >= span.fromMillis && millis <= span.toMillis;
}

/** A process that the audit log saw at a path or with a key among its arguments. */
export interface AuditTrace {
  readonly atMillis: number;
  readonly text: string;
}

const AUDIT_LOGS = ["/var/log/audit/audit.log.1", "/var/log/audit/audit.log"] as const;

/** Text of a log; one that is too large or not ours to read is as good as none. */
async function readLog(host: LiveHost, path: string): Promise<string> {
  try {
    return (await host.readText(path)) ?? "";
  } catch (error) {
    if (error instanceof TuningError) return "";
    throw error;
  }
}

/**
 * What auditd wrote about one of `words` (paths, sysctl keys) in that time. Lines of one event share the number in
 * `msg=audit(TIME:NUMBER)`: SYSCALL names the process, PATH the file, EXECVE the arguments.
 *
 * @see https://github.com/linux-audit/audit-documentation/wiki/SPEC-Audit-Event-Format
 */
export async function readAuditTraces(
  host: LiveHost,
  words: readonly string[],
  span: Span,
): Promise<AuditTrace[]> {
  const text = (await Promise.all(AUDIT_LOGS.map(async (path) => await readLog(host, path)))).join("");
  const events = new Map<string, { readonly atMillis: number; readonly lines: string[] }>();
  for (const line of text.split("\n")) {
    const match = /msg=audit\((\d{1,12}\.\d{1,6}):(\d{1,20})\)/.exec(line);
    if (match?.[1] === undefined) continue;
    const atMillis = Number(match[1]) * 1000;
    if (!isWithin(span, atMillis)) continue;
    const event = events.get(match[0]) ?? { atMillis, lines: [] };
    event.lines.push(line);
    events.set(match[0], event);
  }
  return [...events.values()].flatMap(({ atMillis, lines }) => {
    const syscall = lines.find((line) => line.startsWith("type=SYSCALL"));
    const isAbout = lines.some(
      (line) => !line.startsWith("type=SYSCALL") && words.some((word) => mentions(line, word)),
    );
    if (syscall === undefined || !isAbout || fieldIn(syscall, "success") === "no") return [];
    return [{ atMillis, text: describeProcess(syscall) }];
  });
}

/** Does a line of the audit log name this word: as a whole value, or before the "=" of an argument. */
function mentions(line: string, word: string): boolean {
  const values = [...line.matchAll(/\b(?:name|a\d+)=("[^"]*"|\S+)/g)].map((match) =>
    decodeValue(match[1] ?? ""),
  );
  return values.some((value) => value === word || value.startsWith(`${word}=`));
}

/** Values with spaces come in hexadecimal digits and without quotes. */
function decodeValue(value: string): string {
  if (value.startsWith('"')) return value.slice(1, -1);
  return /^([0-9A-F]{2})+$/.test(value) ? Buffer.from(value, "hex").toString("utf8") : value;
}

function fieldIn(line: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}=("[^"]*"|\\S+)`).exec(line)?.[1];
  // Numbers stand without quotes as well, so what is a text is for the caller to know.
  return value;
}

function describeProcess(syscall: string): string {
  const [exe, pid, auid] = ["exe", "pid", "auid"].map((name) => fieldIn(syscall, name));
  const program = exe === undefined ? "a process" : decodeValue(exe);
  // 4294967295: no login, so a daemon.
  const user =
    auid === undefined || auid === "4294967295" || auid === "-1" ? "no login" : `login uid ${auid}`;
  return `${program} (pid ${pid ?? "unknown"}, ${user})`;
}

/** When a file was last written; `undefined` when it is not there. */
export function modifiedMillis(host: LiveHost, path: string): number | undefined {
  return statSync(host.machinePath(path), { throwIfNoEntry: false })?.mtimeMs;
}

/** When each unit was last started, by name. Units that never ran are left out. */
export async function readUnitStarts(
  host: LiveHost,
  units: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const properties = "--property=Id,ExecMainStartTimestamp,ActiveEnterTimestamp";
  const result = await host.runTool("systemctl", ["show", "--timestamp=unix", properties, "--", ...units]);
  const starts = new Map<string, number>();
  for (const block of (result?.exitCode === 0 ? result.stdout : "").split(/\n\n+/)) {
    const id = /^Id=(.+)$/m.exec(block)?.[1];
    const times = [...block.matchAll(/^\w+Timestamp=@(\d{1,12})$/gm)].map((match) => Number(match[1]) * 1000);
    if (id !== undefined && times.length > 0) starts.set(id, Math.max(...times));
  }
  return starts;
}

/** Packages named in one line of evidence at most. */
const MAX_PACKAGES = 5;

/** Packages that dpkg or dnf put on the host in that time. dpkg writes local time, dnf its offset. */
export async function readPackageChanges(host: LiveHost, span: Span): Promise<string | undefined> {
  const [dpkg, dnf] = await Promise.all([
    readLog(host, "/var/log/dpkg.log"),
    readLog(host, "/var/log/dnf.log"),
  ]);
  const changes = [
    ...[...dpkg.matchAll(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) (?:install|upgrade) ([^\s:]+)/gm)].map(
      ([, day, time, name]) => ({ at: Date.parse(`${day}T${time}`), name }),
    ),
    ...[
      ...dnf.matchAll(/^(\d{4}-\d\d-\d\dT[\d:]+)([+-]\d\d):?(\d\d) \w+ (?:Upgraded|Installed): (\S+)/gm),
    ].map(([, time, hours, minutes, name]) => ({ at: Date.parse(`${time}${hours}:${minutes}`), name })),
  ].filter(({ at }) => isWithin(span, at));
  const names = [...new Set(changes.map(({ name }) => name ?? ""))];
  if (names.length === 0) return undefined;
  const more = names.length > MAX_PACKAGES ? ` and ${names.length - MAX_PACKAGES} more` : "";
  return `${names.slice(0, MAX_PACKAGES).join(", ")}${more}`;
}

const RULE_FOLDERS = ["/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d"];

/** Files of udev rules that set this attribute of a device: `ATTR{queue/scheduler}=`. */
export async function readUdevRules(host: LiveHost, attribute: string): Promise<string[]> {
  const found = new Map<string, string>();
  for (const folder of RULE_FOLDERS) {
    for (const name of await host.list(folder)) {
      if (!name.endsWith(".rules") || found.has(name)) continue;
      const text = await readLog(host, `${folder}/${name}`);
      if (text.includes(`ATTR{${attribute}}="`)) found.set(name, `${folder}/${name}`);
    }
  }
  return [...found.values()];
}

/** Commands that somebody ran with sudo in that time and that name one of `words`. */
export async function readSudoCommands(
  host: LiveHost,
  words: readonly string[],
  span: Span,
): Promise<string[]> {
  const [since, until] = [span.fromMillis, span.toMillis].map((millis) => `@${Math.floor(millis / 1000)}`);
  const result = await host.runTool("journalctl", [
    "--no-pager",
    "--quiet",
    "--output=cat",
    "--identifier=sudo",
    `--since=${since}`,
    `--until=${until}`,
  ]);
  return (result?.exitCode === 0 ? result.stdout : "")
    .split("\n")
    .map((line) => /^\s*(\S+)\s*:.*COMMAND=(.+)$/.exec(line))
    .flatMap((match) => {
      const command = match?.[2] ?? "";
      return words.some((word) => command.includes(word)) ? [`${match?.[1]} ran ${command}`] : [];
    });
}
