import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { formatKernelList, parseKernelList } from "../sys/kernel-list.ts";
import type { ConfigFileWrite, Target } from "./knob.ts";

/** Where systemd looks for units and drop-ins, the first wins. /lib is /usr/lib on merged hosts. */
const UNIT_FOLDERS = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
] as const;

export const NO_SYSTEMD_SERVICE = "the profile's service does not run under systemd on this host";

/** The service as the one target of a systemd knob; none where Kubernetes or another init runs it. */
export function serviceTarget(facts: HostFacts, profile: HostProfile): readonly Target[] {
  if (profile.service.runtime !== "systemd" || facts.initSystem !== "systemd") return [];
  return [{ name: profile.service.unit }];
}

/** A host without this folder has no systemd, or is a tree in which nobody has looked. */
export function hasSystemd(host: Host): Promise<boolean> {
  return host.exists("/etc/systemd/system");
}

/** First line of every file of ours. */
export const WRITTEN_BY_US = "# Written by bedplate, taken back by bedplate rollback.";

/** "[Service]" for a service, "[Slice]" for a slice, "[Scope]" for a scope. */
function sectionOf(unit: string): string {
  const type = unit.slice(unit.lastIndexOf(".") + 1);
  return `[${type.charAt(0).toUpperCase()}${type.slice(1)}]`;
}

/** A drop-in of ours; daemon-reload makes systemd read it, the service gets it when it starts again. */
export function dropIn(target: Target, name: string, settings: readonly string[]): ConfigFileWrite {
  return {
    kind: "config-file",
    path: `/etc/systemd/system/${target.name}.d/50-bedplate-${name}.conf`,
    text: [WRITTEN_BY_US, sectionOf(target.name), ...settings, ""].join("\n"),
    reload: [["systemctl", "daemon-reload"]],
  };
}

/** "tools@7.service" is an instance of "tools@.service"; other units have no template. */
function templateOf(unit: string): string | undefined {
  const at = unit.indexOf("@");
  return at <= 0 ? undefined : `${unit.slice(0, at + 1)}.service`;
}

/**
 * What unit file and drop-ins assign to `key`, in the order in which systemd reads them: the unit file of the first
 * folder that has it, then drop-ins by file name, where a name in an earlier folder hides the same name in a later one.
 */
export async function readUnitAssignments(host: Host, unit: string, key: string): Promise<string[]> {
  const names = [unit, templateOf(unit)].filter((name) => name !== undefined);
  const texts = [await firstText(host, names), ...(await dropInTexts(host, names))];
  const wanted = sectionOf(unit);
  return texts.flatMap((text) => assignmentsIn(text, wanted, key));
}

async function firstText(host: Host, names: readonly string[]): Promise<string> {
  for (const name of names) {
    for (const folder of UNIT_FOLDERS) {
      const text = await host.readText(`${folder}/${name}`);
      if (text !== undefined) return text;
    }
  }
  return "";
}

async function dropInTexts(host: Host, names: readonly string[]): Promise<string[]> {
  const pathByFile = new Map<string, string>();
  for (const folder of UNIT_FOLDERS) {
    for (const name of names) {
      for (const file of await host.list(`${folder}/${name}.d`)) {
        if (file.endsWith(".conf") && !pathByFile.has(file))
          pathByFile.set(file, `${folder}/${name}.d/${file}`);
      }
    }
  }
  const paths = [...pathByFile].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  return await Promise.all(paths.map(async (path) => (await host.readText(path)) ?? ""));
}

/**
 * Numbers that a list setting comes to (AllowedCPUs, NUMAMask): assignments add up, and an empty one starts anew.
 *
 * @returns an empty list when nothing is assigned
 */
export async function readUnitList(host: Host, unit: string, key: string): Promise<string> {
  let numbers: number[] = [];
  for (const assigned of await readUnitAssignments(host, unit, key)) {
    const added = parseKernelList(assigned.trim().replaceAll(/[\s,]+/g, ",")) ?? [];
    numbers = added.length === 0 ? [] : [...numbers, ...added];
  }
  return formatKernelList(numbers);
}

/** Values of `key=` lines of the section, comments left out. */
function assignmentsIn(text: string, wanted: string, key: string): string[] {
  const values: string[] = [];
  let section = "";
  for (const line of text.split("\n").map((line) => line.trim())) {
    if (line.startsWith("[")) section = line;
    else if (section === wanted && line.startsWith(`${key}=`)) values.push(line.slice(key.length + 1).trim());
  }
  return values;
}

/**
 * Folder of the unit's cgroup, whether or not it is there. A service whose slice has changed runs in the old one until
 * it restarts, so the default one is looked at as well.
 */
export async function cgroupOf(host: Host, unit: string): Promise<string> {
  if (unit.endsWith(".slice")) return `/sys/fs/cgroup${sliceFolder(unit)}`;
  if (unit === "init.scope") return `/sys/fs/cgroup/${unit}`;
  const usual = `/sys/fs/cgroup${sliceFolder(defaultSlice(unit))}/${unit}`;
  const assigned = `/sys/fs/cgroup${sliceFolder(await readSlice(host, unit))}/${unit}`;
  return (await host.exists(assigned)) || !(await host.exists(usual)) ? assigned : usual;
}

/** The slice that a service's unit and drop-ins put it in. */
export async function readSlice(host: Host, unit: string): Promise<string> {
  const assigned = (await readUnitAssignments(host, unit, "Slice")).at(-1) ?? "";
  return assigned === "" ? defaultSlice(unit) : assigned;
}

/** First process in the service's cgroup; `undefined` when the service is not running. */
export async function readServicePid(host: Host, unit: string): Promise<number | undefined> {
  const text = await host.readText(`${await cgroupOf(host, unit)}/cgroup.procs`);
  const first = text?.trim().split("\n")[0];
  return first !== undefined && /^[1-9]\d*$/.test(first) ? Number(first) : undefined;
}

/** Instances of a template share a slice of their own below system.slice: tools@7.service is in system-tools.slice. */
function defaultSlice(unit: string): string {
  const template = templateOf(unit);
  if (template === undefined) return "system.slice";
  return `system-${template.slice(0, template.indexOf("@")).replaceAll("-", String.raw`\x2d`)}.slice`;
}

/** "a-b.slice" lies in "a.slice". */
function sliceFolder(slice: string): string {
  const parts = slice.replace(/\.slice$/, "").split("-");
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("-")}.slice`).join("");
}
