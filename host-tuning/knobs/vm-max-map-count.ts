import { basename } from "node:path";
import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { clamp, powerOfTwoAtLeast, raiseTo } from "./desired.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** The kernel's default: the ELF core dump's 16-bit section count less a few. */
const KERNEL_DEFAULT = 65_530;

/** Our choice: about 230 MB of kernel memory for a process that uses them all. */
const MOST = 1_048_576;

const KIB = 1024;

/** V8 maps its heap in pages of 256 KiB: the most a Node process needs in the course of things. */
const HEAP_PAGE_BYTES = 256 * KIB;

/** A vector index, many isolates or a JVM map smaller pieces. Our choice. */
const SMALL_MAP_BYTES = 64 * KIB;

/**
 * vm.max_map_count: memory mappings that one process may have.
 *
 * Node.js died of the default on large hosts (amazon-ecs-ami#251). Anchors: 262144 (TuneD openshift), 524288 (EKS,
 * Bottlerocket), 1600000 (TuneD mssql), 2147483647 (saptune). The memory that there is to map decides: one mapping for
 * each 256 KiB, for each 64 KiB where the profile says that the service uses many. The preset has no say.
 *
 * @unit maps
 * @example 64 GiB / 256 KiB = 262 144; 2 GiB need 8192, so the kernel's 65 530 stays
 */
export const vmMaxMapCount = integerSysctl({
  id: "vm.max_map_count",
  title: "Memory mappings of one process",
  unit: "maps",
  scope: "host",
  takesEffect: "now",
  range: [0, INT32_MAX],
  risk: { level: "low", what: "a runaway process can take more kernel memory, about 230 bytes a mapping" },
  kernelDefault: "65530",
  anchors: { "EKS AMI": "524288", TuneD: "openshift: 262144, mssql: 1600000", saptune: "2147483647" },
  evidence: mostMappings,
  sources: [
    "https://docs.kernel.org/admin-guide/sysctl/vm.html#max-map-count",
    "https://github.com/aws/amazon-ecs-ami/issues/251",
  ],
  desired(input) {
    const { usesMemoryMaps } = input.profile.workload;
    const mapBytes = usesMemoryMaps ? SMALL_MAP_BYTES : HEAP_PAGE_BYTES;
    const { totalBytes } = input.facts.memory;
    const needed = Math.ceil(totalBytes / mapBytes);
    const value =
      needed <= KERNEL_DEFAULT ? KERNEL_DEFAULT : clamp(powerOfTwoAtLeast(needed), KERNEL_DEFAULT, MOST);
    const because = `${needed} mappings of ${mapBytes / KIB} KiB (${usesMemoryMaps ? "small ones, as the profile says" : "a V8 heap page"}) cover ${totalBytes} bytes of memory; between ${KERNEL_DEFAULT} and ${MOST}`;
    return raiseTo({ value, because }, input);
  },
});

/** The process nearest to the limit: the kernel counts no refused mapping, so this is what can be known. */
async function mostMappings(host: Host): Promise<string | undefined> {
  let most: { readonly pid: string; readonly maps: number } | undefined;
  for (const pid of (await host.list("/proc")).filter((name) => /^\d+$/.test(name))) {
    const maps = await mappingsOf(host, pid);
    if (maps > (most?.maps ?? 0)) most = { pid, maps };
  }
  if (most === undefined) return undefined;
  // Not comm: Node calls its main thread MainThread.
  const [program = ""] = ((await host.readText(`/proc/${most.pid}/cmdline`)) ?? "").split("\0");
  const name = program === "" ? "a process that has ended" : basename(program);
  return `${most.maps} mappings now in ${name} (process ${most.pid}), the most of any whose /proc/<pid>/maps can be read`;
}

/** 0 for a process that has ended, has no memory of its own (a kernel thread) or is not ours to look at. */
async function mappingsOf(host: Host, pid: string): Promise<number> {
  try {
    const text = await host.readText(`/proc/${pid}/maps`);
    return text === undefined ? 0 : text.split("\n").length - 1;
  } catch (error) {
    // EACCES for another user's, ESRCH for one that ended between open and read.
    if (error instanceof TuningError && error.code === "HOST_READ") return 0;
    throw error;
  }
}
