import * as z from "zod";
import type { HostFacts, NicFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { leave } from "./desired.ts";
import { askEthtool, unreadableAnswer } from "./ethtool.ts";
import { type AnyKnob, type Desired, type Knob, defineKnob } from "./knob.ts";
import { NO_PHYSICAL_NIC, decideNic, physicalNics } from "./nic-targets.ts";

/** One line of `ethtool -k`. */
export interface Feature {
  readonly isOn: boolean;
  /** The driver does not let it be changed. */
  readonly isFixed: boolean;
  /** For a name that stands for several: those, by name. */
  readonly parts: Readonly<Record<string, Feature>>;
}

/** Parses `ethtool -k`: "tcp-segmentation-offload: on", its parts indented, "[fixed]" or "[requested on]" behind. */
export function parseFeatures(text: string): ReadonlyMap<string, Feature> {
  const features = new Map<string, Feature & { readonly parts: Record<string, Feature> }>();
  let above: Record<string, Feature> = {};
  for (const line of text.split("\n")) {
    const [, indent, name = "", state, rest = ""] = /^(\s*)([a-z0-9_-]+): (on|off)(.*)$/.exec(line) ?? [];
    if (state === undefined) continue;
    const feature = { isOn: state === "on", isFixed: rest.includes("[fixed]"), parts: {} };
    if (indent === "") {
      features.set(name, feature);
      above = feature.parts;
    } else above[name] = feature;
  }
  return features;
}

/** `parts` are the states that a switch of the whole would change, so that each can be put back. */
const offloadSchema = z.preprocess(
  (value) => (typeof value === "boolean" ? { isOn: value } : value),
  z.strictObject({
    isOn: z.boolean(),
    isFixed: z.boolean().optional(),
    parts: z.record(z.string(), z.boolean()).optional(),
  }),
);

type Offload = z.output<typeof offloadSchema>;

/** Breaks the identification field of IPv4, so it is off where all other parts are on, and stays as it is. */
const NEVER_SWITCHED: ReadonlySet<string> = new Set(["tx-tcp-mangleid-segmentation"]);

interface OffloadArgs extends Pick<Knob<unknown>, "title" | "risk" | "kernelDefault" | "sources"> {
  /** As `ethtool -k` prints it. */
  readonly name: string;
  readonly anchors?: Knob<unknown>["anchors"];
  desired(nic: NicFacts, facts: HostFacts, profile: HostProfile): Desired<boolean>;
}

/**
 * An offload of a NIC. `ethtool -K eth0 tso on` switches parts that were off before it was switched off
 * (tx-tcp-mangleid-segmentation, measured on igb with Linux 6.1), so the parts are named one by one, and each is put back
 * to what it was.
 */
export function offloadKnob(args: OffloadArgs): AnyKnob {
  const { name } = args;
  return defineKnob<Offload>({
    id: `ethtool.features.${name}`,
    title: args.title,
    family: "nic",
    unit: "flag",
    scope: "nic",
    phase: "late",
    takesEffect: "now",
    survivesReboot: false,
    risk: args.risk,
    isReversible: true,
    kernelDefault: args.kernelDefault,
    anchors: args.anchors ?? { TuneD: "as the profile's net plugin says (features)" },
    sources: args.sources,
    value: offloadSchema,
    targets: physicalNics,
    absentBecause: NO_PHYSICAL_NIC,

    async read(host, target) {
      const feature = await readFeature(host, target.name, name);
      if (feature === undefined) return undefined;
      const parts = Object.entries(feature.parts)
        .filter(([part, { isFixed }]) => !isFixed && !NEVER_SWITCHED.has(part))
        .map(([part, { isOn }]) => [part, isOn] as const);
      return {
        isOn: feature.isOn,
        ...(feature.isFixed ? { isFixed: true } : {}),
        ...(parts.length === 0 ? {} : { parts: Object.fromEntries(parts) }),
      };
    },

    desired: (input) =>
      decideNic(input, (nic) => {
        const wanted = args.desired(nic, input.facts, input.profile);
        if (wanted.kind === "leave") return wanted;
        if (input.current.isFixed === true && input.current.isOn !== wanted.value) {
          return leave(
            `the driver does not let it be changed; wanted ${onOff(wanted.value)}: ${wanted.because}`,
          );
        }
        return { ...wanted, value: { isOn: wanted.value } };
      }),

    writes: (value, target, before) => [
      {
        kind: "tool",
        command: ["ethtool", "-K", target.name, ...switches(name, value.isOn, before)],
        undo: ["ethtool", "-K", target.name, ...originals(name, before)],
      },
    ],

    isSatisfied: (current, wanted) => current.isOn === wanted.isOn,
    format: ({ isOn }) => onOff(isOn),
  });
}

async function readFeature(host: Host, nic: string, name: string): Promise<Feature | undefined> {
  const stdout = await askEthtool(host, nic, "-k", name);
  if (stdout === undefined) return undefined;
  if (!stdout.includes("Features for")) throw unreadableAnswer(nic, "-k", name, stdout);
  return parseFeatures(stdout).get(name);
}

function switches(name: string, isOn: boolean, { parts }: Offload): string[] {
  const names = parts === undefined ? [name] : Object.keys(parts);
  return names.flatMap((part) => [part, onOff(isOn)]);
}

function originals(name: string, { isOn, parts }: Offload): string[] {
  const states = parts === undefined ? [[name, isOn] as const] : Object.entries(parts);
  return states.flatMap(([part, state]) => [part, onOff(state)]);
}

function onOff(value: boolean): string {
  return value ? "on" : "off";
}
