import { Decimal } from "decimal.js";
import { loadCatalogue } from "../../cost/catalogue/catalogue.ts";
import { allocatableOf } from "../../cost/right-size/host-capacity.ts";
import { packHosts, type PodGroup } from "../../cost/right-size/pack-hosts.ts";
import { simulateCluster, STEPS_PER_DAY, type SimulatedWorkload } from "./demand.ts";
import type { HarmPrices, Recommender } from "./recommenders.ts";
import { type Requests, runRequests, windowOf } from "./run-requests.ts";

/** Two weeks are seen before the first recommendation; each holds for a week. */
const HISTORY_DAYS = 14;
const HORIZON_DAYS = 7;
const ROUNDS = 2;
const DAYS = HISTORY_DAYS + HORIZON_DAYS * ROUNDS;
const HOURS_PER_WEEK = 168;
const MIB = 1024 * 1024;

/** Hosts that the cluster is packed on: every size of three families of one generation, at their on-demand price. */
const HOST_FAMILIES = ["c6i", "m6i", "r6i"] as const;
const HOST_SIZES = ["xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"] as const;

function hostTypes(): readonly { readonly room: ReturnType<typeof allocatableOf>; readonly price: string }[] {
  const names = new Set(HOST_FAMILIES.flatMap((family) => HOST_SIZES.map((size) => `${family}.${size}`)));
  return loadCatalogue("us-east-1").instanceTypes.flatMap((spec) =>
    names.has(spec.type as `${(typeof HOST_FAMILIES)[number]}.${(typeof HOST_SIZES)[number]}`) &&
    spec.price.kind === "priced"
      ? [{ room: allocatableOf(spec), price: spec.price.amount }]
      : [],
  );
}

const HOSTS = hostTypes();

function podGroup(workload: SimulatedWorkload, { cpuCores, memoryBytes }: Requests): PodGroup {
  const takes = {
    milliCpus: Math.ceil(cpuCores * 1000),
    memoryMiB: Math.ceil(memoryBytes / MIB),
    gpus: 0,
    pods: 1,
  };
  return { name: workload.name, count: workload.cpuCores.length, takes };
}

/** The cheapest hosts of one type that hold the pods, for a week. */
function hostUsdPerWeek(groups: readonly PodGroup[]): number {
  const costs = HOSTS.flatMap(({ room, price }) => {
    const packing = packHosts(groups, room);
    return packing.kind === "packed" ? [new Decimal(price).times(packing.hosts).times(HOURS_PER_WEEK)] : [];
  });
  if (costs.length === 0)
    throw new RangeError("Cannot pack the simulated cluster: a pod is larger than every host");
  return Decimal.min(...costs).toNumber();
}

/** What one recommender did to one cluster. */
export interface ClusterOutcome {
  readonly hostUsd: number;
  readonly oomKills: number;
  readonly throttledPodSteps: number;
  readonly podSteps: number;
  readonly podWeeks: number;
  /** Kills in workloads that leak: no request prevents them. */
  readonly leakKills: number;
}

interface Round {
  readonly requests: Requests;
  readonly oomKills: number;
  readonly throttledPodSteps: number;
  readonly podSteps: number;
}

/** One workload through all rounds: what is seen in one is what the next goes by, under the requests of then. */
function liveThrough(
  workload: SimulatedWorkload,
  { recommend }: Recommender,
  harm: HarmPrices,
): readonly Round[] {
  let current = workload.requested;
  let { series } = runRequests(workload, current, 0, HISTORY_DAYS * STEPS_PER_DAY);
  return Array.from({ length: ROUNDS }, (_, round) => {
    const nextFirst = (HISTORY_DAYS + round * HORIZON_DAYS) * STEPS_PER_DAY;
    const nextEnd = nextFirst + HORIZON_DAYS * STEPS_PER_DAY;
    const window = windowOf(nextFirst - HISTORY_DAYS * STEPS_PER_DAY, nextFirst - 1);
    current = recommend({ series, window, current, workload, nextFirst, nextEnd, harm });
    const outcome = runRequests(workload, current, nextFirst, nextEnd);
    // A pod's name is new with each rollout.
    const seen = outcome.series.map((one) => ({ ...one, pod: `${one.pod}-r${round}` }));
    const firstSeen = window.firstSeconds + HORIZON_DAYS * 86_400;
    const kept = series.flatMap((one) => {
      const points = one.points.filter(({ atSeconds }) => atSeconds >= firstSeen);
      return points.length === 0 ? [] : [{ ...one, points }];
    });
    series = [...kept, ...seen];
    return { requests: current, ...outcome };
  });
}

/** One cluster under one recommender. */
export function simulate(seed: number, recommender: Recommender, harm: HarmPrices): ClusterOutcome {
  const workloads = simulateCluster(seed, DAYS);
  const lives = workloads.map((workload) => ({ workload, rounds: liveThrough(workload, recommender, harm) }));
  const rounds = lives.flatMap((life) => life.rounds);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const weeks = Array.from({ length: ROUNDS }, (_, round) =>
    hostUsdPerWeek(
      lives.flatMap(({ workload, rounds: own }) => {
        const requests = own[round]?.requests;
        return requests === undefined ? [] : [podGroup(workload, requests)];
      }),
    ),
  );
  return {
    hostUsd: sum(weeks),
    oomKills: sum(rounds.map(({ oomKills }) => oomKills)),
    throttledPodSteps: sum(rounds.map(({ throttledPodSteps }) => throttledPodSteps)),
    podSteps: sum(rounds.map(({ podSteps }) => podSteps)),
    podWeeks: sum(workloads.map(({ cpuCores }) => cpuCores.length)) * ROUNDS,
    leakKills: sum(
      lives
        .filter(({ workload }) => workload.kind === "leaking")
        .flatMap(({ rounds: own }) => own.map(({ oomKills }) => oomKills)),
    ),
  };
}

/** Hosts and harm together. */
export function totalUsd(outcome: ClusterOutcome, harm: HarmPrices): number {
  const throttledHours = (outcome.throttledPodSteps / STEPS_PER_DAY) * 24;
  return (
    outcome.hostUsd + outcome.oomKills * harm.usdPerOomKill + throttledHours * harm.usdPerThrottledPodHour
  );
}
