import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { formatKernelMask, parseKernelMask } from "../sys/kernel-list.ts";
import { readWord } from "./kernel-file.ts";

/** A CPU mask as the kernel prints one. */
export const cpuMaskSchema = z
  .string()
  .refine((mask) => parseKernelMask(mask) !== undefined, 'a CPU mask as in "00000001,0000000f"');

/** @throws {TuningError} HOST_PARSE when the file holds anything else */
export async function readMask(host: Host, path: string): Promise<string | undefined> {
  const mask = await readWord(host, path);
  if (mask !== undefined && parseKernelMask(mask) === undefined) {
    throw new TuningError("HOST_PARSE", path, `Cannot read ${path}: holds "${mask}", expected a CPU mask`);
  }
  return mask;
}

/** A mask as wide as the kernel prints it on this host: a digit for every four possible CPUs, a comma every eight digits. */
export function maskLike(printed: string, cpus: readonly number[]): string {
  const digits = printed.replaceAll(",", "").length;
  const bare = formatKernelMask(cpus)
    .replaceAll(",", "")
    .replace(/^0+(?=.)/, "");
  return bare.padStart(digits, "0").replace(/\B(?=(?:[0-9a-f]{8})+$)/g, ",");
}

export function isSameMask(a: string, b: string): boolean {
  return parseKernelMask(a)?.join(",") === parseKernelMask(b)?.join(",");
}
