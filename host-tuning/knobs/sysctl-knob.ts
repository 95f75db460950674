import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { type AnyKnob, type DesiredInput, type Desired, type Family, type Knob, defineKnob } from "./knob.ts";

/** Largest value of a kernel `int`. */
export const INT32_MAX = 2_147_483_647;
export const UINT32_MAX = 4_294_967_295;

/** What a sysctl knob says for itself; the rest follows from its id. */
interface SysctlArgs<V>
  extends
    Pick<Knob<V>, "title" | "unit" | "scope" | "takesEffect" | "risk" | "kernelDefault" | "sources">,
    Partial<Pick<Knob<V>, "anchors" | "evidence" | "after">> {
  /** As `sysctl` prints it: dots, no slashes. */
  readonly id: `${Family}.${string}`;
  /** Smallest and largest number that the kernel takes, from its table or tried in a namespace of its own. */
  readonly range: readonly [least: number, most: number];
  readonly kernelRange?: string;
  /** Late for what a module or a device brings; the default is early, before the network. */
  readonly phase?: "early" | "late";
  readonly counterpart?: string;
  readonly format?: (value: V) => string;
  desired(input: DesiredInput<V>): Desired<V>;
}

/** File of a sysctl: net.core.somaxconn is /proc/sys/net/core/somaxconn. */
export function sysctlPath(id: string): string {
  return `/proc/sys/${id.replaceAll(".", "/")}`;
}

/**
 * A sysctl that holds one whole number. Numbers above 2^53 (fs.file-max on systemd hosts is 2^63-1) are read as
 * 2^53-1, which is more than any knob asks for.
 */
export function integerSysctl(args: SysctlArgs<number>): AnyKnob {
  const path = sysctlPath(args.id);
  return defineKnob<number>({
    ...sysctlFields(args),
    value: z.int().min(args.range[0]).max(args.range[1]),
    async read(host) {
      const numbers = await readIntegers(host, path, 1);
      return numbers?.[0];
    },
    writes: (value) => [kernelFile(path, String(value), args.counterpart)],
  });
}

/**
 * A sysctl that holds several whole numbers in a row (tcp_rmem, ip_local_port_range). Its value is their text with
 * one space between, as a person writes it in an override: "4096 131072 6291456".
 */
export function integersSysctl(
  args: Omit<SysctlArgs<string>, "desired"> & {
    readonly count: number;
    desired(input: DesiredInput<string> & { readonly numbers: readonly number[] }): Desired<string>;
  },
): AnyKnob {
  const path = sysctlPath(args.id);
  const [least, most] = args.range;
  return defineKnob<string>({
    ...sysctlFields<string>({
      ...args,
      desired: (input) => args.desired({ ...input, numbers: numbersOf(input.current) }),
    }),
    value: z
      .string()
      .refine(
        (text) => /^\d+( \d+)*$/.test(text) && hasRisingNumbers(text, args.count, least, most),
        `${args.count} whole numbers from ${least} to ${most}, none smaller than the one before, one space between`,
      ),
    async read(host) {
      const numbers = await readIntegers(host, path, args.count);
      return numbers?.join(" ");
    },
    writes: (value) => [kernelFile(path, value, args.counterpart)],
  });
}

/** Numbers of a text that `read` or an override gave. */
function numbersOf(text: string): number[] {
  return text.split(" ").map(Number);
}

function hasRisingNumbers(text: string, count: number, least: number, most: number): boolean {
  const numbers = numbersOf(text);
  return (
    numbers.length === count &&
    numbers.every((value, index) => value >= least && value <= most && value >= (numbers[index - 1] ?? least))
  );
}

function sysctlFields<V>(args: SysctlArgs<V>) {
  return {
    id: args.id,
    title: args.title,
    family: familyOf(args.id),
    unit: args.unit,
    scope: args.scope,
    phase: args.phase ?? "early",
    takesEffect: args.takesEffect,
    survivesReboot: false,
    isReversible: true,
    risk: args.risk,
    kernelDefault: args.kernelDefault,
    ...(args.kernelRange === undefined ? {} : { kernelRange: args.kernelRange }),
    sources: args.sources,
    ...(args.anchors === undefined ? {} : { anchors: args.anchors }),
    ...(args.evidence === undefined ? {} : { evidence: args.evidence }),
    ...(args.after === undefined ? {} : { after: args.after }),
    ...(args.format === undefined ? {} : { format: args.format }),
    desired: (input: DesiredInput<V>) => args.desired(input),
  } as const;
}

function familyOf(id: `${Family}.${string}`): Family {
  return id.slice(0, id.indexOf(".")) as Family;
}

function kernelFile(path: string, text: string, counterpart: string | undefined) {
  return {
    kind: "kernel-file",
    path,
    text: `${text}\n`,
    ...(counterpart === undefined ? {} : { counterpart }),
  } as const;
}

/**
 * Whole numbers of a kernel file.
 *
 * @throws {TuningError} HOST_PARSE when the file holds anything else
 */
async function readIntegers(host: Host, path: string, count: number): Promise<number[] | undefined> {
  const text = await host.readText(path);
  if (text === undefined) return undefined;
  const words = text.trim().split(/\s+/);
  if (words.length !== count || !words.every((word) => /^-?\d+$/.test(word))) {
    const wanted = count === 1 ? "a whole number" : `${count} whole numbers`;
    throw new TuningError(
      "HOST_PARSE",
      path,
      `Cannot read ${path}: expected ${wanted}, found ${JSON.stringify(text)}`,
    );
  }
  return words.map((word) => Math.min(Number(word), Number.MAX_SAFE_INTEGER));
}
