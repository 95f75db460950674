import { formatKernelList } from "../sys/kernel-list.ts";
import { type CpuInfo, parseCpuInfo } from "./cpu-info.ts";
import { type FactReader, parseInteger, quote } from "./fact-reader.ts";
import { readCpuIdle } from "./cpu-idle.ts";
import type { HostFacts } from "./host-facts.ts";

const CPU_DIRECTORY = "/sys/devices/system/cpu";

/** What the kernel says about one online CPU. */
export interface CpuTopology {
  readonly id: number;
  /** physical_package_id as the kernel gives it: 36 on some Arm machines, -1 where the firmware names none. */
  readonly package: number;
  /** core_id; unique within a package or a cluster only, so cores are counted by siblings and never by this. */
  readonly core: number;
  /** Online CPUs of the same physical core, itself included. */
  readonly siblings: readonly number[];
}

export interface CpuReading {
  readonly info: CpuInfo;
  readonly online: readonly number[];
  readonly offline: readonly number[];
  readonly isolated: readonly number[];
  readonly topology: readonly CpuTopology[];
  readonly governors: readonly string[];
  readonly frequencyPolicies: readonly string[];
  readonly idle: HostFacts["cpu"]["idle"];
}

function compareByNumber(a: string, b: string): number {
  return Number(/\d+/.exec(a)?.[0] ?? 0) - Number(/\d+/.exec(b)?.[0] ?? 0);
}

/** CPU numbers that have a directory `cpuN`. */
async function readDirectories(reader: FactReader): Promise<number[]> {
  return (await reader.entries(CPU_DIRECTORY))
    .flatMap((name) => parseInteger(/^cpu(\d{1,5})$/.exec(name)?.[1] ?? "") ?? [])
    .toSorted((a, b) => a - b);
}

/** Kernels before 2.6.28 have no list of online CPUs: one is online unless its own `online` file says 0. */
async function readOnlineByDirectory(reader: FactReader, directories: readonly number[]): Promise<number[]> {
  const flags = await Promise.all(
    directories.map((id) => reader.integer(`${CPU_DIRECTORY}/cpu${id}/online`)),
  );
  return directories.filter((_, index) => flags[index] !== 0);
}

/** The CPUs in use and those that are there and are not, from the best source that this host has. */
async function readOnlineAndOffline(
  reader: FactReader,
  info: CpuInfo,
): Promise<{ online: number[]; offline: number[] }> {
  const [listed, present, directories] = await Promise.all([
    reader.kernelList(`${CPU_DIRECTORY}/online`),
    reader.kernelList(`${CPU_DIRECTORY}/present`),
    readDirectories(reader),
  ]);
  if (directories.length === 0) {
    const online = listed !== undefined && listed.length > 0 ? listed : [...info.cpus.keys()];
    if (online.length === 0) reader.note(CPU_DIRECTORY, "Names no CPU, and /proc/cpuinfo names none");
    return { online: online.toSorted((a, b) => a - b), offline: [] };
  }
  const there = new Set(directories);
  const known = listed?.filter((id) => there.has(id));
  if (listed !== undefined && known?.length !== listed.length) {
    reader.note(
      `${CPU_DIRECTORY}/online`,
      `Names CPUs without a directory: ${formatKernelList(listed.filter((id) => !there.has(id)))}`,
    );
  }
  const online =
    known !== undefined && known.length > 0 ? known : await readOnlineByDirectory(reader, directories);
  const isOnline = new Set(online);
  const candidates = present ?? directories;
  return { online, offline: candidates.filter((id) => there.has(id) && !isOnline.has(id)) };
}

/** Siblings of one CPU: core_cpus since Linux 5.3, thread_siblings (the same, by its old name) before, masks before 2.6.26. */
async function readSiblings(reader: FactReader, directory: string): Promise<number[] | undefined> {
  return (
    (await reader.kernelList(`${directory}/core_cpus_list`)) ??
    (await reader.listOrMask(`${directory}/thread_siblings_list`, `${directory}/thread_siblings`))
  );
}

async function readOne(
  reader: FactReader,
  id: number,
  info: CpuInfo,
  isOnline: ReadonlySet<number>,
): Promise<CpuTopology> {
  const directory = `${CPU_DIRECTORY}/cpu${id}/topology`;
  const [packageId, coreId, siblings] = await Promise.all([
    reader.integer(`${directory}/physical_package_id`),
    reader.integer(`${directory}/core_id`),
    readSiblings(reader, directory),
  ]);
  const fromInfo = info.cpus.get(id);
  return {
    id,
    package: packageId ?? fromInfo?.package ?? -1,
    core: coreId ?? fromInfo?.core ?? -1,
    siblings:
      siblings === undefined ? siblingsFromInfo(id, info, isOnline) : withSelf(siblings, id, isOnline),
  };
}

function withSelf(siblings: readonly number[], id: number, isOnline: ReadonlySet<number>): number[] {
  return [...new Set([...siblings.filter((sibling) => isOnline.has(sibling)), id])].toSorted((a, b) => a - b);
}

/** /proc/cpuinfo names package and core on x86; where nothing does, a CPU is a core of its own, as the kernel assumes too. */
function siblingsFromInfo(id: number, info: CpuInfo, isOnline: ReadonlySet<number>): number[] {
  const own = info.cpus.get(id);
  if (own?.core === undefined || own.package === undefined) return [id];
  const same = [...info.cpus].filter(([, cpu]) => cpu.package === own.package && cpu.core === own.core);
  return withSelf(
    same.map(([other]) => other),
    id,
    isOnline,
  );
}

/**
 * Threads of one core share its core_id. Where the kernel lists siblings with different ids (AMD's Bulldozer modules:
 * two cores that share a front end) they are cores of their own, as hwloc counts them too.
 */
function splitByCoreId(topology: readonly CpuTopology[]): CpuTopology[] {
  const coreOf = new Map(topology.map((cpu) => [cpu.id, cpu.core]));
  return topology.map((cpu) => ({
    ...cpu,
    siblings: cpu.siblings.filter((sibling) => coreOf.get(sibling) === cpu.core),
  }));
}

/** Siblings must agree with each other; a tree in which they do not is told, since cores are counted by them. */
function noteAsymmetry(reader: FactReader, topology: readonly CpuTopology[]): void {
  const keys = new Map(topology.map((cpu) => [cpu.id, cpu.siblings.join()]));
  for (const cpu of topology) {
    const other = cpu.siblings.find((sibling) => keys.get(sibling) !== keys.get(cpu.id));
    if (other !== undefined) {
      reader.note(
        `${CPU_DIRECTORY}/cpu${cpu.id}/topology`,
        `Lists CPU ${other} as a sibling, and CPU ${other} does not list the same: cores are not certain`,
      );
    }
  }
}

/** cpufreq policies and the governors offered by the first. Absent in most virtual machines. */
async function readFrequency(reader: FactReader): Promise<{ governors: string[]; policies: string[] }> {
  const directory = `${CPU_DIRECTORY}/cpufreq`;
  const policies = (await reader.entries(directory))
    .filter((name) => /^policy\d{1,5}$/.test(name))
    .toSorted(compareByNumber);
  const first = policies[0];
  if (first === undefined) return { governors: [], policies };
  const text = await reader.line(`${directory}/${first}/scaling_available_governors`);
  if (text === undefined) return { governors: [], policies };
  const governors = text.split(/\s+/);
  if (governors.every((name) => /^[\w-]{1,32}$/.test(name))) return { governors, policies };
  reader.note(`${directory}/${first}/scaling_available_governors`, `Not a list of governors: ${quote(text)}`);
  return { governors: [], policies };
}

/**
 * Reads the CPUs of a host from /sys/devices/system/cpu, with /proc/cpuinfo for names and where sysfs says nothing.
 *
 * @see https://docs.kernel.org/admin-guide/cputopology.html
 */
export async function readCpu(reader: FactReader): Promise<CpuReading> {
  const info = parseCpuInfo((await reader.text("/proc/cpuinfo")) ?? "");
  const [{ online, offline }, isolated, frequency] = await Promise.all([
    readOnlineAndOffline(reader, info),
    reader.kernelList(`${CPU_DIRECTORY}/isolated`),
    readFrequency(reader),
  ]);
  const isOnline = new Set(online);
  const topology = splitByCoreId(await Promise.all(online.map((id) => readOne(reader, id, info, isOnline))));
  noteAsymmetry(reader, topology);
  const idle = await readCpuIdle(reader, online);
  return {
    info,
    online,
    offline,
    isolated: isolated ?? [],
    topology,
    governors: frequency.governors,
    frequencyPolicies: frequency.policies,
    idle,
  };
}

/** The `cpu` part of the facts; `nodeOf` gives the NUMA node of a CPU. Pure. */
export function cpuFacts(reading: CpuReading, nodeOf: (cpu: number) => number): HostFacts["cpu"] {
  const { topology } = reading;
  return {
    vendor: reading.info.vendor,
    model: reading.info.model,
    onlineCpus: formatKernelList(reading.online),
    offlineCpus: formatKernelList(reading.offline),
    packages: new Set(topology.map((cpu) => cpu.package)).size,
    cores: new Set(topology.map((cpu) => cpu.siblings.join())).size,
    threadsPerCore: topology.reduce((most, cpu) => Math.max(most, cpu.siblings.length), 0),
    cpus: topology.map((cpu) => ({
      id: cpu.id,
      package: cpu.package,
      core: cpu.core,
      node: nodeOf(cpu.id),
      siblings: formatKernelList(cpu.siblings),
    })),
    isolatedCpus: formatKernelList(reading.isolated),
    governors: [...reading.governors],
    frequencyPolicies: [...reading.frequencyPolicies],
    idle: reading.idle,
  };
}
