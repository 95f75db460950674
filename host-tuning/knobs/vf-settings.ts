import type * as z from "zod";
import { TuningError } from "../errors.ts";
import type { HostFacts, NicFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { type AnyKnob, type Knob, type Target, defineKnob } from "./knob.ts";
import { askedOf } from "./nic-targets.ts";
import { entriesFor } from "./virtual-functions.ts";
import { shareWhileUnderWay } from "./under-way.ts";

export type VirtualFunctionEntry = HostProfile["sriov"][number];

/** A virtual function as its physical one's driver has it: one item of `vfinfo_list` of `ip -j link show`. */
export interface VirtualFunctionInfo {
  readonly mac: string | undefined;
  readonly vlan: number;
  readonly qos: number;
  readonly protocol: string | undefined;
  readonly spoofCheck: boolean | undefined;
  readonly trust: boolean | undefined;
}

export interface FunctionTarget {
  readonly nic: string;
  readonly index: number;
}

/** `ens1/vf0`. @returns `undefined` for any other name */
export function parseFunctionTarget(target: Target): FunctionTarget | undefined {
  const [, nic, index] = /^([A-Za-z0-9._-]{1,15})\/vf(\d{1,4})$/.exec(target.name) ?? [];
  return nic === undefined || index === undefined ? undefined : { nic, index: Number(index) };
}

/** The functions of every NIC that an entry of the profile names and asks something of. */
export function functionTargets(
  facts: HostFacts,
  profile: HostProfile,
  isAsked: (entry: VirtualFunctionEntry, index: number) => boolean,
): readonly Target[] {
  return facts.nics.flatMap((nic) => {
    const entries = entriesFor(nic, profile);
    const count = Math.min(
      Math.max(0, ...entries.map((entry) => entry.virtualFunctions)),
      nic.sriov?.totalVirtualFunctions ?? 0,
    );
    return Array.from({ length: count }, (_, index) => index)
      .filter((index) => entries.some((entry) => isAsked(entry, index)))
      .map((index) => ({ name: `${nic.name}/vf${index}` }));
  });
}

/**
 * Parses `ip -j link show` to its virtual functions. iproute2 before 5.3 calls the address "mac"; one without a VLAN has
 * an empty item in `vlan_list` or none.
 *
 * @returns `undefined` when it is no such text
 */
export function parseFunctions(text: string): ReadonlyMap<number, VirtualFunctionInfo> | undefined {
  const links = parseJson(text);
  const link: unknown = Array.isArray(links) ? links[0] : undefined;
  if (!isRecord(link)) return undefined;
  const list = Array.isArray(link["vfinfo_list"]) ? (link["vfinfo_list"] as unknown[]) : [];
  return new Map(list.flatMap((item) => functionOf(item)));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function functionOf(item: unknown): [number, VirtualFunctionInfo][] {
  if (!isRecord(item) || typeof item["vf"] !== "number") return [];
  const vlans: unknown[] = Array.isArray(item["vlan_list"]) ? item["vlan_list"] : [];
  const vlan = isRecord(vlans[0]) ? vlans[0] : {};
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  const truth = (value: unknown): boolean | undefined => (typeof value === "boolean" ? value : undefined);
  const count = (value: unknown): number => (typeof value === "number" ? value : 0);
  return [
    [
      item["vf"],
      {
        mac: text(item["address"]) ?? text(item["mac"]),
        vlan: count(vlan["vlan"]),
        qos: count(vlan["qos"]),
        protocol: text(vlan["protocol"]),
        spoofCheck: truth(item["spoofchk"]),
        trust: truth(item["trust"]),
      },
    ],
  ];
}

/**
 * What the physical function's driver says of one of its virtual ones.
 *
 * @returns `undefined` when that function is not there, or tools do not speak of this host
 * @throws {TuningError} TOOL_FAILED, HOST_PARSE
 */
export async function readFunction(host: Host, target: Target): Promise<VirtualFunctionInfo | undefined> {
  const parsed = parseFunctionTarget(target);
  if (parsed === undefined) return undefined;
  const { nic, index } = parsed;
  const result = await shareWhileUnderWay(
    host,
    `ip link ${nic}`,
    async () => await host.runTool("ip", ["-j", "link", "show", "dev", nic]),
  );
  if (result === undefined) return undefined;
  if (result.exitCode !== 0) {
    if (/does not exist/i.test(result.stderr)) return undefined;
    throw new TuningError(
      "TOOL_FAILED",
      nic,
      `Cannot read function ${index} of ${nic}: ip link ended with ${result.exitCode}: ${result.stderr.trim()}`,
    );
  }
  const functions = parseFunctions(result.stdout);
  if (functions === undefined) {
    throw new TuningError(
      "HOST_PARSE",
      nic,
      `Cannot read function ${index} of ${nic}: ip link printed ${JSON.stringify(result.stdout.slice(0, 200))}`,
    );
  }
  return functions.get(index);
}

/** The command that gives a function a setting. */
export function ipLinkVf(target: Target, ...words: readonly string[]): readonly [string, ...string[]] {
  const { nic, index } = parseFunctionTarget(target) ?? { nic: target.name, index: 0 };
  return ["ip", "link", "set", "dev", nic, "vf", String(index), ...words];
}

export const VF_FIELDS = {
  family: "sriov",
  scope: "nic",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  isReversible: true,
  after: ["sriov_numvfs"],
  rediscoverAfter: ["sriov_numvfs"],
} as const;

interface VfKnobArgs<V> extends Pick<
  Knob<V>,
  "id" | "title" | "unit" | "risk" | "kernelDefault" | "sources" | "absentBecause" | "isSatisfied" | "format"
> {
  readonly value: z.ZodType<V>;
  /** What an entry of the profile asks of a function; `undefined` for nothing. */
  asked(entry: VirtualFunctionEntry, index: number): V | undefined;
  of(info: VirtualFunctionInfo): V | undefined;
  words(value: V): readonly string[];
  readonly because?: string;
}

/** A setting that the physical function's driver keeps for a virtual one, read back by `ip link`. */
export function vfKnob<V extends string | number | boolean | object>(args: VfKnobArgs<V>): AnyKnob {
  return defineKnob<V>({
    ...VF_FIELDS,
    ...args,
    targets: (facts, profile) =>
      functionTargets(facts, profile, (entry, index) => args.asked(entry, index) !== undefined),
    async read(host, target) {
      const info = await readFunction(host, target);
      return info === undefined ? undefined : args.of(info);
    },
    desired({ facts, profile, target }) {
      const parsed = parseFunctionTarget(target);
      const nic = functionNic(facts, target);
      if (nic === undefined || parsed === undefined) return leave("the facts do not have this NIC");
      const asked = askedOf(entriesFor(nic, profile).map((entry) => args.asked(entry, parsed.index)));
      if (asked.disagree !== undefined) return leave(asked.disagree);
      if (asked.value === undefined) return leave("the profile asks nothing of this function");
      return setTo(asked.value, args.because ?? "the profile asks for it");
    },
    writes: (value, target, before) => [
      {
        kind: "tool",
        command: ipLinkVf(target, ...args.words(value)),
        undo: ipLinkVf(target, ...args.words(before)),
      },
    ],
  });
}

export function functionNic(facts: HostFacts, target: Target): NicFacts | undefined {
  const name = parseFunctionTarget(target)?.nic;
  return facts.nics.find((nic) => nic.name === name);
}
