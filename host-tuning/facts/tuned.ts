import type { FactReader } from "./fact-reader.ts";
import type { OwnershipFacts } from "./host-facts.ts";
import { canonicalSysctlKey } from "./sysctl-d.ts";

const ACTIVE_PROFILE = "/etc/tuned/active_profile";

/** Where a profile may lie, the first found counts; /etc before /usr, the folder `profiles` since TuneD 2.23. */
const PROFILE_DIRECTORIES = [
  "/etc/tuned/profiles",
  "/etc/tuned",
  "/usr/lib/tuned/profiles",
  "/usr/lib/tuned",
] as const;

/** Profiles that include each other deeper than this are taken for a circle. TuneD's own are at most four deep. */
const MAX_INCLUDES = 32;

/** What a section's plugin sets, by the names this project gives to families of knobs. `sysctl` is taken key by key. */
const FAMILIES: Readonly<Record<string, string>> = {
  cpu: "cpu",
  vm: "memory",
  disk: "block",
  net: "nic",
  irq: "irq.affinity",
  irqbalance: "irq.affinity",
  bootloader: "boot",
  scheduler: "kernel.sched",
};

export interface TunedProfile {
  readonly includes: readonly string[];
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/**
 * Parses tuned.conf: an INI file; `include` in [main] names profiles, with commas, that come before.
 *
 * @see https://github.com/redhat-performance/tuned/blob/master/doc/manual/modules/performance/con_tuned-profiles.adoc
 */
export function parseTunedProfile(text: string): TunedProfile {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const name = /^\[([^\]]+)\]$/.exec(line)?.[1];
    if (name !== undefined) {
      section = sections.get(name) ?? new Map<string, string>();
      sections.set(name, section);
      continue;
    }
    const equals = line.indexOf("=");
    if (equals > 0) section?.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim());
  }
  const include = sections.get("main")?.get("include") ?? "";
  return {
    includes: include
      .split(",")
      .map((name) => name.trim())
      .filter((name) => isProfileName(name)),
    sections,
  };
}

/** A name goes into a path: nothing that leads out of the profile folder. */
function isProfileName(name: string): boolean {
  return /^[\w.-]{1,100}$/.test(name) && !/^\.+$/.test(name);
}

async function readProfile(
  reader: FactReader,
  name: string,
): Promise<{ path: string; profile: TunedProfile } | undefined> {
  for (const directory of PROFILE_DIRECTORIES) {
    const path = `${directory}/${name}/tuned.conf`;
    const text = await reader.text(path);
    if (text !== undefined) return { path, profile: parseTunedProfile(text) };
  }
  reader.note(ACTIVE_PROFILE, `Names profile "${name}", which no folder of TuneD has`);
  return undefined;
}

function claimsOf(path: string, profile: TunedProfile): OwnershipFacts[] {
  const claims: OwnershipFacts[] = [];
  for (const [section, settings] of profile.sections) {
    const plugin = settings.get("type") ?? section;
    if (plugin === "sysctl") {
      for (const [key, value] of settings) {
        if (key === "type" || key === "replace") continue;
        claims.push({ owner: "tuned", key: canonicalSysctlKey(key), source: path, value });
      }
      continue;
    }
    const family = FAMILIES[plugin];
    if (family !== undefined) claims.push({ owner: "tuned", key: family, source: path, value: null });
  }
  return claims;
}

/**
 * What the active TuneD profile sets, its includes first so that the last claim of a key is the one in force. Values may
 * hold TuneD's own variables and its `>` ("at least") and come as they are written.
 */
export async function readTunedOwnership(reader: FactReader): Promise<OwnershipFacts[]> {
  const active =
    (await reader.line(ACTIVE_PROFILE))?.split(/\s+/).filter((name) => isProfileName(name)) ?? [];
  const claims = new Map<string, OwnershipFacts>();
  const seen = new Set<string>();
  const visit = async (name: string): Promise<void> => {
    if (seen.has(name) || seen.size >= MAX_INCLUDES) return;
    seen.add(name);
    const found = await readProfile(reader, name);
    if (found === undefined) return;
    for (const include of found.profile.includes) await visit(include);
    for (const claim of claimsOf(found.path, found.profile)) claims.set(claim.key, claim);
  };
  for (const name of active) await visit(name);
  return [...claims.values()];
}
