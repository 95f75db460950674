import { machine } from "node:os";
import type { CpuInfo } from "./cpu-info.ts";
import type { FactReader } from "./fact-reader.ts";

export interface KernelReading {
  readonly hostname: string | null;
  readonly release: string | null;
  readonly commandLine: string | null;
}

/**
 * Reads who the host is: /proc/sys/kernel/hostname, /proc/sys/kernel/osrelease (/proc/version where that is absent)
 * and /proc/cmdline.
 *
 * @see https://docs.kernel.org/admin-guide/sysctl/kernel.html
 */
export async function readKernel(reader: FactReader): Promise<KernelReading> {
  const [hostname, release, version, commandLine] = await Promise.all([
    reader.label("/proc/sys/kernel/hostname"),
    reader.label("/proc/sys/kernel/osrelease"),
    reader.label("/proc/version"),
    reader.label("/proc/cmdline"),
  ]);
  return {
    hostname: hostname ?? null,
    release: release ?? /^Linux version (\S+)/.exec(version ?? "")?.[1] ?? null,
    commandLine: commandLine ?? null,
  };
}

/**
 * The architecture as `uname -m` prints it: from /proc/sys/kernel/arch (since Linux 6.1), else from the running system,
 * else, for a captured tree, from what /proc/cpuinfo gives away; "unknown" otherwise.
 *
 * @see https://docs.kernel.org/admin-guide/sysctl/kernel.html#arch
 */
export async function readArchitecture(reader: FactReader, info: CpuInfo): Promise<string> {
  const path = "/proc/sys/kernel/arch";
  const named = await reader.label(path);
  if (named !== undefined && /^\w{1,32}$/.test(named)) return named;
  if (named !== undefined) reader.note(path, "Not the name of an architecture");
  if (reader.host.isLive) return machine();
  const guessed = architectureOf(info);
  if (guessed === undefined) reader.note(path, "Absent, and /proc/cpuinfo does not give it away");
  return guessed ?? "unknown";
}

/** x86 says `lm` (long mode) when it is 64-bit; Arm gives the number of its architecture. */
function architectureOf(info: CpuInfo): string | undefined {
  if (info.flags.has("lm")) return "x86_64";
  if (info.flags.has("fpu") && info.flags.has("tsc")) return "i686";
  if (info.armArchitecture === undefined) return undefined;
  return info.armArchitecture >= 8 ? "aarch64" : `armv${info.armArchitecture}l`;
}

/** arm64: the page size follows from the size of a PMD block, which is the default huge page. */
const ARM64_PAGE_BYTES_BY_PMD_KIB: ReadonlyMap<number, number> = new Map([
  [2048, 4096],
  [32_768, 16_384],
  [524_288, 65_536],
]);

/**
 * Page size. x86 has 4096 always. arm64 is built for 4, 16 or 64 KiB; no file says which, and getconf would be a
 * process, so it is told by the size of a PMD block: hpage_pmd_size, else the default huge page.
 *
 * @see https://docs.kernel.org/arch/arm64/hugetlbpage.html
 */
export async function readPageBytes(
  reader: FactReader,
  architecture: string,
  defaultHugepageKiB: number | undefined,
): Promise<number> {
  if (/^(x86_64|i[3-6]86|armv[67]\w*)$/.test(architecture)) return 4096;
  const path = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size";
  const pmdBytes = await reader.integer(path);
  const pmdKiB = pmdBytes === undefined ? defaultHugepageKiB : pmdBytes / 1024;
  const pageBytes = architecture === "aarch64" ? ARM64_PAGE_BYTES_BY_PMD_KIB.get(pmdKiB ?? 0) : undefined;
  if (pageBytes === undefined) reader.note(path, "Does not tell the page size: 4096 bytes taken");
  return pageBytes ?? 4096;
}
