import type { FactReader } from "./fact-reader.ts";
import type { HostFacts } from "./host-facts.ts";

/** Parses os-release: shell-like assignments, values bare or in quotes, `\` before `"`, `$`, `\` and a backquote. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const assignment = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim());
    if (assignment?.[1] === undefined || assignment[2] === undefined) continue;
    const quoted = /^(["'])(.*)\1$/.exec(assignment[2]);
    const value = quoted?.[2] ?? assignment[2];
    values.set(assignment[1], quoted?.[1] === "'" ? value : value.replaceAll(/\\(["$\\`'])/g, "$1"));
  }
  return values;
}

/**
 * Reads the distribution from /etc/os-release, else /usr/lib/os-release.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/os-release.html
 */
export async function readDistribution(reader: FactReader): Promise<HostFacts["distribution"]> {
  const text = (await reader.text("/etc/os-release")) ?? (await reader.text("/usr/lib/os-release"));
  if (text === undefined) return null;
  const values = parseOsRelease(text);
  return {
    // The specification's own default for a file that names none.
    id: values.get("ID") ?? "linux",
    idLike: (values.get("ID_LIKE") ?? "").split(/\s+/).filter((id) => id !== ""),
    versionId: values.get("VERSION_ID") ?? null,
    prettyName: values.get("PRETTY_NAME") ?? null,
  };
}

/**
 * Is systemd in charge: /run/systemd/system exists, as sd_booted(3) checks. A tree that was never booted (an image
 * mounted somewhere) has no /run; there /sbin/init says what would be.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/sd_booted.html
 */
export async function readInitSystem(reader: FactReader): Promise<HostFacts["initSystem"]> {
  if (await reader.exists("/run/systemd/system")) return "systemd";
  if (reader.host.isLive) return "other";
  return (await reader.linkName("/sbin/init")) === "systemd" ? "systemd" : "other";
}
