import {
  type ContainerUsage,
  latestOf,
  pointsOf,
  type UsagePoint,
  type UsageSeries,
  type UsageWindow,
} from "./container-usage.ts";
import { DecayingHistogram } from "./decaying-histogram.ts";

/**
 * How requests follow from use. The shape is the Vertical Pod Autoscaler's: decaying histograms with exponential buckets,
 * a percentile and a margin. The numbers are ours: `npm run bench:right-size -- tune` chose them on simulated clusters
 * that docs/right-size-simulation.md does not report.
 */
export interface RequestPolicy {
  readonly cpuPercentile: number;
  readonly cpuMargin: number;
  readonly memoryPercentile: number;
  readonly memoryMargin: number;
  readonly halfLifeSeconds: number;
  /** How far ahead a steady growth is carried: the time until somebody looks again. */
  readonly horizonDays: number;
}

const DAY_SECONDS = 86_400;
const MIB = 1024 * 1024;

export const REQUEST_POLICY: RequestPolicy = {
  cpuPercentile: 0.99,
  cpuMargin: 1.05,
  memoryPercentile: 1,
  memoryMargin: 1.25,
  halfLifeSeconds: 3 * DAY_SECONDS,
  horizonDays: 7,
};

/** Buckets as VPA's config.go has them: 10 millicores and 10 MB at first, each 5 % wider than the one before. */
const CPU_BUCKETS = { firstBucket: 0.01, ratio: 1.05 } as const;
const MEMORY_BUCKETS = { firstBucket: 1e7, ratio: 1.05 } as const;

/**
 * VPA's floors (25 millicores, 250 MiB) are for the whole pod of a cluster of small ones; below these a scheduler and a
 * runtime take more than the container. Ours.
 */
const LEAST_CPU_CORES = 0.01;
const LEAST_MEMORY_BYTES = 64 * MIB;

/** What an out-of-memory kill adds to the memory that was there: VPA's 20 %, and 100 MiB at least. */
const OOM_FACTOR = 1.2;
const OOM_LEAST_BYTES = 100 * MIB;

/** Throttled in more than this share of periods, use says what the limit was and not what the work needed. Our choice. */
const THROTTLED_SHARE = 0.05;
/** What the limit hid is not known: a step up, to be measured again. Our choice. */
const THROTTLED_FACTOR = 1.5;

/** Below these nothing is recommended: KRR's 100 points, and one day for the daily rhythm. */
export const LEAST_SAMPLES = 100;
const LEAST_DAYS = 1;
/** A week shows the weekly rhythm; half of its points bridge a monitoring that was away. */
const SURE_DAYS = 7;
const SURE_COVERAGE = 0.5;

/** Growth that is steadier than this share of day-to-day comparisons is no accident. Our choice. */
const STEADY_SHARE = 0.85;
/** Days that a slope needs to be one. */
const LEAST_TREND_DAYS = 5;
/** A day's growth below this share of the level is none. */
const LEAST_GROWTH_SHARE = 0.005;
/** A pod that lived at least so long shows whether it grows while it lives. */
const LEAST_LIFE_SECONDS = DAY_SECONDS / 2;
/** Growth of one pod's own memory by this share of its level a day is a leak when a restart takes it back. */
const LEAK_SHARE_PER_DAY = 0.03;

export type ConfidenceLevel = "none" | "low" | "high";

export interface Confidence {
  readonly level: ConfidenceLevel;
  readonly days: number;
  readonly samples: number;
  /** Points there are of those that one pod would have had all the time. */
  readonly coverageShare: number;
  readonly because: string;
}

export interface ResourceRecommendation {
  /** Undefined where nothing is recommended. */
  readonly target: number | undefined;
  readonly requested: number | undefined;
  readonly peak: number;
  readonly p95: number;
  /** Where the true need lies as far as is known: it narrows with time, as VPA's does. */
  readonly lower: number;
  readonly upper: number;
  readonly confidence: Confidence;
  /** Why the target is what it is, in order. */
  readonly because: readonly string[];
}

export interface RequestRecommendation {
  readonly cpuCores: ResourceRecommendation;
  readonly memoryBytes: ResourceRecommendation;
  readonly oomKills: number;
  readonly isLeaking: boolean;
}

/** How much there is to go by. */
export function confidenceOf(points: readonly UsagePoint[], window: UsageWindow): Confidence {
  const samples = points.length;
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  const steps = new Set<number>();
  for (const { atSeconds } of points) {
    first = Math.min(first, atSeconds);
    last = Math.max(last, atSeconds);
    steps.add(Math.floor(atSeconds / window.stepSeconds));
  }
  const days = samples === 0 ? 0 : (last - first + window.stepSeconds) / DAY_SECONDS;
  const coverageShare =
    samples === 0 ? 0 : Math.min(1, (steps.size * window.stepSeconds) / (days * DAY_SECONDS));
  const base = { days, samples, coverageShare };
  const seen = `${samples} points over ${days.toFixed(1)} days`;
  if (samples < LEAST_SAMPLES || days < LEAST_DAYS) {
    const because = `${seen}: at least ${LEAST_SAMPLES} points over ${LEAST_DAYS} day are needed`;
    return { ...base, level: "none", because };
  }
  if (days < SURE_DAYS || coverageShare < SURE_COVERAGE) {
    const why =
      days < SURE_DAYS
        ? "no whole week was seen"
        : `only ${Math.round(coverageShare * 100)} % of the time was watched`;
    return { ...base, level: "low", because: `${seen}: ${why}` };
  }
  return { ...base, level: "high", because: seen };
}

/** VPA's range: the upper end x(1 + 1/c), the lower x(1 + 0.001/c)^-2, with c in days of samples once a minute at most. */
function bounds(low: number, high: number, { days }: Confidence): { lower: number; upper: number } {
  const certainty = Math.max(days, 1e-3);
  return { lower: low * (1 + 0.001 / certainty) ** -2, upper: high * (1 + 1 / certainty) };
}

interface Trend {
  readonly perDay: number;
  readonly isSteady: boolean;
}

function median(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/**
 * The slope of a series by Theil and Sen: the median of the slopes between all pairs, which a burst does not move. Steady
 * when nearly all pairs agree on the sign, as the Mann-Kendall test counts them.
 */
export function trendOf(days: readonly { readonly day: number; readonly value: number }[]): Trend {
  if (days.length < LEAST_TREND_DAYS) return { perDay: 0, isSteady: false };
  const slopes: number[] = [];
  for (const [index, from] of days.entries()) {
    for (const to of days.slice(index + 1)) slopes.push((to.value - from.value) / (to.day - from.day));
  }
  const perDay = median(slopes.toSorted((a, b) => a - b));
  const agreeing = slopes.filter((slope) => Math.sign(slope) === Math.sign(perDay)).length;
  return { perDay, isSteady: agreeing >= slopes.length * STEADY_SHARE };
}

/** The highest value of each day counted back from the end; a day cut at the beginning is left out. */
function dailyPeaks(
  points: readonly UsagePoint[],
  window: UsageWindow,
): readonly { readonly day: number; readonly value: number }[] {
  const wholeDays = Math.floor((window.lastSeconds - window.firstSeconds + window.stepSeconds) / DAY_SECONDS);
  const peaks = new Map<number, number>();
  for (const { atSeconds, value } of points) {
    const back = Math.floor((window.lastSeconds - atSeconds) / DAY_SECONDS);
    if (back < wholeDays) peaks.set(back, Math.max(peaks.get(back) ?? 0, value));
  }
  return Array.from(peaks, ([back, value]) => ({ day: -back, value })).toSorted((a, b) => a.day - b.day);
}

/** What a steady growth adds until the horizon, over the level that is recommended by what was; 0 where there is none. */
function growthBy(
  points: readonly UsagePoint[],
  window: UsageWindow,
  policy: RequestPolicy,
): { readonly added: number; readonly perDay: number } {
  const peaks = dailyPeaks(points, window);
  const trend = trendOf(peaks);
  const level = median(peaks.map(({ value }) => value).toSorted((a, b) => a - b));
  const isGrowing = trend.isSteady && trend.perDay > level * LEAST_GROWTH_SHARE;
  return isGrowing
    ? { added: trend.perDay * policy.horizonDays, perDay: trend.perDay }
    : { added: 0, perDay: 0 };
}

/** Halves of a pod's life that say how its memory grows while it runs, as a share of its level a day. */
function lifeGrowthPerDay({ points }: UsageSeries): number | undefined {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const life = last.atSeconds - first.atSeconds;
  if (life < LEAST_LIFE_SECONDS) return undefined;
  const quarter = (from: number, to: number): number =>
    median(
      points
        .filter(
          ({ atSeconds }) =>
            atSeconds >= first.atSeconds + life * from && atSeconds <= first.atSeconds + life * to,
        )
        .map(({ value }) => value)
        .toSorted((a, b) => a - b),
    );
  const early = quarter(0, 0.25);
  const late = quarter(0.75, 1);
  return early === 0 ? undefined : ((late - early) / early / (life * 0.75)) * DAY_SECONDS;
}

/**
 * Memory that grows as long as a pod lives and is back where it was in the next pod: a leak. Workload that grows does so
 * across restarts too, and is none.
 */
export function isLeaking(container: ContainerUsage): boolean {
  const lives = (container.series.get("memory_bytes") ?? []).filter(({ points }) => points.length > 0);
  const growths = lives.flatMap((life) => lifeGrowthPerDay(life) ?? []);
  const leaking = growths.filter((growth) => growth > LEAK_SHARE_PER_DAY).length;
  if (growths.length === 0 || leaking < growths.length * STEADY_SHARE) return false;
  const byStart = lives.toSorted((a, b) => (a.points[0]?.atSeconds ?? 0) - (b.points[0]?.atSeconds ?? 0));
  const [oldest] = byStart;
  const newest = byStart.at(-1);
  const endOfOldest = oldest?.points.at(-1);
  const startOfNewest = newest?.points[0];
  if (oldest === newest || endOfOldest === undefined || startOfNewest === undefined) return false;
  return (
    startOfNewest.value < endOfOldest.value && startOfNewest.atSeconds > (oldest?.points[0]?.atSeconds ?? 0)
  );
}

function percentileOf(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

function recommendCpu(
  container: ContainerUsage,
  window: UsageWindow,
  policy: RequestPolicy,
): ResourceRecommendation {
  const points = pointsOf(container, "cpu_cores");
  const confidence = confidenceOf(points, window);
  const histogram = new DecayingHistogram({ ...CPU_BUCKETS, halfLifeSeconds: policy.halfLifeSeconds });
  for (const { atSeconds, value } of points) histogram.add(value, 1, atSeconds);
  const base = histogram.percentile(policy.cpuPercentile);
  const percent = Math.round(policy.cpuPercentile * 1000) / 10;
  const because = [`p${percent} of use ${base.toFixed(3)} cores`, `x ${policy.cpuMargin} margin`];
  const growth = growthBy(points, window, policy);
  if (growth.added > 0) {
    because.push(`+ ${growth.added.toFixed(3)} cores: it grows by ${growth.perDay.toFixed(3)} a day`);
  }
  const throttled = percentileOf(
    pointsOf(container, "cpu_throttled_share").map(({ value }) => value),
    policy.cpuPercentile,
  );
  const factor = throttled > THROTTLED_SHARE ? THROTTLED_FACTOR : 1;
  if (factor > 1) {
    because.push(
      `x ${THROTTLED_FACTOR}: its limit held it back in ${Math.round(throttled * 100)} % of periods`,
    );
  }
  const target = Math.max(LEAST_CPU_CORES, (base * policy.cpuMargin + growth.added) * factor);
  return {
    target: confidence.level === "none" ? undefined : target,
    requested: latestOf(container, "cpu_request_cores"),
    peak: points.reduce((peak, { value }) => Math.max(peak, value), 0),
    p95: histogram.percentile(0.95),
    ...bounds(histogram.percentile(0.5) * policy.cpuMargin, target, confidence),
    confidence,
    because: confidence.level === "none" ? [confidence.because] : because,
  };
}

/** Memory's samples: each pod's peak of each day, because the mean of memory says nothing about what it needs. */
function addMemoryPeaks(histogram: DecayingHistogram, container: ContainerUsage, window: UsageWindow): void {
  for (const { points } of container.series.get("memory_bytes") ?? []) {
    for (const { day, value } of dailyPeaks(points, window)) {
      histogram.add(value, 1, window.lastSeconds + day * DAY_SECONDS);
    }
  }
}

interface OomFinding {
  readonly kills: number;
  /** The memory that would have held, as far as is known; 0 without kills. */
  readonly neededBytes: number;
}

/** The highest value of a metric that a pod had until a moment. */
function highestUntil(
  container: ContainerUsage,
  metric: "memory_bytes" | "memory_limit_bytes" | "memory_request_bytes",
  pod: string,
  atSeconds: number,
): number {
  const own = (container.series.get(metric) ?? []).filter((series) => series.pod === pod);
  return own.reduce(
    (most, { points }) =>
      points.reduce(
        (high, point) => (point.atSeconds <= atSeconds ? Math.max(high, point.value) : high),
        most,
      ),
    0,
  );
}

/**
 * Goes by the limit at the time of the kill, not by today's: otherwise a kill that a raise has answered already would
 * raise it again every time it is looked at. Use as it was sampled stays below the limit that was hit between two samples.
 */
function oomOf(container: ContainerUsage): OomFinding {
  let kills = 0;
  let neededBytes = 0;
  for (const { pod, points } of container.series.get("oom_kills") ?? []) {
    for (const { atSeconds, value } of points) {
      if (value === 0) continue;
      kills += Math.ceil(value);
      const had = Math.max(
        highestUntil(container, "memory_bytes", pod, atSeconds),
        highestUntil(container, "memory_limit_bytes", pod, atSeconds),
        highestUntil(container, "memory_request_bytes", pod, atSeconds),
      );
      neededBytes = Math.max(neededBytes, had * OOM_FACTOR, had + OOM_LEAST_BYTES);
    }
  }
  return { kills, neededBytes };
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

function recommendMemory(
  container: ContainerUsage,
  window: UsageWindow,
  policy: RequestPolicy,
  oom: OomFinding,
  leaking: boolean,
): ResourceRecommendation {
  const points = pointsOf(container, "memory_bytes");
  const confidence = confidenceOf(points, window);
  const histogram = new DecayingHistogram({ ...MEMORY_BUCKETS, halfLifeSeconds: policy.halfLifeSeconds });
  addMemoryPeaks(histogram, container, window);
  const base = histogram.percentile(policy.memoryPercentile);
  const percent = Math.round(policy.memoryPercentile * 1000) / 10;
  const because = [
    `${percent === 100 ? "highest" : `p${percent}`} daily peak of a pod ${mib(base)}`,
    `x ${policy.memoryMargin} margin`,
  ];
  const growth = leaking ? { added: 0, perDay: 0 } : growthBy(points, window, policy);
  if (growth.added > 0) because.push(`+ ${mib(growth.added)}: it grows by ${mib(growth.perDay)} a day`);
  if (leaking) because.push("its memory grows as long as a pod lives: a leak, which no request holds");
  if (oom.kills > 0) because.push(`at least ${mib(oom.neededBytes)}: ${oom.kills} out-of-memory kills`);
  const target = Math.max(LEAST_MEMORY_BYTES, base * policy.memoryMargin + growth.added, oom.neededBytes);
  return {
    target: confidence.level === "none" ? undefined : target,
    requested: latestOf(container, "memory_request_bytes"),
    peak: points.reduce((peak, { value }) => Math.max(peak, value), 0),
    p95: histogram.percentile(0.95),
    ...bounds(histogram.percentile(0.5) * policy.memoryMargin, target, confidence),
    confidence,
    because: confidence.level === "none" ? [confidence.because] : because,
  };
}

/**
 * The CPU and memory that each pod of a workload should request. Pure.
 *
 * @param policy for the tuning of its numbers; people get ours
 */
export function recommendRequests(
  container: ContainerUsage,
  window: UsageWindow,
  policy: RequestPolicy = REQUEST_POLICY,
): RequestRecommendation {
  const oom = oomOf(container);
  const leaking = isLeaking(container);
  return {
    cpuCores: recommendCpu(container, window, policy),
    memoryBytes: recommendMemory(container, window, policy, oom, leaking),
    oomKills: oom.kills,
    isLeaking: leaking,
  };
}
