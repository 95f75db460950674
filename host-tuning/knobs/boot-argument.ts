import * as z from "zod";
import type { Argument, ArgumentName } from "../boot-loader/command-line.ts";
import { UPDATE_GRUB, grubDropInPath, renderGrubDropIn } from "../boot-loader/grub-config.ts";
import { type SupportedLoader, readArgument } from "../boot-loader/read-arguments.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import type { Host } from "../sys/host.ts";
import { type AnyKnob, type Desired, type DesiredInput, type Knob, type Write, defineKnob } from "./knob.ts";
import { leave } from "./desired.ts";
import { inForce, nextStart } from "./pending-restart.ts";

/** The value of an argument that is not on the command line. */
export const NOT_SET = "not set";

/** COMMAND_LINE_SIZE of x86 and arm64, its end mark counted. What is longer is cut off without a word. */
const COMMAND_LINE_BYTES = 2048;

/** How one argument's words become a value that compares as the kernel takes it, and back. */
export interface ArgumentSyntax {
  /** Value in canonical form: ranges folded and sorted, flags in one order. The words are never empty. */
  parse(own: readonly Argument[], lastCpu: number): string;
  /** @param value one that `schema` has passed */
  words(value: string): readonly string[];
  readonly schema: z.ZodType<string>;
}

export interface BootArgument {
  readonly id: string;
  /** Absent: the id. */
  readonly argument?: ArgumentName;
  readonly syntax: ArgumentSyntax;
  readonly title: string;
  readonly unit: Knob<string>["unit"];
  readonly scope?: Knob<string>["scope"];
  readonly risk: Knob<string>["risk"];
  readonly kernelDefault: string;
  readonly kernelRange?: string;
  readonly sources: Knob<string>["sources"];
  readonly anchors?: Knob<string>["anchors"];
  /** Pure, from facts and profile; `current` is what the next boot brings. */
  desired(input: DesiredInput<string>): Desired<string>;
  /** Why a value on the running command line is not in force all the same: the kernel did not take it. */
  readonly readIgnored?: (host: Host, value: string) => Promise<string | undefined>;
}

function loaderOf(facts: HostFacts): SupportedLoader | undefined {
  const { kind } = facts.bootLoader;
  return kind === "unsupported" ? undefined : kind;
}

/**
 * A knob that is one argument of the kernel's command line. Its target is the boot loader, so that its place is part of
 * the plan. Value: what runs and, where the loader's files say something else, what the next boot brings:
 * "not set, domain,2-3 after a reboot". A value that stands on the running command line and that the kernel did not take
 * is never called in force, nor is a reboot promised to help.
 */
export function defineBootArgument(spec: BootArgument): AnyKnob {
  const { syntax, argument = spec.id, readIgnored } = spec;
  const written = z.union([z.literal(NOT_SET), syntax.schema]);
  return defineKnob<string>({
    id: spec.id,
    title: spec.title,
    family: "boot",
    unit: spec.unit,
    scope: spec.scope ?? "host",
    phase: "late",
    takesEffect: "reboot",
    survivesReboot: true,
    risk: spec.risk,
    isReversible: true,
    canCutOff: true,
    kernelDefault: spec.kernelDefault,
    sources: spec.sources,
    ...(spec.anchors === undefined ? {} : { anchors: spec.anchors }),
    ...(spec.kernelRange === undefined ? {} : { kernelRange: spec.kernelRange }),
    value: z.preprocess((value) => (typeof value === "number" ? String(value) : value), written),
    targets(facts) {
      const loader = loaderOf(facts);
      return loader === undefined ? [] : [{ name: loader }];
    },
    absentBecause: (facts) => `boot arguments: ${facts.bootLoader.because}`,

    async read(host, { name: loader }) {
      const reading = await readArgument(host, loader as SupportedLoader, argument);
      if (reading === undefined) return undefined;
      const lastCpu = await readLastCpu(host);
      const valueOf = (own: readonly Argument[]): string =>
        own.length === 0 ? NOT_SET : syntax.parse(own, lastCpu);
      const running = valueOf(reading.running);
      const configured = [...new Set(reading.configured.map(valueOf))].toSorted().join(" | ");
      if (running !== configured || running === NOT_SET) return inForce(running, configured, "reboot");
      const ignored = await readIgnored?.(host, running);
      return ignored === undefined ? running : `${running} (not in force: ${ignored})`;
    },

    desired(input) {
      const desired = spec.desired(input);
      if (desired.kind === "leave") return desired;
      const refusal = whyTooLong(input.facts, nextStart(input.current), syntax, desired.value);
      return refusal === undefined ? desired : leave(`refused: ${refusal}; would be ${desired.value}`);
    },

    writes: (value, { name: loader }) => [
      writeOf(loader as SupportedLoader, argument, value === NOT_SET ? [] : syntax.words(value)),
    ],
    isSatisfied: (current, wanted) => current === wanted,
    isPending: (current, wanted) => current !== wanted && nextStart(current) === wanted,
    explainShortfall: (_, found) =>
      found.includes("(not in force")
        ? "the kernel has it on its command line and did not take it: another reboot would not help"
        : "the boot loader's files do not say so for every entry after the write; something else sets it later",
  });
}

function writeOf(loader: SupportedLoader, argument: ArgumentName, words: readonly string[]): Write {
  if (loader !== "grub") return { kind: "boot-entries", loader, argument, words };
  return {
    kind: "config-file",
    path: grubDropInPath(argument),
    text: renderGrubDropIn(argument, words),
    reload: [[UPDATE_GRUB]],
  };
}

/** A list that does not fit is cut off by the kernel, and what is cut off may be root=. */
function whyTooLong(
  facts: HostFacts,
  configured: string,
  syntax: ArgumentSyntax,
  wanted: string,
): string | undefined {
  if (configured === wanted) return undefined;
  const bytes = (facts.kernel.commandLine ?? "").length + 1 + syntax.words(wanted).join(" ").length;
  return bytes < COMMAND_LINE_BYTES
    ? undefined
    : `the command line would have ${bytes} bytes, and the kernel takes ${COMMAND_LINE_BYTES - 1}`;
}

/** The "N" of kernel lists. */
async function readLastCpu(host: Host): Promise<number> {
  const possible = await host.readText("/sys/devices/system/cpu/possible");
  return Number(/(\d+)\s*$/.exec(possible ?? "")?.[1] ?? 0);
}
