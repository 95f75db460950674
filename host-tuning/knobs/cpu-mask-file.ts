import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { formatKernelList, formatKernelMask, parseKernelList, parseKernelMask } from "../sys/kernel-list.ts";
import { readWord } from "./kernel-file.ts";
import type { KernelFileWrite } from "./knob.ts";

/**
 * The CPUs of a file that holds a hexadecimal mask, in list form, so that people and overrides have one spelling.
 *
 * @throws {TuningError} HOST_PARSE when it holds anything else
 */
export async function readMask(host: Host, path: string): Promise<string | undefined> {
  const word = await readWord(host, path);
  if (word === undefined) return undefined;
  const cpus = parseKernelMask(word);
  if (cpus === undefined)
    throw new TuningError("HOST_PARSE", path, `Cannot read ${path}: holds "${word}", expected a CPU mask`);
  return formatKernelList(cpus);
}

export function writeMask(path: string, cpus: string): KernelFileWrite {
  return { kind: "kernel-file", path, text: `${formatKernelMask(parseKernelList(cpus) ?? [])}\n` };
}
