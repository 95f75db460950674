import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { formatKernelList, parseKernelList } from "../sys/kernel-list.ts";
import { readWord } from "./kernel-file.ts";
import type { KernelFileWrite, Target } from "./knob.ts";

/** A setting that every CPU has a file for, taken as one for a set of CPUs: a plan of 256 equal lines tells nobody anything. */
export interface PerCpuFile {
  /** Below /sys/devices/system/cpu/cpuN: "power/energy_perf_bias". */
  readonly file: string;
  /** What the file may hold. */
  readonly pattern: RegExp;
}

/** The CPUs as the one target; none when there are none. */
export function cpusTarget(cpus: readonly number[]): readonly Target[] {
  return cpus.length === 0 ? [] : [{ name: `CPUs ${formatKernelList(cpus)}` }];
}

function cpusOf(target: Target): number[] {
  return parseKernelList(target.name.replace(/^CPUs /, "")) ?? [];
}

function pathOf(cpu: number, { file }: PerCpuFile): string {
  return `/sys/devices/system/cpu/cpu${cpu}/${file}`;
}

/**
 * The value that all the CPUs have, or each value with its CPUs: "6 on CPUs 0-3, 0 on CPUs 4-7".
 *
 * @returns `undefined` when one of the CPUs has no such file
 * @throws {TuningError} HOST_PARSE when a file holds anything else
 */
export async function readPerCpu(host: Host, target: Target, file: PerCpuFile): Promise<string | undefined> {
  const cpus = cpusOf(target);
  const words = await Promise.all(cpus.map(async (cpu) => await readOne(host, pathOf(cpu, file), file)));
  const byWord = new Map<string, number[]>();
  for (const [index, word] of words.entries()) {
    if (word === undefined) return undefined;
    byWord.set(word, [...(byWord.get(word) ?? []), cpus[index] ?? 0]);
  }
  const [only] = byWord.keys();
  if (byWord.size <= 1) return only;
  return [...byWord].map(([word, ids]) => `${word} on CPUs ${formatKernelList(ids)}`).join(", ");
}

async function readOne(host: Host, path: string, { pattern }: PerCpuFile): Promise<string | undefined> {
  const word = await readWord(host, path);
  if (word === undefined || pattern.test(word)) return word;
  throw new TuningError("HOST_PARSE", path, `Cannot read ${path}: holds "${word}"`);
}

/** The values in a text that `readPerCpu` gave. */
export function wordsIn(current: string): string[] {
  return current.split(", ").map((part) => part.replace(/ on CPUs [\d,-]+$/, ""));
}

export function writesPerCpu(value: string, target: Target, file: PerCpuFile): KernelFileWrite[] {
  return cpusOf(target).map((cpu) => ({ kind: "kernel-file", path: pathOf(cpu, file), text: `${value}\n` }));
}
