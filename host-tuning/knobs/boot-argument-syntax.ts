import * as z from "zod";
import type { Argument } from "../boot-loader/command-line.ts";
import { parseSizeKiB } from "../boot-loader/command-line.ts";
import { parseCpuList } from "../boot-loader/cpu-list.ts";
import { formatKernelList, kernelListSchema, parseKernelList } from "../sys/kernel-list.ts";
import type { ArgumentSyntax } from "./boot-argument.ts";

/** The last of several counts, as for most of the kernel's arguments. */
function lastValue(own: readonly Argument[]): string {
  return own.at(-1)?.value ?? "";
}

function canonicalList(text: string, lastCpu: number): string {
  const cpus = parseCpuList(text, lastCpu);
  return cpus === undefined ? text : formatKernelList(cpus);
}

/** A CPU list: "0-3,5" and "5,0-3" are the same. */
export function cpuListArgument(name: string): ArgumentSyntax {
  return {
    parse: (own, lastCpu) => canonicalList(lastValue(own), lastCpu),
    words: (value) => [`${name}=${value}`],
    schema: z.string().min(1).pipe(kernelListSchema),
  };
}

const ISOLCPUS_FLAGS: readonly string[] = ["nohz", "domain", "managed_irq"];

/**
 * Flags and a CPU list in one: "managed_irq,domain,5,0-3" is "domain,managed_irq,0-3,5"; without flags the kernel means
 * "domain". When it stands twice the kernel takes the first and passes over the other.
 */
export const ISOLCPUS_SYNTAX: ArgumentSyntax = {
  parse: (own, lastCpu) => {
    const text = own[0]?.value ?? "";
    const parts = text.split(",");
    const flags = parts.slice(0, firstNonFlag(parts));
    const list = canonicalList(parts.slice(flags.length).join(","), lastCpu);
    return [...inOrder(flags.length === 0 ? ["domain"] : flags), list].join(",");
  },
  words: (value) => [`isolcpus=${value}`],
  schema: z
    .string()
    .refine((text) => {
      const parts = text.split(",");
      const list = parts.slice(firstNonFlag(parts)).join(",");
      return list !== "" && parseKernelList(list) !== undefined;
    }, 'flags and a CPU list as in "domain,managed_irq,2-3"')
    .overwrite((text) => ISOLCPUS_SYNTAX.parse([argument("isolcpus", text)], 0)),
};

function firstNonFlag(parts: readonly string[]): number {
  const index = parts.findIndex((part) => !ISOLCPUS_FLAGS.includes(part));
  return index < 0 ? parts.length : index;
}

function inOrder(flags: readonly string[]): string[] {
  return ISOLCPUS_FLAGS.filter((flag) => flags.includes(flag));
}

function argument(name: string, value: string): Argument {
  return { name, value, start: 0, end: 0 };
}

/** Flags between commas, which add up over several words: "pt,nopanic" and "nopanic,pt" are the same. */
export function flagsArgument(name: string): ArgumentSyntax {
  const canonical = (flags: readonly string[]): string =>
    [...new Set(flags)]
      .filter((flag) => flag !== "")
      .toSorted()
      .join(",");
  return {
    parse: (own) => canonical(own.flatMap(({ value }) => (value ?? "").split(","))),
    words: (value) => [`${name}=${value}`],
    schema: z
      .string()
      .regex(/^[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*$/, 'flags as in "on,sm_on"')
      .overwrite((text) => canonical(text.split(","))),
  };
}

/** A whole number. */
export function numberArgument(name: string): ArgumentSyntax {
  return {
    parse: (own) => lastValue(own).replace(/^0+(?=\d)/, ""),
    words: (value) => [`${name}=${value}`],
    schema: z.string().regex(/^(0|[1-9]\d{0,9})$/, "a whole number"),
  };
}

/**
 * Huge pages of one size: a number for the whole host, "64", or for single nodes, "0:32,1:32". It takes two words, as
 * `hugepages=` counts pages of the `hugepagesz=` before it. The first of several counts: the kernel warns of the others.
 */
export function hugepagesArgument(size: "1G"): ArgumentSyntax {
  const canonical = (text: string): string =>
    text.includes(":")
      ? text
          .split(",")
          .toSorted((a, b) => Number.parseInt(a) - Number.parseInt(b))
          .join(",")
      : text;
  return {
    parse: (own) => canonical(own.find(({ name }) => name === "hugepages")?.value ?? "0"),
    words: (value) => [`hugepagesz=${size}`, `hugepages=${value}`],
    schema: z
      .string()
      .regex(
        /^(\d{1,7}|\d{1,4}:\d{1,7}(,\d{1,4}:\d{1,7})*)$/,
        'a number of pages, or "node:pages,node:pages"',
      )
      .overwrite(canonical),
  };
}

/** The argument's name of `hugepagesArgument` for the loader's files. */
export function hugepagesName(size: "1G"): string {
  return `hugepages:${parseSizeKiB(size)}`;
}
