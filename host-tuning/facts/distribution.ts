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

/** Distributions that the agent is made for, each from the release on whose kernel and systemd it is tested or read. */
const SUPPORTED: Readonly<Record<string, { readonly name: string; readonly since: string }>> = {
  debian: { name: "Debian", since: "12" },
  ubuntu: { name: "Ubuntu", since: "22.04" },
  amzn: { name: "Amazon Linux", since: "2023" },
  rhel: { name: "Red Hat Enterprise Linux", since: "9" },
  centos: { name: "CentOS Stream", since: "9" },
  rocky: { name: "Rocky Linux", since: "9" },
  almalinux: { name: "AlmaLinux", since: "9" },
  ol: { name: "Oracle Linux", since: "9" },
};

/**
 * Why this distribution is not one to change settings on; `undefined` where it is, and where nothing says which it is.
 * A release that names no version (Debian testing) is newer than all that do.
 */
export function refusalOf(distribution: HostFacts["distribution"]): string | undefined {
  if (distribution === null) return undefined;
  const known = Object.values(SUPPORTED)
    .map(({ name, since }) => `${name} ${since}`)
    .join(", ");
  const found = distribution.prettyName ?? `${distribution.id} ${distribution.versionId ?? ""}`.trim();
  const supported = Object.hasOwn(SUPPORTED, distribution.id) ? SUPPORTED[distribution.id] : undefined;
  const refusal = `the host runs ${found}; the agent knows ${known} and their later releases`;
  if (supported === undefined) return refusal;
  const isOld =
    distribution.versionId !== null && compareVersions(distribution.versionId, supported.since) < 0;
  return isOld ? refusal : undefined;
}

/** 22.04 before 24.04, 9.4 after 9; a part that is no number counts as 0. */
function compareVersions(a: string, b: string): number {
  const parts = (version: string): number[] =>
    version.split(".").map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
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
