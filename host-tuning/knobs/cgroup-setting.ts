import type { Host } from "../sys/host.ts";
import { type AnyKnob, type Desired, type DesiredInput, type Knob, type Unit, defineKnob } from "./knob.ts";
import { inForce, nextStart } from "./pending-restart.ts";
import {
  NO_SYSTEMD_SERVICE,
  cgroupOf,
  dropIn,
  hasSystemd,
  readUnitAssignments,
  serviceTarget,
} from "./systemd-unit.ts";

/** What "no limit" is in systemd's words; the kernel says "max". */
export const NO_LIMIT = "infinity";

type Described = Pick<
  Knob<string>,
  "title" | "risk" | "kernelDefault" | "kernelRange" | "sources" | "value" | "format" | "anchors"
>;

interface CgroupSettingArgs extends Described {
  /** systemd's word: "TasksMax". */
  readonly key: string;
  readonly unit: Unit;
  readonly controller: "pids" | "cpu" | "io" | "memory";
  /** File in the service's cgroup that shows what is in force. */
  readonly file: string;
  /** What a service has that nobody gave anything. */
  readonly stock: string | ((host: Host) => Promise<string>);
  /** systemd's text as a plain number ("8G" is "8589934592"); absent: as it is. */
  readonly normalise?: (assigned: string, host: Host) => Promise<string>;
  /** Are two values the same to the kernel; absent: equal text. */
  readonly isEqual?: (one: string, other: string) => boolean;
  /** `current` is what systemd's files say. */
  readonly desired: (input: DesiredInput<string>) => Desired<string>;
}

/**
 * A resource control that systemd writes into the service's cgroup. In force is what the kernel's file there holds;
 * while the service does not run, what its unit and drop-ins come to. systemd applies these at daemon-reload, to a
 * running service too.
 */
export function cgroupSetting(args: CgroupSettingArgs): AnyKnob {
  const {
    key,
    controller,
    file,
    stock,
    normalise,
    desired,
    isEqual,
    kernelRange,
    format,
    anchors,
    ...described
  } = args;
  const areEqual = isEqual ?? ((one: string, other: string): boolean => one === other);
  return defineKnob<string>({
    ...described,
    id: `systemd.${key}`,
    family: "systemd",
    scope: "unit",
    phase: "early",
    takesEffect: "now",
    survivesReboot: true,
    isReversible: true,
    ...(kernelRange === undefined ? {} : { kernelRange }),
    ...(format === undefined ? {} : { format }),
    ...(anchors === undefined ? {} : { anchors }),
    targets: serviceTarget,
    absentBecause: NO_SYSTEMD_SERVICE,
    async read(host, { name: unit }) {
      const controllers = (await host.readText("/sys/fs/cgroup/cgroup.controllers"))?.trim().split(" ");
      if (!(await hasSystemd(host)) || controllers?.includes(controller) !== true) return undefined;
      const assigned = (await readUnitAssignments(host, unit, key)).at(-1) ?? "";
      const unset = typeof stock === "string" ? stock : await stock(host);
      const configured = assigned === "" ? unset : ((await normalise?.(assigned, host)) ?? assigned);
      const effective = await readInForce(host, `${await cgroupOf(host, unit)}/${file}`);
      if (effective !== undefined && areEqual(effective, configured)) return configured;
      return inForce(effective, configured, "reload");
    },
    desired: (input) => desired({ ...input, current: nextStart(input.current) }),
    writes: (value, target) => [dropIn(target, fileNameOf(key), [`${key}=${value}`])],
    isSatisfied: areEqual,
  });
}

/** io.weight is "default 100" with lines for devices after it; the others are one word. */
async function readInForce(host: Host, path: string): Promise<string | undefined> {
  const word = /^(?:default )?(\S+)/.exec((await host.readText(path)) ?? "")?.[1];
  return word === "max" ? NO_LIMIT : word;
}

/** TasksMax is tasks-max, CPUWeight is cpu-weight. */
function fileNameOf(key: string): string {
  return key.replaceAll(/([a-z])([A-Z])|([A-Z])([A-Z][a-z])/g, "$1$3-$2$4").toLowerCase();
}

const BINARY_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/** systemd's sizes: bytes, K M G T to the base 1024, percent of the memory, infinity. Others come as they are. */
export async function normaliseBytes(assigned: string, host: Host): Promise<string> {
  const [, digits, unit] = /^(\d{1,15})([KMGT]?)$/.exec(assigned) ?? [];
  const factor = unit === undefined ? undefined : BINARY_UNITS[unit];
  if (digits !== undefined && factor !== undefined) return String(Number(digits) * factor);
  const percent = /^(\d{1,3})%$/.exec(assigned)?.[1];
  if (percent === undefined) return assigned;
  const totalKiB = /^MemTotal: +(\d+) kB$/m.exec((await host.readText("/proc/meminfo")) ?? "")?.[1];
  return totalKiB === undefined
    ? assigned
    : String(Math.floor((Number(totalKiB) * 1024 * Number(percent)) / 100));
}

/** The kernel rounds memory down to whole pages, which are 64 KiB at most. */
export function isSameMemory(one: string, other: string): boolean {
  return one === other || Math.abs(Number(one) - Number(other)) < 65_536;
}

/** The number behind a setting's text; infinity is no limit. */
export function numberOf(text: string): number {
  return text === NO_LIMIT ? Infinity : Number(text);
}
