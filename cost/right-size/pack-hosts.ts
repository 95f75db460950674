import { fits, type Room, without } from "./host-capacity.ts";

/** Pods that are all alike. */
export interface PodGroup {
  readonly name: string;
  readonly count: number;
  readonly takes: Room;
  /** At most so many of them on one host. @default - no limit */
  readonly mostPerHost?: number;
}

export type Packing =
  | {
      readonly kind: "packed";
      /** Hosts on which the scheduler's rule places every pod. */
      readonly hosts: number;
      /** Hosts below which no packing at all holds the pods. */
      readonly lowerBound: number;
    }
  | {
      readonly kind: "unfit";
      /** A pod that no host of this kind holds. */
      readonly pod: string;
    };

const DIMENSIONS = ["milliCpus", "memoryMiB", "gpus", "pods"] as const;

/** No environment has more (`hostPools[].count`); a search that gets there has gone wrong. */
const MOST_HOSTS = 1000;

/** The largest share of a host that a pod takes in any dimension. */
function dominantShare(takes: Room, host: Room): number {
  return Math.max(...DIMENSIONS.map((key) => (takes[key] === 0 ? 0 : takes[key] / host[key])));
}

function lowerBoundOf(groups: readonly PodGroup[], host: Room): number {
  const bySum = DIMENSIONS.map((key) => {
    const sum = groups.reduce((total, { count, takes }) => total + count * takes[key], 0);
    return sum === 0 ? 0 : Math.ceil(sum / host[key]);
  });
  const bySpread = groups.map(({ count, mostPerHost }) =>
    mostPerHost === undefined ? 0 : Math.ceil(count / mostPerHost),
  );
  // Two pods that both take over half of a host of the same thing are never together.
  const byHalf = DIMENSIONS.map((key) =>
    groups.reduce((total, { count, takes }) => total + (takes[key] * 2 > host[key] ? count : 0), 0),
  );
  return Math.max(1, ...byHalf, ...bySum, ...bySpread);
}

interface OpenHost {
  readonly free: Room;
  readonly placed: ReadonlyMap<PodGroup, number>;
}

/**
 * The score of kube-scheduler's NodeResourcesFit by its default strategy, LeastAllocated: the mean share of CPU and
 * memory that stays free. https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/
 */
function leastAllocatedScore(free: Room, takes: Room, host: Room): number {
  const left = without(free, takes);
  return left.milliCpus / host.milliCpus + left.memoryMiB / host.memoryMiB;
}

type Score = (free: Room, takes: Room, host: Room) => number;

/** Places pods one by one, each on the host of the best score; undefined when one finds no host. */
function place(
  pods: readonly PodGroup[],
  host: Room,
  hosts: number,
  score: Score,
): readonly OpenHost[] | undefined {
  const open: OpenHost[] = Array.from({ length: hosts }, () => ({ free: host, placed: new Map() }));
  for (const pod of pods) {
    let best: { index: number; score: number } | undefined;
    for (const [index, { free, placed }] of open.entries()) {
      if (!fits(pod.takes, free) || (placed.get(pod) ?? 0) >= (pod.mostPerHost ?? Number.POSITIVE_INFINITY)) {
        continue;
      }
      const own = score(free, pod.takes, host);
      if (best === undefined || own > best.score) best = { index, score: own };
    }
    if (best === undefined) return undefined;
    const chosen = open[best.index];
    if (chosen === undefined) return undefined;
    open[best.index] = {
      free: without(chosen.free, pod.takes),
      placed: new Map(chosen.placed).set(pod, (chosen.placed.get(pod) ?? 0) + 1),
    };
  }
  return open;
}

function oneByOne(groups: readonly PodGroup[]): readonly PodGroup[] {
  return groups.flatMap((group) => Array.from({ length: group.count }, () => group));
}

/** Orders in which pods may come: one workload after the other, largest first, and all of them mixed. */
function ordersOf(groups: readonly PodGroup[], host: Room): readonly (readonly PodGroup[])[] {
  const largestFirst = groups.toSorted((a, b) => dominantShare(b.takes, host) - dominantShare(a.takes, host));
  const rounds = Math.max(0, ...groups.map(({ count }) => count));
  const mixed = Array.from({ length: rounds }, (_, round) =>
    largestFirst.filter(({ count }) => count > round),
  ).flat();
  return [oneByOne(largestFirst), mixed];
}

/**
 * How many hosts of one kind the pods need.
 *
 * The tightest packing is not the answer: kube-scheduler spreads by its default (LeastAllocated) and never moves a pod
 * again, so a count is taken only when its rule places every pod, in either order. The scheduler's rule stands here, and
 * no solver, because what a solver packs and the scheduler does not is no saving. `lowerBound` says how far from any
 * packing that may be; a test compares it with exhaustive search. Small pods that all come before large ones can still
 * take their room: a count against every order would leave half of a cluster empty.
 */
export function packHosts(groups: readonly PodGroup[], host: Room): Packing {
  const unfit = groups.find(({ count, takes }) => count > 0 && !fits(takes, host));
  if (unfit !== undefined) return { kind: "unfit", pod: unfit.name };
  const lowerBound = lowerBoundOf(groups, host);
  const orders = ordersOf(groups, host);
  for (let hosts = lowerBound; hosts <= MOST_HOSTS; hosts += 1) {
    if (orders.every((order) => place(order, host, hosts, leastAllocatedScore) !== undefined)) {
      return { kind: "packed", hosts, lowerBound };
    }
  }
  return { kind: "unfit", pod: groups[0]?.name ?? "" };
}
