import type { UsageMetric } from "./usage-metrics.ts";

/** What a series is about. Names as Kubernetes has them. */
export interface SeriesLabels {
  readonly namespace: string;
  /** Deployment, StatefulSet, DaemonSet ...; a ReplicaSet of a Deployment counts as the Deployment. */
  readonly ownerKind: string;
  readonly owner: string;
  readonly pod: string;
  readonly container: string;
  /** A GPU's UUID; empty for what is not about one GPU. */
  readonly device: string;
  readonly gpuModel: string;
}

export interface UsagePoint {
  readonly atSeconds: number;
  readonly value: number;
}

export interface UsageSeries extends SeriesLabels {
  readonly metric: UsageMetric;
  /** By time, ascending. */
  readonly points: readonly UsagePoint[];
}

/** When usage was watched, and how often. */
export interface UsageWindow {
  readonly firstSeconds: number;
  readonly lastSeconds: number;
  readonly stepSeconds: number;
}

/** What was observed, and where. */
export interface ObservedUsage {
  readonly source: string;
  readonly window: UsageWindow;
  readonly series: readonly UsageSeries[];
  /** What a reader should know of the source: values that were no number, metrics that it lacks. */
  readonly notes: readonly string[];
}

/** One container of one workload, over all its pods. */
export interface ContainerUsage {
  readonly namespace: string;
  readonly ownerKind: string;
  readonly owner: string;
  readonly container: string;
  /** Most pods at one time in the last day. */
  readonly pods: number;
  readonly series: ReadonlyMap<UsageMetric, readonly UsageSeries[]>;
}

const DAY_SECONDS = 86_400;

/** The most series that have a point in one step, over the last day of the window. */
function mostAtOnce(series: readonly UsageSeries[], window: UsageWindow): number {
  const counts = new Map<number, Set<string>>();
  for (const { pod, points } of series) {
    for (const { atSeconds } of points) {
      if (atSeconds <= window.lastSeconds - DAY_SECONDS) continue;
      const step = Math.floor(atSeconds / window.stepSeconds);
      const pods = counts.get(step) ?? new Set();
      counts.set(step, pods.add(pod));
    }
  }
  return Math.max(0, ...Array.from(counts.values(), (pods) => pods.size));
}

/** Series by container of a workload, sorted by name. */
export function containersOf(usage: ObservedUsage): readonly ContainerUsage[] {
  const groups = Map.groupBy(usage.series, (series) =>
    JSON.stringify([series.namespace, series.ownerKind, series.owner, series.container]),
  );
  return [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, all]) => {
      const [first] = all;
      if (first === undefined) return [];
      const { namespace, ownerKind, owner, container } = first;
      const series = Map.groupBy(all, ({ metric }) => metric);
      const alive = series.get("memory_bytes") ?? series.get("cpu_cores") ?? all;
      return [{ namespace, ownerKind, owner, container, pods: mostAtOnce(alive, usage.window), series }];
    });
}

/** The newest value of a metric over all pods, the highest where pods differ; undefined where there is none. */
export function latestOf(container: ContainerUsage, metric: UsageMetric): number | undefined {
  const last = (container.series.get(metric) ?? []).flatMap(({ points }) => points.at(-1) ?? []);
  const newest = Math.max(...last.map(({ atSeconds }) => atSeconds));
  const values = last.flatMap(({ atSeconds, value }) => (atSeconds === newest ? [value] : []));
  return values.length === 0 ? undefined : Math.max(...values);
}

/** Every point of a metric over all pods. */
export function pointsOf(container: ContainerUsage, metric: UsageMetric): readonly UsagePoint[] {
  return (container.series.get(metric) ?? []).flatMap(({ points }) => points);
}
