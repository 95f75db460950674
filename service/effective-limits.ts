import { open, readFile, readlink } from "node:fs/promises";

/** Sysctls that every network namespace has its own copy of, so the host's value proves nothing about a container. */
const NAMESPACE_SYSCTLS = [
  "net.core.somaxconn",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_max_syn_backlog",
  "net.ipv4.tcp_notsent_lowat",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_slow_start_after_idle",
  "net.ipv4.tcp_tw_reuse",
  "net.ipv4.tcp_wmem",
] as const;

export interface EffectiveLimits {
  readonly openFilesSoft: number | null;
  readonly openFilesHard: number | null;
  readonly cpusAllowedList: string | null;
  readonly memsAllowedList: string | null;
  readonly numaPolicy: string | null;
  readonly cgroup: string | null;
  readonly networkNamespace: string | null;
  readonly sysctls: Readonly<Record<string, string | null>>;
}

/** Limits of this very process, and the sysctls of the network namespace that it is in, as the kernel has them now. */
export async function readEffectiveLimits(): Promise<EffectiveLimits> {
  const [limits, status, cgroup, numaMaps, networkNamespace, sysctls] = await Promise.all([
    readOptional("/proc/self/limits"),
    readOptional("/proc/self/status"),
    readOptional("/proc/self/cgroup"),
    readFirstLine("/proc/self/numa_maps"),
    readlink("/proc/self/ns/net").catch(nullWhenAbsent),
    readNamespaceSysctls(),
  ]);
  const openFiles = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits ?? "");
  return {
    openFilesSoft: parseLimit(openFiles?.[1]),
    openFilesHard: parseLimit(openFiles?.[2]),
    cpusAllowedList: statusField(status, "Cpus_allowed_list"),
    memsAllowedList: statusField(status, "Mems_allowed_list"),
    numaPolicy: numaMaps?.split(" ")[1] ?? null,
    cgroup: cgroup === null ? null : (/^0::(.*)$/m.exec(cgroup)?.[1] ?? null),
    networkNamespace,
    sysctls,
  };
}

/** net.core.somaxconn of this network namespace; null where there is none to read. */
export async function readSomaxconn(): Promise<number | null> {
  const text = await readOptional("/proc/sys/net/core/somaxconn");
  return text === null ? null : parseLimit(text.trim());
}

async function readNamespaceSysctls(): Promise<Record<string, string | null>> {
  const pairs = await Promise.all(
    NAMESPACE_SYSCTLS.map(async (key) => {
      const text = await readOptional(`/proc/sys/${key.replaceAll(".", "/")}`);
      return [key, text === null ? null : text.trim().replaceAll(/\s+/g, " ")] as const;
    }),
  );
  return Object.fromEntries(pairs);
}

function parseLimit(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

function statusField(status: string | null, name: string): string | null {
  return new RegExp(String.raw`^${name}:\s*(\S+)$`, "m").exec(status ?? "")?.[1] ?? null;
}

function nullWhenAbsent(error: unknown): null {
  if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EACCES"))
    return null;
  throw error;
}

async function readOptional(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(nullWhenAbsent);
}

/** The kernel walks every mapping to fill numa_maps, and only the first line is wanted. */
async function readFirstLine(path: string): Promise<string | null> {
  const file = await open(path, "r").catch(nullWhenAbsent);
  if (file === null) return null;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.toString("utf8", 0, bytesRead).split("\n")[0] ?? null;
  } finally {
    await file.close();
  }
}
