import * as z from "zod";
import { hostInside, readInside } from "../namespaces/read-inside.ts";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { WHOLE_HOST, defineKnob } from "./knob.ts";
import { namespacedKnobs, sysctlText, sysctlsOfNewNamespace } from "./namespaced-sysctls.ts";
import { inForce, nextStart } from "./pending-restart.ts";
import { sysctlPath } from "./sysctl-knob.ts";
import {
  NO_SYSTEMD_SERVICE,
  dropIn,
  hasSystemd,
  readServicePid,
  readUnitAssignments,
  serviceTarget,
} from "./systemd-unit.ts";

const YES = /^(?:yes|true|on|1|y|t)$/i;

/** "net.core.somaxconn=65536": one sysctl, as sysctl(8) and people write it. */
const ASSIGNMENT = /^[a-z0-9_.]+=[\w ,-]*$/;
const SEPARATOR = "; ";

/** Of our own line in the unit: the command, and each assignment in quotes. */
const COMMAND = "-+sysctl -e -q -w";

/**
 * systemd.NetworkNamespaceSysctls: network settings of a service that has a network namespace of its own.
 *
 * With PrivateNetwork= or NetworkNamespacePath= the host's values do not reach it: the namespace starts with the
 * kernel's. A drop-in of the unit sets them by ExecStartPre= inside that namespace, before the service's first socket, at
 * every start; "+" gives the command the rights for it, "-" keeps a kernel that lacks one from stopping the service.
 * Several units that share a namespace through NetworkNamespacePath= get the values together.
 *
 * @example PrivateNetwork=yes and 50 000 connections: net.core.somaxconn=65536; net.ipv4.tcp_max_syn_backlog=65536; ...
 */
export const systemdNetworkNamespaceSysctls = defineKnob<string>({
  id: "systemd.NetworkNamespaceSysctls",
  title: "Network settings in the service's own namespace",
  family: "systemd",
  unit: "text",
  scope: "unit",
  phase: "early",
  takesEffect: "service-restart",
  survivesReboot: true,
  isReversible: true,
  risk: { level: "low", what: "the values of the single settings, each of which is a knob of its own" },
  kernelDefault: "each setting's own, whatever the host has",
  kernelRange: "only where the unit has PrivateNetwork=yes or NetworkNamespacePath=",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#PrivateNetwork=",
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#ExecStart=",
  ],
  value: z
    .string()
    .refine(
      (text) => text.split(SEPARATOR).every((part) => ASSIGNMENT.test(part)),
      'settings as in "net.core.somaxconn=65536; net.ipv4.tcp_retries2=8"',
    ),
  targets: serviceTarget,
  absentBecause: NO_SYSTEMD_SERVICE,
  async read(host, { name: unit }) {
    if (!(await hasSystemd(host)) || !(await hasOwnNamespace(host, unit))) return undefined;
    const configured = await readConfigured(host, unit);
    const inside = await readRunning(host, unit);
    if (configured.size === 0) return textOf(inside ?? new Map());
    const same = new Map([...configured.keys()].map((id) => [id, inside?.get(id) ?? ""]));
    return inForce(inside === undefined ? undefined : textOf(same), textOf(configured));
  },
  desired({ facts, profile }) {
    const sysctls = sysctlsOfNewNamespace(facts, profile);
    if (sysctls.length === 0) return leave("the kernel's own values are right for a new namespace too");
    return setTo(
      textOf(new Map(sysctls.map(({ knob, value }) => [knob.id, value]))),
      `the unit has a network namespace of its own, which the host's values do not reach: ${sysctls.length} of its settings differ from the kernel's`,
    );
  },
  writes: (value, target) => [
    dropIn(target, "network-namespace", [
      `ExecStartPre=${COMMAND} ${value.split(SEPARATOR).map(quoted).join(" ")}`,
    ]),
  ],
  isSatisfied(current, wanted) {
    const has = parse(nextStart(current));
    return [...parse(wanted)].every(([id, value]) => has.get(id) === value);
  },
});

function quoted(assignment: string): string {
  return `"${assignment}"`;
}

function textOf(values: ReadonlyMap<string, string>): string {
  return [...values].map(([id, value]) => `${id}=${value}`).join(SEPARATOR);
}

function parse(text: string): Map<string, string> {
  const pairs = text.split(SEPARATOR).filter((part) => part.includes("="));
  return new Map(
    pairs.map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, at), part.slice(at + 1)];
    }),
  );
}

async function hasOwnNamespace(host: Host, unit: string): Promise<boolean> {
  const isPrivate = (await readUnitAssignments(host, unit, "PrivateNetwork")).at(-1) ?? "";
  const path = (await readUnitAssignments(host, unit, "NetworkNamespacePath")).at(-1) ?? "";
  return YES.test(isPrivate) || path !== "";
}

/** What our drop-in sets at the next start; other ExecStartPre= lines are none of ours. */
async function readConfigured(host: Host, unit: string): Promise<Map<string, string>> {
  const lines = await readUnitAssignments(host, unit, "ExecStartPre");
  const ours = lines.findLast((line) => line.startsWith(COMMAND)) ?? "";
  return parse([...ours.matchAll(/"([^"]*)"/g)].map(([, assignment = ""]) => assignment).join(SEPARATOR));
}

/** What is in force inside the running service's namespace; `undefined` when it does not run or may not be entered. */
async function readRunning(host: Host, unit: string): Promise<Map<string, string> | undefined> {
  const pid = await readServicePid(host, unit);
  if (pid === undefined) return undefined;
  const knobs = namespacedKnobs();
  const paths = knobs.map((knob) => sysctlPath(knob.id));
  const inside = await readInside(host, pid, paths);
  if (inside.kind === "unreadable") return undefined;
  const view = hostInside(host, inside.texts, paths);
  const values = await Promise.all(
    knobs.map(async (knob) => [knob.id, await knob.read(view, WHOLE_HOST)] as const),
  );
  return new Map(values.flatMap(([id, value]) => (value === undefined ? [] : [[id, sysctlText(value)]])));
}
