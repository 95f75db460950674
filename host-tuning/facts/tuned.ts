import type { FactReader } from "./fact-reader.ts";
import type { OwnershipFacts } from "./host-facts.ts";
import { canonicalSysctlKey } from "./sysctl-d.ts";
import {
  type TunedProfile,
  SECTION_OPTIONS,
  expandVariables,
  parseSections,
  parseTunedProfile,
  profileNames,
} from "./tuned-profile.ts";

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

/**
 * What a section's plugin sets, by the names this project gives to families of knobs, for options that stand for no
 * file of their own.
 */
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

const CPU = "/sys/devices/system/cpu";

/**
 * The kernel's file, or the ethtool command, behind a plugin's option.
 *
 * @see https://github.com/redhat-performance/tuned/tree/v2.20.0/tuned/plugins
 */
const OPTION_KEYS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cpu: {
    governor: `${CPU}/cpufreq/policy*/scaling_governor`,
    boost: `${CPU}/cpufreq/boost`,
    energy_performance_preference: `${CPU}/cpufreq/policy*/energy_performance_preference`,
    energy_perf_bias: `${CPU}/cpu*/power/energy_perf_bias`,
    no_turbo: `${CPU}/intel_pstate/no_turbo`,
    force_latency: "/dev/cpu_dma_latency",
    pm_qos_resume_latency_us: `${CPU}/cpu*/power/pm_qos_resume_latency_us`,
  },
  vm: {
    transparent_hugepages: "/sys/kernel/mm/transparent_hugepage/enabled",
    transparent_hugepage: "/sys/kernel/mm/transparent_hugepage/enabled",
    "transparent_hugepage.defrag": "/sys/kernel/mm/transparent_hugepage/defrag",
    dirty_bytes: "vm.dirty_bytes",
    dirty_ratio: "vm.dirty_ratio",
    dirty_background_bytes: "vm.dirty_background_bytes",
    dirty_background_ratio: "vm.dirty_background_ratio",
  },
  disk: { elevator: "/sys/block/*/queue/scheduler", readahead: "/sys/block/*/queue/read_ahead_kb" },
  net: {
    channels: "ethtool -L",
    ring: "ethtool -G",
    coalesce: "ethtool -C",
    features: "ethtool -K",
    pause: "ethtool -A",
    mtu: "/sys/class/net/*/mtu",
    txqueuelen: "/sys/class/net/*/tx_queue_len",
    nf_conntrack_hashsize: "/sys/module/nf_conntrack/parameters/hashsize",
  },
};

interface FoundProfile {
  readonly path: string;
  readonly profile: TunedProfile;
}

async function readProfile(reader: FactReader, name: string): Promise<FoundProfile | undefined> {
  for (const directory of PROFILE_DIRECTORIES) {
    const path = `${directory}/${name}/tuned.conf`;
    const text = await reader.text(path);
    if (text !== undefined) return { path, profile: parseTunedProfile(text) };
  }
  reader.note(ACTIVE_PROFILE, `Names profile "${name}", which no folder of TuneD has`);
  return undefined;
}

/** The profiles in force, each after those that it includes. */
async function readProfiles(reader: FactReader, names: readonly string[]): Promise<FoundProfile[]> {
  const ordered: FoundProfile[] = [];
  const seen = new Set<string>();
  const visit = async (name: string): Promise<void> => {
    if (seen.has(name) || seen.size >= MAX_INCLUDES) return;
    seen.add(name);
    const found = await readProfile(reader, name);
    if (found === undefined) return;
    for (const include of found.profile.includes) await visit(include);
    ordered.push(found);
  };
  for (const name of names) await visit(name);
  return ordered;
}

/** Variables of all profiles; those that a file brings in (`include`) come where they stand. */
async function readVariables(
  reader: FactReader,
  profiles: readonly FoundProfile[],
): Promise<Map<string, string>> {
  const variables = new Map<string, string>();
  for (const { profile } of profiles) {
    for (const [name, value] of profile.sections.get("variables") ?? []) {
      if (name !== "include") {
        variables.set(name, expandVariables(value, variables) ?? value);
        continue;
      }
      const path = expandVariables(value, variables);
      const text = path?.startsWith("/") === true ? await reader.text(path) : undefined;
      for (const [section, settings] of parseSections(text ?? "")) {
        for (const [key, text] of settings) variables.set(section === "" ? key : `${section}_${key}`, text);
      }
    }
  }
  return variables;
}

/** What a section sets: keys of sysctl, files of the kernel, or a family where neither is known. */
function claimsOf(
  plugin: string,
  settings: ReadonlyMap<string, string>,
): (readonly [key: string, value: string | null])[] {
  const options = [...settings].filter(([option]) => !SECTION_OPTIONS.has(option));
  if (plugin === "sysctl") return options.map(([key, value]) => [canonicalSysctlKey(key), value]);
  if (plugin === "sysfs") return options.filter(([key]) => key.startsWith("/"));
  const keys = OPTION_KEYS[plugin] ?? {};
  const devices = devicePatterns(settings.get("devices"));
  const known = options.filter(([option]) => keys[option] !== undefined);
  const claims = known.flatMap(([option, value]): [string, string][] =>
    keysOn(keys[option] ?? "", devices).map((key) => [key, value]),
  );
  const family = FAMILIES[plugin];
  const isRest = known.length < options.length || options.length === 0;
  return family === undefined || !isRest ? claims : [...claims, [family, null]];
}

/** Names of devices that a section is about, with `*`; all of them where it only says which are not. */
function devicePatterns(devices: string | undefined): readonly string[] {
  const named = (devices ?? "").split(/[\s,]+/).filter((name) => /^[\w.*:-]+$/.test(name));
  return named.length === 0 ? ["*"] : named;
}

/** A file for each of these devices; what has no device in its path is one file. */
function keysOn(key: string, devices: readonly string[]): string[] {
  return key.includes("/*/") ? devices.map((device) => key.replace("/*/", `/${device}/`)) : [key];
}

/**
 * What the active TuneD profile sets, its includes first so that the last claim of a key is the one in force. A value
 * may begin with TuneD's own `>` ("at least") or `<`; null is one that only TuneD can work out.
 */
export async function readTunedOwnership(reader: FactReader): Promise<OwnershipFacts[]> {
  const profiles = await readProfiles(reader, profileNames((await reader.line(ACTIVE_PROFILE)) ?? ""));
  const variables = await readVariables(reader, profiles);
  const claims = new Map<string, { readonly claim: OwnershipFacts; readonly section: string }>();
  for (const { path, profile } of profiles) {
    for (const [section, settings] of profile.sections) {
      if (settings.get("replace") === "1" || settings.get("replace") === "true") {
        for (const [key, known] of claims) if (known.section === section) claims.delete(key);
      }
      if (/^(0|false|no|n)$/i.test(settings.get("enabled") ?? "1")) continue;
      for (const [key, value] of claimsOf(settings.get("type") ?? section, settings)) {
        const expanded = value === null ? null : (expandVariables(value, variables) ?? null);
        const claim = { owner: "tuned", key, source: path, value: expanded, hold: "start" } as const;
        claims.set(key, { claim, section });
      }
    }
  }
  return [...claims.values()].map(({ claim }) => claim);
}
