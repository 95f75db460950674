import {
  type ContainerUsage,
  containersOf,
  pointsOf,
  type UsageSeries,
  type UsageWindow,
} from "../../cost/right-size/container-usage.ts";
import { DecayingHistogram } from "../../cost/right-size/decaying-histogram.ts";
import {
  recommendRequests,
  type RequestPolicy,
  REQUEST_POLICY,
} from "../../cost/right-size/recommend-requests.ts";
import { type SimulatedWorkload, STEP_SECONDS, STEPS_PER_DAY } from "./demand.ts";
import { type Requests, RESTART_DAYS } from "./run-requests.ts";

const DAY_SECONDS = 86_400;
const MIB = 1024 * 1024;

/** What harm is taken to cost, so that it can be added to hosts. Our choice: results are shown for others too. */
export interface HarmPrices {
  readonly usdPerOomKill: number;
  readonly usdPerThrottledPodHour: number;
}

/** What a recommender may look at: what monitoring saw. The clairvoyant one also gets the demand that comes. */
export interface Sight {
  readonly series: readonly UsageSeries[];
  readonly window: UsageWindow;
  readonly current: Requests;
  readonly workload: SimulatedWorkload;
  readonly nextFirst: number;
  readonly nextEnd: number;
  readonly harm: HarmPrices;
}

export interface Recommender {
  readonly id: string;
  readonly title: string;
  readonly recommend: (sight: Sight) => Requests;
}

function containerOf({ series, window }: Sight): ContainerUsage {
  const [container] = containersOf({ source: "simulation", window, series, notes: [] });
  if (container === undefined) throw new RangeError("Cannot recommend: the simulation saw no container");
  return container;
}

/** Ours, with any numbers: tuning tries others. */
export function bedplate(policy: RequestPolicy): Recommender["recommend"] {
  return (sight) => {
    const { cpuCores, memoryBytes } = recommendRequests(containerOf(sight), sight.window, policy);
    return {
      cpuCores: cpuCores.target ?? sight.current.cpuCores,
      memoryBytes: memoryBytes.target ?? sight.current.memoryBytes,
    };
  };
}

function percentileOf(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/**
 * The Vertical Pod Autoscaler's target by its documented defaults: CPU p90 and memory p90 of each pod's daily peaks, in
 * histograms of half-life 24 h and buckets 5 % apart, each x 1.15; an out-of-memory kill is a memory sample of
 * max(used x 1.2, used + 100 MiB); at least 25 millicores and 250 MiB a pod.
 * https://github.com/kubernetes/autoscaler/tree/55c37cd/vertical-pod-autoscaler/pkg/recommender
 */
export function vpaTarget(container: ContainerUsage, window: UsageWindow): Requests {
  const cpu = new DecayingHistogram({ firstBucket: 0.01, ratio: 1.05, halfLifeSeconds: DAY_SECONDS });
  const memory = new DecayingHistogram({ firstBucket: 1e7, ratio: 1.05, halfLifeSeconds: DAY_SECONDS });
  for (const { atSeconds, value } of pointsOf(container, "cpu_cores")) cpu.add(value, 0.1, atSeconds);
  const kills = container.series.get("oom_kills") ?? [];
  const limits = container.series.get("memory_limit_bytes") ?? [];
  for (const { pod, points } of container.series.get("memory_bytes") ?? []) {
    // Windows of 24 h that begin with the first sample; the recommender keeps eight of them.
    const peaks = new Map<number, { atSeconds: number; value: number }>();
    for (const { atSeconds, value } of points) {
      const day = Math.floor((atSeconds - window.firstSeconds) / DAY_SECONDS);
      const peak = peaks.get(day)?.value ?? 0;
      if (value >= peak) peaks.set(day, { atSeconds, value });
    }
    const limit = limits.find((series) => series.pod === pod)?.points.at(-1)?.value ?? 0;
    // Of the peak by use, not of what earlier kills of the window made of it: kills do not add up.
    const byUse = new Map(Array.from(peaks, ([day, { value }]) => [day, value]));
    for (const { atSeconds } of kills.find((series) => series.pod === pod)?.points ?? []) {
      const day = Math.floor((atSeconds - window.firstSeconds) / DAY_SECONDS);
      const used = Math.max(limit, byUse.get(day) ?? 0);
      const needed = Math.max(used * 1.2, used + 100 * MIB);
      if (needed > (peaks.get(day)?.value ?? 0)) peaks.set(day, { atSeconds, value: needed });
    }
    for (const { atSeconds, value } of peaks.values()) memory.add(value, 1, atSeconds);
  }
  return {
    cpuCores: Math.max(0.025, cpu.percentile(0.9) * 1.15),
    memoryBytes: Math.max(250 * MIB, memory.percentile(0.9) * 1.15),
  };
}

/**
 * KRR's simple strategy by its documented defaults: CPU the highest of the pods' own p95, memory the highest peak x 1.15,
 * over 14 days; at least 10 millicores and 100 MB. It reads kills only when it is asked to (`--use_oomkill_data`), and
 * then takes the limit at the kill x 1.25.
 * https://github.com/robusta-dev/krr/blob/d6baa74/robusta_krr/strategies/simple.py
 */
export function krrTarget(container: ContainerUsage, useOomKills: boolean): Requests {
  const perPod = (container.series.get("cpu_cores") ?? []).map(({ points }) =>
    percentileOf(
      points.map(({ value }) => value),
      0.95,
    ),
  );
  const peak = pointsOf(container, "memory_bytes").reduce((most, { value }) => Math.max(most, value), 0);
  const killed = useOomKills
    ? (container.series.get("oom_kills") ?? []).map(
        ({ pod }) =>
          container.series
            .get("memory_limit_bytes")
            ?.find((series) => series.pod === pod)
            ?.points.at(-1)?.value ?? 0,
      )
    : [];
  return {
    cpuCores: Math.max(0.01, ...perPod),
    memoryBytes: Math.max(1e8, peak * 1.15, ...killed.map((limit) => limit * 1.25)),
  };
}

/** The rule of thumb: the highest that was seen, and a fifth more. */
export function highestAndAFifth(container: ContainerUsage): Requests {
  const highest = (metric: "cpu_cores" | "memory_bytes"): number =>
    pointsOf(container, metric).reduce((most, { value }) => Math.max(most, value), 0) * 1.2;
  return { cpuCores: highest("cpu_cores"), memoryBytes: highest("memory_bytes") };
}

/** What a core costs an hour: a c6i.xlarge (0.17 for 4 vCPUs and 8 GiB) less its memory at r6i's price of some. */
const USD_PER_CORE_HOUR = 0.036;
const HOURS_PER_STEP = STEP_SECONDS / 3600;

/**
 * The choice of one who knows the demand that comes: memory for its highest, and the CPU at which a core more would cost
 * more than the harm that it prevents. What packing makes of it is not foreseen, so another choice can be cheaper by chance.
 */
function clairvoyant({ workload, nextFirst, nextEnd, harm }: Sight): Requests {
  const cpu = workload.cpuCores
    .flatMap((steps) => Array.from(steps.subarray(nextFirst, nextEnd)))
    .toSorted((a, b) => a - b);
  const usdPerCore = cpu.length * HOURS_PER_STEP * USD_PER_CORE_HOUR;
  let best = { cpuCores: cpu.at(-1) ?? 0, usd: Number.POSITIVE_INFINITY };
  for (const [index, cpuCores] of cpu.entries()) {
    const throttledHours = (cpu.length - 1 - index) * HOURS_PER_STEP;
    const usd = cpuCores * usdPerCore + throttledHours * harm.usdPerThrottledPodHour;
    if (usd < best.usd) best = { cpuCores, usd };
  }
  const leaked = workload.leakBytesPerStep * RESTART_DAYS * STEPS_PER_DAY;
  let memory = 0;
  for (const steps of workload.memoryBytes) {
    for (const value of steps.slice(nextFirst, nextEnd)) memory = Math.max(memory, value + leaked);
  }
  return { cpuCores: best.cpuCores, memoryBytes: memory };
}

/** Whom the simulation compares. The next is one line. */
export const RECOMMENDERS: readonly Recommender[] = [
  { id: "as-requested", title: "as requested (no change)", recommend: ({ current }) => current },
  { id: "bedplate", title: "Bedplate", recommend: bedplate(REQUEST_POLICY) },
  { id: "vpa", title: "VPA's formulas", recommend: (sight) => vpaTarget(containerOf(sight), sight.window) },
  { id: "krr", title: "KRR's formulas", recommend: (sight) => krrTarget(containerOf(sight), false) },
  {
    id: "krr-oom",
    title: "KRR's formulas with kills",
    recommend: (sight) => krrTarget(containerOf(sight), true),
  },
  {
    id: "highest",
    title: "highest seen + 20 %",
    recommend: (sight) => highestAndAFifth(containerOf(sight)),
  },
  { id: "clairvoyant", title: "clairvoyant", recommend: clairvoyant },
];
