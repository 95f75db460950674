import { execa } from "execa";

/** One archive that this machine's apt is configured for, as `apt-get indextargets` tells it. */
export interface AptTarget {
  readonly repoUri: string;
  /** Suite as the sources name it: bookworm, bookworm-updates, bookworm-security. */
  readonly release: string;
  readonly component: string;
  readonly signedBy: string | undefined;
  /** From the archive's own Release file; `undefined` until `apt-get update` has run. */
  readonly origin: string | undefined;
}

/** Paragraphs of `apt-get indextargets "Created-By: Packages"` to targets. */
export function parseIndexTargets(text: string): AptTarget[] {
  const targets: AptTarget[] = [];
  for (const paragraph of text.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    for (const line of paragraph.split("\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    const repoUri = fields.get("Repo-URI");
    const release = fields.get("Release");
    const component = fields.get("Component");
    if (repoUri === undefined || release === undefined || component === undefined) continue;
    targets.push({
      repoUri,
      release,
      component,
      signedBy: fields.get("Signed-By") || undefined,
      origin: fields.get("Origin") || undefined,
    });
  }
  return targets;
}

/** The machine's Debian archive and, where it has one, its security archive. */
export interface DebianArchive {
  readonly main: AptTarget;
  readonly security: AptTarget | undefined;
}

/**
 * Finds Debian among the configured archives: other vendors also use Debian's code name as their suite, so the origin
 * decides where it is known and the path "/debian" where it is not.
 */
export function findDebianArchive(
  targets: readonly AptTarget[],
  codename: string,
): DebianArchive | undefined {
  const named = (names: readonly string[], path: RegExp): AptTarget | undefined =>
    targets.find(
      (target) =>
        names.includes(target.release) &&
        target.component === "main" &&
        (target.origin === undefined ? path.test(target.repoUri) : target.origin === "Debian"),
    );
  const main = named([codename, "stable", "oldstable"], /\/debian\/?$/);
  if (main === undefined) return undefined;
  return { main, security: named([`${codename}-security`], /\/debian-security\/?$/) };
}

/** sources.list lines for another suite of the same archive. */
export function sourceLines(archive: DebianArchive, suite: string): string[] {
  const line = (target: AptTarget, release: string): string => {
    const options = target.signedBy?.startsWith("/") === true ? ` [signed-by=${target.signedBy}]` : "";
    return `deb${options} ${target.repoUri} ${release} main`;
  };
  return [
    line(archive.main, suite),
    line(archive.main, `${suite}-updates`),
    ...(archive.security === undefined ? [] : [line(archive.security, `${suite}-security`)]),
  ];
}

/** Text of a deb822 file that adds the archive's backports. */
export function renderBackportsSource(archive: DebianArchive, codename: string): string {
  const lines = [
    "# Written by bedplate: QEMU with the igb SR-IOV NIC is not in Debian 12 itself.",
    "Types: deb",
    `URIs: ${archive.main.repoUri}`,
    `Suites: ${codename}-backports`,
    "Components: main",
    ...(archive.main.signedBy?.startsWith("/") === true ? [`Signed-By: ${archive.main.signedBy}`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** The Debian archive of this machine; `undefined` when apt is missing or names none. */
export async function readDebianArchive(codename: string): Promise<DebianArchive | undefined> {
  // A machine that never ran `apt-get update` has no release information, and apt then lists nothing by default.
  for (const options of [[], ["--no-release-info"]]) {
    const result = await execa("apt-get", ["indextargets", ...options, "Created-By: Packages"], {
      reject: false,
      timeout: 60_000,
    });
    const archive = result.failed ? undefined : findDebianArchive(parseIndexTargets(result.stdout), codename);
    if (archive !== undefined) return archive;
  }
  return undefined;
}

/** How this machine's apt reaches its archives (proxy, CA, dates), as apt.conf text for mmdebstrap. */
export async function readAptTransport(): Promise<string> {
  const result = await execa("apt-config", ["dump", "--no-empty"], { timeout: 60_000 });
  return parseAptTransport(result.stdout);
}

/** Keeps only the lines on transport; the rest (hooks, directories) belongs to this machine alone. */
export function parseAptTransport(text: string): string {
  return text
    .split("\n")
    .filter((line) =>
      /^Acquire::(http|https|Check-Valid-Until|Check-Date|Retries|ForceIPv[46])\b/i.test(line),
    )
    .map((line) => `${line}\n`)
    .join("");
}
