/** A profile of TuneD, as its file has it. */
export interface TunedProfile {
  readonly includes: readonly string[];
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Options that say which units a section is about or how it is read, and set nothing by themselves. */
export const SECTION_OPTIONS: ReadonlySet<string> = new Set([
  "type",
  "enabled",
  "replace",
  "drop",
  "priority",
  "devices",
  "devices_udev_regex",
  "script_pre",
  "script_post",
]);

/** How often a value is expanded; a variable that names itself would go on for ever. */
const MAX_EXPANSIONS = 16;

/**
 * Parses tuned.conf: an INI file whose values may go on in indented lines and end in " # comment"; `include` in [main]
 * names profiles, with commas or spaces, that come before.
 *
 * @see https://github.com/redhat-performance/tuned/blob/v2.20.0/tuned/profiles/loader.py
 */
export function parseTunedProfile(text: string): TunedProfile {
  const sections = parseSections(text);
  const include = sections.get("main")?.get("include") ?? "";
  return { includes: profileNames(include), sections };
}

/** Names of profiles as `include` and the active profile's file list them. */
export function profileNames(text: string): string[] {
  return text.split(/[\s,]+/).filter((name) => isProfileName(name));
}

/** A name goes into a path: nothing that leads out of the profile folder. */
function isProfileName(name: string): boolean {
  return /^[\w.-]{1,100}$/.test(name) && !/^\.+$/.test(name);
}

/** Sections of an INI file by name; what stands before the first is under "". saptune's notes have the same form. */
export function parseSections(text: string): Map<string, Map<string, string>> {
  let section = new Map<string, string>();
  const sections = new Map([["", section]]);
  let last: string | undefined;
  for (const raw of text.split("\n")) {
    const line = raw.replace(/\s+#.*$/, "").trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    if (/^\s/.test(raw) && last !== undefined) {
      section.set(last, `${section.get(last) ?? ""} ${line}`.trim());
      continue;
    }
    const name = /^\[([^\]]+)\]$/.exec(line)?.[1];
    if (name !== undefined) {
      section = sections.get(name) ?? new Map<string, string>();
      sections.set(name, section);
      last = undefined;
      continue;
    }
    const equals = line.indexOf("=");
    last = equals > 0 ? line.slice(0, equals).trim() : undefined;
    if (last !== undefined) section.set(last, unquoted(line.slice(equals + 1).trim()));
  }
  return sections;
}

function unquoted(value: string): string {
  return /^"([^"]*)"$/.exec(value)?.[1] ?? value;
}

/**
 * A value with its `${variables}` replaced.
 *
 * @returns `undefined` for what only TuneD can work out: a function (`${f:...}`) or a variable that no file sets
 */
export function expandVariables(value: string, variables: ReadonlyMap<string, string>): string | undefined {
  let expanded = value;
  for (let round = 0; round < MAX_EXPANSIONS && expanded.includes("${"); round++) {
    let isKnown = true;
    expanded = expanded.replaceAll(/\$\{([^${}]*)\}/g, (whole, name: string) => {
      const known = variables.get(name);
      isKnown &&= known !== undefined;
      return known ?? whole;
    });
    if (!isKnown) return undefined;
  }
  return expanded.includes("${") ? undefined : expanded;
}
