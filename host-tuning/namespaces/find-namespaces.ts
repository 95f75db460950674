import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";

/** A network namespace that is not the host's, and what runs in it. */
export interface FoundNamespace {
  /** As /proc/PID/ns/net says it: "net:[4026532281]". */
  readonly namespace: string;
  /** A process that holds it, to enter it by. */
  readonly pid: number;
  /** "mcp-service.service", "pod 3f2a...", "docker 0123456789ab". */
  readonly services: readonly string[];
  readonly runtime: Runtime;
}

export type Runtime = "systemd" | "kubernetes" | "docker" | "podman" | "containerd" | "cri-o" | "other";

export interface NamespaceSearch {
  readonly namespaces: readonly FoundNamespace[];
  /** Services whose namespace could not be told, with the reason: nobody but root may look. */
  readonly unknown: readonly { readonly service: string; readonly because: string }[];
}

const CGROUPS = "/sys/fs/cgroup";

/** Where container runtimes put their cgroups, with the systemd driver and with cgroupfs, below cgroup v2. */
const CONTAINER_FOLDERS = [
  "kubepods.slice",
  "kubepods",
  "system.slice",
  "machine.slice",
  "docker",
  "machine",
];

/** Containers lie at most this deep: kubepods.slice / QoS class / pod / container / its own cgroups. */
const MOST_DEPTH = 6;

/** A container's cgroup; monitors (libpod-conmon-..., crio-conmon-...) run on the host and are none. */
const CONTAINER = /^(?:(docker|libpod|crio|cri-containerd)-)?([0-9a-f]{64})(?:\.scope)?$/;

const RUNTIME_BY_PREFIX: Readonly<Record<string, Runtime>> = {
  docker: "docker",
  libpod: "podman",
  crio: "cri-o",
  "cri-containerd": "containerd",
};

interface Candidate {
  readonly service: string;
  readonly runtime: Runtime;
  readonly pid: number;
}

/**
 * Network namespaces of the profile's service and of all containers on this host that are not the host's own. Found by
 * cgroup, so no runtime is asked; cgroup v2 only. Containers of one pod share a namespace and are one finding.
 */
export async function findNamespaces(
  host: Host,
  unitPid: number | undefined,
  unit: string,
): Promise<NamespaceSearch> {
  const own = await hostNamespace(host);
  const unitCandidate: Candidate[] =
    unitPid === undefined ? [] : [{ service: unit, runtime: "systemd", pid: unitPid }];
  const candidates = [...unitCandidate, ...(await findContainers(host))];
  const found = new Map<string, FoundNamespace>();
  const unknown: { service: string; because: string }[] = [];
  for (const { service, runtime, pid } of candidates) {
    const namespace = await host.readLink(`/proc/${pid}/ns/net`).catch(absentWhenUnreadable);
    if (namespace === undefined || own === undefined) {
      if (await host.exists(`/proc/${pid}`))
        unknown.push({ service, because: `/proc/${pid}/ns/net cannot be read, which needs root` });
      continue;
    }
    if (namespace === own) continue;
    const before = found.get(namespace);
    const services = [...new Set([...(before?.services ?? []), service])];
    found.set(
      namespace,
      before === undefined ? { namespace, pid, services, runtime } : { ...before, services },
    );
  }
  return { namespaces: [...found.values()], unknown };
}

/** The host's: that of PID 1, or where that may not be looked at, the agent's own, which is started on the host. */
async function hostNamespace(host: Host): Promise<string | undefined> {
  const first = await host.readLink("/proc/1/ns/net").catch(absentWhenUnreadable);
  return first ?? (await host.readLink("/proc/self/ns/net").catch(absentWhenUnreadable));
}

/** A process of somebody else: its namespace is not known, which is not a fault of the host. */
function absentWhenUnreadable(error: unknown): undefined {
  if (error instanceof TuningError && error.code === "HOST_READ") return undefined;
  throw error;
}

async function findContainers(host: Host): Promise<Candidate[]> {
  const found = await Promise.all(
    CONTAINER_FOLDERS.map((folder) => containersBelow(host, `${CGROUPS}/${folder}`, MOST_DEPTH)),
  );
  return found.flat();
}

async function containersBelow(host: Host, folder: string, depth: number): Promise<Candidate[]> {
  const name = folder.slice(folder.lastIndexOf("/") + 1);
  const container = CONTAINER.exec(name);
  if (container !== null) {
    const pid = await firstPid(host, folder, 2);
    return pid === undefined ? [] : [{ ...nameOf(folder, container), pid }];
  }
  // A service's own cgroups hold no containers but for what a runtime puts there; Kubernetes' are slices all the way.
  if (depth === 0 || name.endsWith(".service")) return [];
  const below = (await host.list(folder)).filter((entry) => mayHold(entry));
  return (
    await Promise.all(below.map((entry) => containersBelow(host, `${folder}/${entry}`, depth - 1)))
  ).flat();
}

/** Folders of a cgroup, told from its files (cgroup.procs, memory.max) by name. */
function mayHold(entry: string): boolean {
  return CONTAINER.test(entry) || /(?:\.slice|^pod[0-9a-f-]{36}|^besteffort|^burstable)$/.test(entry);
}

function nameOf(folder: string, [, prefix, id = ""]: RegExpExecArray): Omit<Candidate, "pid"> {
  const pod = /pod([0-9a-f]{8}[-_][0-9a-f_-]{27})/.exec(folder)?.[1];
  if (pod !== undefined) return { service: `pod ${pod.replaceAll("_", "-")}`, runtime: "kubernetes" };
  const parent = folder.split("/").at(-2);
  const runtime = RUNTIME_BY_PREFIX[prefix ?? ""] ?? (parent === "docker" ? "docker" : "other");
  return { service: `${runtime === "other" ? "container" : runtime} ${id.slice(0, 12)}`, runtime };
}

/** First process of a cgroup, or of one below it: podman and systemd in a container make their own. */
async function firstPid(host: Host, folder: string, depth: number): Promise<number | undefined> {
  const first = (await host.readText(`${folder}/cgroup.procs`))?.trim().split("\n")[0] ?? "";
  // 0 is a process of another PID namespace, as a tree captured inside a container shows.
  if (/^[1-9]\d*$/.test(first)) return Number(first);
  if (depth === 0) return undefined;
  for (const entry of (await host.list(folder)).filter((name) => !/^\w+\./.test(name))) {
    const pid = await firstPid(host, `${folder}/${entry}`, depth - 1);
    if (pid !== undefined) return pid;
  }
  return undefined;
}
