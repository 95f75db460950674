import {
  type AwsPool,
  type Environment,
  serviceNamespace,
} from "../../components/environment/environment-spec.ts";
import { latestOf } from "./container-usage.ts";
import type { Room } from "./host-capacity.ts";
import type { PodGroup } from "./pack-hosts.ts";
import type { PoolLoad } from "./plan-pools.ts";
import {
  MIB,
  SERVICE_CONTAINER,
  type ServiceSize,
  type SizedContainer,
  serviceAfter,
} from "./size-containers.ts";

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
export function loadsOf(environment: Environment, sized: readonly SizedContainer[]): readonly PoolLoad[] {
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
