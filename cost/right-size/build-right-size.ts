import type { Decimal } from "decimal.js";
import {
  type AwsPool,
  type Environment,
  serviceNamespace,
} from "../../components/environment/environment-spec.ts";
import { formatPath } from "../../host-tuning/profile/parse-contract.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { formatDecimal, parseDecimal, roundDecimal } from "../money/exact-decimal.ts";
import { adviseGpu } from "./advise-gpu.ts";
import { type Commitments, NO_COMMITMENTS, type RunningHosts, uncoveredPerHour } from "./commitments.ts";
import { type ContainerUsage, containersOf, latestOf, type ObservedUsage } from "./container-usage.ts";
import type { Room } from "./host-capacity.ts";
import type { PodGroup } from "./pack-hosts.ts";
import { type PlannedPool, planPool, type PoolLoad } from "./plan-pools.ts";
import { recommendRequests, type ResourceRecommendation } from "./recommend-requests.ts";
import type {
  EnvironmentChange,
  ResourceReport,
  RightSizeReport,
  WorkloadReport,
} from "./right-size-report.ts";

const MIB = 1024 * 1024;
/** Memory is asked for in whole pieces of this size: finer steps are noise in a reviewed file. Our choice. */
const MEMORY_STEP_MIB = 64;
/** The container of the service, as components/service names it. */
export const SERVICE_CONTAINER = "mcp-service";
const MINOR_DIGITS = 2;

/** A target that differs from what is requested by less than this share is no change worth a review. Our choice. */
const WORTH_SHARE = 0.1;

export interface RightSizeInput {
  readonly environment: Environment;
  readonly usage: ObservedUsage;
  readonly catalogue: Catalogue;
  readonly commitments: Commitments;
}

interface SizedContainer {
  readonly usage: ContainerUsage;
  readonly report: WorkloadReport;
}

function resourceReport(resource: ResourceRecommendation): ResourceReport {
  const { target, requested, because, ...rest } = resource;
  return { ...rest, target: target ?? null, requested: requested ?? null, because: [...because] };
}

function isService(usage: ContainerUsage, environment: Environment): boolean {
  return usage.namespace === serviceNamespace(environment) && usage.container === SERVICE_CONTAINER;
}

function sizeContainer(
  usage: ContainerUsage,
  { environment, usage: { window } }: RightSizeInput,
): SizedContainer {
  const recommendation = recommendRequests(usage, window);
  const isOfEnvironment = isService(usage, environment);
  const { service } = environment;
  // The file's word holds where kube-state-metrics is silent.
  const requested = isOfEnvironment ? { cpu: service.cpus, memory: service.memoryMiB * MIB } : undefined;
  const cpuCores = resourceReport(recommendation.cpuCores);
  const memoryBytes = resourceReport(recommendation.memoryBytes);
  return {
    usage,
    report: {
      namespace: usage.namespace,
      ownerKind: usage.ownerKind,
      owner: usage.owner,
      container: usage.container,
      pods: usage.pods,
      isOfEnvironment,
      cpuCores: { ...cpuCores, requested: cpuCores.requested ?? requested?.cpu ?? null },
      memoryBytes: { ...memoryBytes, requested: memoryBytes.requested ?? requested?.memory ?? null },
      oomKills: recommendation.oomKills,
      isLeaking: recommendation.isLeaking,
      gpu: adviseGpu(usage, window) ?? null,
    },
  };
}

/** What each pod of the service asks for. */
interface ServiceSize {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly gpus: number;
}

const GPU_DEVICE = "nvidia.com/gpu";

/** A target that is sure for every container it was measured on. */
function sureTarget(
  reports: readonly WorkloadReport[],
  pick: (report: WorkloadReport) => ResourceReport,
): number | undefined {
  const resources = reports.map((report) => pick(report));
  if (resources.length === 0 || resources.some(({ confidence }) => confidence.level !== "high"))
    return undefined;
  return Math.max(...resources.map(({ target }) => target ?? 0));
}

/** The service's requests after: whole CPUs, as the environment has them; unchanged where too little is known. */
function serviceAfter({ service }: Environment, sized: readonly SizedContainer[]): ServiceSize {
  const { cpus, memoryMiB } = service;
  const gpus = service.kubernetes?.devices[GPU_DEVICE] ?? 0;
  const reports = sized.filter(({ report }) => report.isOfEnvironment).map(({ report }) => report);
  const wantedCpus = sureTarget(reports, ({ cpuCores }) => cpuCores);
  const wantedBytes = sureTarget(reports, ({ memoryBytes }) => memoryBytes);
  const memoryAfter =
    wantedBytes === undefined ? memoryMiB : Math.ceil(wantedBytes / MIB / MEMORY_STEP_MIB) * MEMORY_STEP_MIB;
  const isWorth = memoryAfter > memoryMiB || memoryMiB - memoryAfter >= memoryMiB * WORTH_SHARE;
  const gpusAdvised = reports.map(({ gpu }) => gpu?.devicesAdvised ?? gpus);
  return {
    cpus: wantedCpus === undefined ? cpus : Math.max(1, Math.ceil(wantedCpus)),
    memoryMiB: isWorth ? memoryAfter : memoryMiB,
    gpus: gpus === 0 ? 0 : Math.min(gpus, Math.max(1, ...gpusAdvised)),
  };
}

/** What a pod of the service takes: huge pages are memory too, beside what it requests. */
function serviceRoom({ service }: Environment, size: ServiceSize): Room {
  const hugepagesMiB = service.kubernetes?.hugepages?.mebibytes ?? 0;
  return { milliCpus: size.cpus * 1000, memoryMiB: size.memoryMiB + hugepagesMiB, gpus: size.gpus, pods: 0 };
}

/** What a pod that the environment file does not set takes: what it requests, or needs where it requests nothing. */
function roomOf({ usage, report }: SizedContainer): Room {
  const cpu = report.cpuCores.requested ?? report.cpuCores.target ?? report.cpuCores.peak;
  const memory = report.memoryBytes.requested ?? report.memoryBytes.target ?? report.memoryBytes.peak;
  return {
    milliCpus: Math.ceil(cpu * 1000),
    memoryMiB: Math.ceil(memory / MIB),
    gpus: latestOf(usage, "gpu_request_devices") ?? 0,
    pods: 0,
  };
}

function addRooms(rooms: readonly Room[]): Omit<Room, "pods"> {
  const sum = (pick: (room: Room) => number): number => rooms.reduce((total, room) => total + pick(room), 0);
  return {
    milliCpus: sum((room) => room.milliCpus),
    memoryMiB: sum((room) => room.memoryMiB),
    gpus: sum((room) => room.gpus),
  };
}

interface Workload {
  readonly name: string;
  readonly isDaemon: boolean;
  readonly isService: boolean;
  readonly pods: PodGroup;
}

/** Containers by workload, as pods; the service's with what is recommended for it. */
function workloadsOf(environment: Environment, sized: readonly SizedContainer[]): readonly Workload[] {
  const after = serviceAfter(environment, sized);
  const groups = Map.groupBy(sized, ({ usage }) =>
    JSON.stringify([usage.namespace, usage.ownerKind, usage.owner]),
  );
  return [...groups.values()].flatMap((containers) => {
    const [first] = containers;
    if (first === undefined) return [];
    const ofService = containers.some(({ report }) => report.isOfEnvironment);
    const rooms = containers.map((container) =>
      container.report.isOfEnvironment ? serviceRoom(environment, after) : roomOf(container),
    );
    const { namespace, owner, ownerKind } = first.usage;
    const seen = Math.max(...containers.map(({ usage }) => usage.pods));
    return [
      {
        name: `${namespace}/${owner}`,
        isDaemon: ownerKind === "DaemonSet",
        isService: ofService,
        pods: { name: `${namespace}/${owner}`, count: seen, takes: { ...addRooms(rooms), pods: 1 } },
      },
    ];
  });
}

/** The service as the file has it, where no pod of it was seen. */
function unseenService(environment: Environment): Workload {
  const name = `${serviceNamespace(environment)}/${SERVICE_CONTAINER}`;
  const takes = { ...serviceRoom(environment, serviceAfter(environment, [])), pods: 1 };
  return { name, isDaemon: false, isService: true, pods: { name, count: 0, takes } };
}

/** The service's pods on Kubernetes: as many as are asked for or were seen, and one more while they are replaced. */
function servicePods(environment: Environment, { pods }: Workload): PodGroup {
  return { ...pods, count: Math.max(environment.service.replicas, pods.count) + 1 };
}

function leastHosts(pool: AwsPool): number {
  return Math.min(pool.count, 2);
}

/** The pool whose hosts the service's pods are on: the first that it names, else the first that takes any pod. */
function servicePool(environment: Environment, pools: readonly AwsPool[], gpus: number): AwsPool | undefined {
  const named = environment.service.kubernetes?.hostPools ?? [];
  return pools.find((pool) => named.includes(pool.name)) ?? poolFor(pools, gpus);
}

/** Whether pods that say nothing are kept away. */
function isTainted({ eks }: AwsPool): boolean {
  return eks?.taints.some(({ effect }) => effect !== "PreferNoSchedule") ?? false;
}

/** The first pool that a pod goes to: with GPUs for one that needs some, whose taint it tolerates; open ones otherwise. */
function poolFor(pools: readonly AwsPool[], gpus: number): AwsPool | undefined {
  if (gpus > 0) return pools.find((pool) => pool.needs.gpus > 0);
  const open = pools.filter((pool) => !isTainted(pool));
  return open.find((pool) => pool.needs.gpus === 0) ?? open[0];
}

interface Loads {
  readonly environment: Environment;
  readonly pools: readonly AwsPool[];
  readonly workloads: readonly Workload[];
  readonly service: Workload | undefined;
  readonly perHost: Room;
}

/** systemd: the service runs once on each host of every pool. */
function systemdLoads({ environment, pools, service, perHost }: Loads): readonly PoolLoad[] {
  const { pods } = service ?? unseenService(environment);
  return pools.map((pool) => ({
    pool,
    pods: [{ ...pods, count: pool.count, mostPerHost: 1 }],
    perHost,
    leastHosts: pool.count,
    ...(service === undefined ? { leftBecause: UNSEEN_SERVICE } : {}),
  }));
}

const UNSEEN_SERVICE = "no use of the service was seen: what is not known is not shrunk";
const UNSEEN_PODS = "no pod was seen that belongs on it: what is not known is not shrunk";

function kubernetesLoads({ environment, pools, workloads, service, perHost }: Loads): readonly PoolLoad[] {
  const theService = service ?? unseenService(environment);
  const home = servicePool(environment, pools, theService.pods.takes.gpus);
  const others = workloads.filter((workload) => !workload.isDaemon && workload !== service);
  return pools.map((pool) => {
    const own = others
      .map(({ pods }) => pods)
      .filter(({ count, takes }) => count > 0 && poolFor(pools, takes.gpus) === pool);
    const pods = pool === home ? [servicePods(environment, theService), ...own] : own;
    const leftBecause =
      pool === home && service === undefined ? UNSEEN_SERVICE : pods.length === 0 ? UNSEEN_PODS : undefined;
    const load = { pool, pods, perHost, leastHosts: leastHosts(pool) };
    return leftBecause === undefined ? load : { ...load, leftBecause };
  });
}

/** Which pods are to run on which pool. */
function loadsOf(environment: Environment, sized: readonly SizedContainer[]): readonly PoolLoad[] {
  const workloads = workloadsOf(environment, sized);
  const daemons = workloads.filter(({ isDaemon }) => isDaemon).map(({ pods }) => pods.takes);
  const loads: Loads = {
    environment,
    pools: environment.hostPools.filter((pool) => pool.where === "aws"),
    workloads,
    service: workloads.find((workload) => workload.isService),
    perHost: { ...addRooms(daemons), pods: daemons.length },
  };
  return environment.service.runtime === "systemd" ? systemdLoads(loads) : kubernetesLoads(loads);
}

/** Pool by pool, each with the others' newest hosts: commitments cover all of them together. */
function planAll(input: RightSizeInput, loads: readonly PoolLoad[]): readonly PlannedPool[] {
  const { catalogue, commitments, environment } = input;
  const { hoursPerMonth } = environment.schedule;
  const alone = { others: [], catalogue, commitments: NO_COMMITMENTS, hoursPerMonth };
  const hosts = loads.map((load) => planPool({ ...load, leftBecause: "" }, alone).now);
  return loads.map((load, index) => {
    const others = hosts.filter((_, other) => other !== index).filter((other) => other !== undefined);
    const planned = planPool(load, { others, catalogue, commitments, hoursPerMonth });
    hosts[index] = planned.after;
    return planned;
  });
}

function changesOf(
  environment: Environment,
  loads: readonly PoolLoad[],
  planned: readonly PlannedPool[],
  sized: readonly SizedContainer[],
): readonly EnvironmentChange[] {
  const after = serviceAfter(environment, sized);
  const { service } = environment;
  const changes: EnvironmentChange[] = [
    { path: "service.cpus", from: service.cpus, to: after.cpus },
    { path: "service.memoryMiB", from: service.memoryMiB, to: after.memoryMiB },
    {
      path: formatPath(["service", "kubernetes", "devices", GPU_DEVICE]),
      from: service.kubernetes?.devices[GPU_DEVICE] ?? 0,
      to: after.gpus,
    },
  ];
  for (const [index, { after: hosts, needs }] of planned.entries()) {
    const pool = loads[index]?.pool;
    if (pool === undefined || hosts === undefined) continue;
    const at = `hostPools[${environment.hostPools.indexOf(pool)}]`;
    changes.push({ path: `${at}.count`, from: pool.count, to: hosts.count });
    if (pool.maxCount !== undefined) {
      changes.push({ path: `${at}.maxCount`, from: pool.maxCount, to: Math.max(pool.maxCount, hosts.count) });
    }
    for (const key of ["vcpus", "memoryGiB", "gpus"] as const) {
      changes.push({ path: `${at}.needs.${key}`, from: pool.needs[key], to: needs[key] });
    }
  }
  return changes.filter(({ from, to }) => from !== to);
}

function savingOf(
  { environment, commitments }: RightSizeInput,
  planned: readonly PlannedPool[],
): RightSizeReport["saving"] {
  const now = planned.flatMap((pool) => pool.now ?? []);
  const after = planned.flatMap((pool) => pool.after ?? []);
  const { hoursPerMonth } = environment.schedule;
  const saved = (owned: Commitments): Decimal =>
    uncoveredPerHour(now, owned).minus(uncoveredPerHour(after, owned)).times(hoursPerMonth);
  const net = saved(commitments);
  const gross = saved(NO_COMMITMENTS);
  const count = (hosts: readonly RunningHosts[]): number => hosts.reduce((sum, host) => sum + host.count, 0);
  // Quotients of discounts have no last digit; a millionth of a cent is below what any bill has.
  const perMonth = net.toDecimalPlaces(12).toFixed();
  return {
    perMonth,
    perMonthRounded: formatDecimal(roundDecimal(parseDecimal(perMonth), MINOR_DIGITS), MINOR_DIGITS),
    beforeCommitmentsPerMonth: gross.toDecimalPlaces(12).toFixed(),
    hostsNow: count(now),
    hostsAfter: count(after),
    because: savingBecause(net, gross, count(now) - count(after)),
  };
}

function savingBecause(net: Decimal, gross: Decimal, gone: number): string {
  if (net.isZero()) {
    return "no host disappears that is not paid for anyway, and none gets cheaper: smaller requests alone save nothing, they only leave more idle";
  }
  if (net.isNegative()) return "the hosts are too few or too small for what was measured";
  const hosts =
    gone > 0 ? `${gone} ${gone === 1 ? "host disappears" : "hosts disappear"}` : "hosts get cheaper";
  return net.equals(gross) ? hosts : `${hosts}; the rest of ${gross.toFixed(2)} is paid for by commitments`;
}

function assumptionsOf({ environment, commitments }: RightSizeInput): readonly string[] {
  const { hoursPerMonth } = environment.schedule;
  const hasCommitments = commitments.reservations.length + commitments.savingsPlans.length > 0;
  const spot = environment.hostPools.filter((pool) => pool.where === "aws" && pool.spot);
  return [
    hasCommitments
      ? "commitments are paid on; only on-demand use above them is saved"
      : "no commitments were given (--commitments, --bill): all hosts are taken to be paid on demand",
    `hosts run ${hoursPerMonth} hours a month`,
    "a pool keeps the lesser of its count and 2 hosts, so that one can be lost",
    ...(environment.service.runtime === "kubernetes"
      ? [
          "room is left for one pod more of the service, which a rollout starts before it stops one",
          "hosts keep for themselves what the agent tells the kubelet, and EC2 7.5 % of memory",
          "the service runs on the first pool that it names; other pods on the first that takes them: GPUs, taints",
        ]
      : ["the service runs once on each host, so the number of hosts stays"]),
    ...(spot.length === 0 ? [] : ["spot is counted at the on-demand price: its saving is lower"]),
    "whole CPUs and 64 MiB of memory are the steps of the environment file",
  ];
}

function notesOf(usage: ObservedUsage, sized: readonly SizedContainer[]): readonly string[] {
  const of = (report: WorkloadReport): string => `${report.namespace}/${report.owner} ${report.container}`;
  const service = sized.find(({ report }) => report.isOfEnvironment)?.report;
  const unsure = [service?.cpuCores.confidence, service?.memoryBytes.confidence].find(
    (confidence) => confidence !== undefined && confidence.level !== "high",
  );
  return [
    ...usage.notes,
    ...(service === undefined
      ? ["no container of the environment's service was seen: its requests stay"]
      : []),
    ...(unsure === undefined ? [] : [`the service's requests stay as they are: ${unsure.because}`]),
    ...sized
      .filter(({ report }) => report.oomKills > 0)
      .map(({ report }) => `${of(report)}: ${report.oomKills} out-of-memory kills`),
    ...sized
      .filter(({ report }) => report.isLeaking)
      .map(({ report }) => `${of(report)}: memory grows as long as a pod lives; no request holds a leak`),
  ];
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** Recommendations for every container that was seen, and the hosts that the environment would then need. Pure. */
export function buildRightSize(input: RightSizeInput): RightSizeReport {
  const { environment, usage, catalogue } = input;
  const sized = containersOf(usage).map((container) => sizeContainer(container, input));
  const loads = loadsOf(environment, sized);
  const planned = planAll(input, loads);
  return {
    apiVersion: API_VERSION,
    kind: "RightSizing",
    environment: environment.name,
    region: environment.region,
    currency: catalogue.currency,
    pricesAsOf: catalogue.pricesAsOf,
    usage: {
      source: usage.source,
      first: isoTime(usage.window.firstSeconds),
      last: isoTime(usage.window.lastSeconds),
      stepSeconds: usage.window.stepSeconds,
      metrics: [...new Set(usage.series.map(({ metric }) => metric))].toSorted(),
    },
    workloads: sized.map(({ report }) => report),
    pools: planned.map(({ plan }) => plan),
    saving: savingOf(input, planned),
    changes: [...changesOf(environment, loads, planned, sized)],
    assumptions: [...assumptionsOf(input)],
    notes: [...notesOf(usage, sized)],
  };
}
