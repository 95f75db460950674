import { parseInteger } from "./fact-reader.ts";

/** What /proc/cpuinfo says; its fields differ by architecture and most are absent on Arm. */
export interface CpuInfo {
  readonly vendor: string | null;
  readonly model: string | null;
  /** x86 `flags` and Arm `Features` of the first CPU. */
  readonly flags: ReadonlySet<string>;
  /** `CPU architecture` of Arm: 8 for AArch64. */
  readonly armArchitecture: number | undefined;
  readonly cpus: ReadonlyMap<
    number,
    { readonly package: number | undefined; readonly core: number | undefined }
  >;
}

/** Designers by the `CPU implementer` code of the Arm main ID register, as lscpu names them. */
const ARM_IMPLEMENTERS: Readonly<Record<string, string>> = {
  "0x41": "ARM",
  "0x42": "Broadcom",
  "0x43": "Cavium",
  "0x46": "FUJITSU",
  "0x48": "HiSilicon",
  "0x4e": "NVIDIA",
  "0x50": "APM",
  "0x51": "Qualcomm",
  "0x61": "Apple",
  "0x6d": "Microsoft",
  "0xc0": "Ampere",
};

function clean(text: string | undefined): string | null {
  const shown = text
    ?.replaceAll(/[\p{Cc}\uFFFD\s]+/gu, " ")
    .trim()
    .slice(0, 200);
  return shown === undefined || shown === "" ? null : shown;
}

/**
 * Parses /proc/cpuinfo. Lines that are no `name : value` are passed over: the format was never a contract.
 *
 * @see https://docs.kernel.org/filesystems/proc.html
 */
export function parseCpuInfo(text: string): CpuInfo {
  const first = new Map<string, string>();
  const cpus = new Map<number, { package: number | undefined; core: number | undefined }>();
  let current: { package: number | undefined; core: number | undefined } | undefined;
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    const name = line.slice(0, colon).trim();
    const value = line.slice(colon + 1).trim();
    if (!first.has(name)) first.set(name, value);
    if (name === "processor") {
      const id = parseInteger(value);
      current = undefined;
      if (id === undefined || id < 0 || id > 65_535) continue;
      current = { package: undefined, core: undefined };
      cpus.set(id, current);
    } else if (name === "physical id" && current !== undefined) current.package = parseInteger(value);
    else if (name === "core id" && current !== undefined) current.core = parseInteger(value);
  }
  const implementer = first.get("CPU implementer")?.toLowerCase();
  return {
    vendor: clean(
      first.get("vendor_id") ?? (implementer === undefined ? undefined : ARM_IMPLEMENTERS[implementer]),
    ),
    model: clean(first.get("model name") ?? first.get("Processor") ?? first.get("cpu model")),
    flags: new Set((first.get("flags") ?? first.get("Features") ?? "").split(/\s+/)),
    armArchitecture: parseInteger(first.get("CPU architecture") ?? ""),
    cpus,
  };
}
