import { type Fault, InputError } from "../../host-tuning/errors.ts";
import type { ObservedUsage, UsagePoint, UsageSeries, UsageWindow } from "./container-usage.ts";
import type { PrometheusApi, RangeQuery, RangeSeries } from "./prometheus-api.ts";
import { metricSpec, type QueryScope, USAGE_METRIC_NAMES, type UsageMetric } from "./usage-metrics.ts";

const DAY_SECONDS = 86_400;

export interface UsageQuestion {
  readonly namespaces: readonly string[];
  /** A service that runs as a unit of its hosts: the job that scrapes it, and what its container is called. */
  readonly process?: { readonly job: string; readonly namespace: string; readonly container: string };
  readonly window: UsageWindow;
  /** Says how far it is, for what takes over 2 s. */
  readonly onProgress?: (text: string) => void;
}

interface PodOwner {
  readonly ownerKind: string;
  readonly owner: string;
}

/** A Deployment's pods belong to a ReplicaSet that is named after it and its template's hash. */
function ownerOf(kind: string, name: string): PodOwner {
  const deployment = /^(.+)-[a-z0-9]{1,10}$/.exec(name)?.[1];
  return kind === "ReplicaSet" && deployment !== undefined
    ? { ownerKind: "Deployment", owner: deployment }
    : { ownerKind: kind === "" ? "Pod" : kind, owner: name };
}

/** Label values in a matcher: quoted for PromQL, and literal for its regular expressions. */
function matchersOf(namespaces: readonly string[]): string {
  const literal = namespaces.map((name) => name.replaceAll(/[.\\+*?()|[\]{}^$]/g, String.raw`\$&`));
  return `namespace=~${JSON.stringify(literal.join("|"))}`;
}

/** The window day by day: an answer of one day stays far below Prometheus' 11,000 points a series, and small. */
function daysOf({
  firstSeconds,
  lastSeconds,
  stepSeconds,
}: UsageWindow): readonly Omit<RangeQuery, "promql">[] {
  const days: Omit<RangeQuery, "promql">[] = [];
  const pointsPerDay = Math.max(1, Math.floor(DAY_SECONDS / stepSeconds));
  for (let from = firstSeconds; from <= lastSeconds; from += pointsPerDay * stepSeconds) {
    const last = Math.min(lastSeconds, from + (pointsPerDay - 1) * stepSeconds);
    days.push({ firstSeconds: from, lastSeconds: last, stepSeconds });
  }
  return days;
}

interface Collected {
  readonly labels: RangeSeries["labels"];
  readonly points: UsagePoint[];
}

/** Values that are no number (a rate over nothing) and values beyond what the metric can be, which are left out. */
interface Dropped {
  count: number;
}

async function queryDays(
  api: PrometheusApi,
  promql: string,
  { window }: UsageQuestion,
  isValue: (value: number) => boolean,
  dropped: Dropped,
): Promise<{ readonly series: readonly Collected[]; readonly warnings: readonly string[] }> {
  const found = new Map<string, Collected>();
  const warnings = new Set<string>();
  for (const day of daysOf(window)) {
    const answer = await api.queryRange({ promql, ...day });
    for (const warning of answer.warnings) warnings.add(warning);
    for (const { labels, values } of answer.series) {
      const key = JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
      const collected = found.get(key) ?? { labels, points: [] };
      found.set(key, collected);
      for (const [atSeconds, text] of values) {
        const value = Number(text);
        if (text !== "" && isValue(value)) collected.points.push({ atSeconds, value });
        else dropped.count += 1;
      }
    }
  }
  return { series: [...found.values()].filter(({ points }) => points.length > 0), warnings: [...warnings] };
}

async function podOwners(
  api: PrometheusApi,
  question: UsageQuestion,
  matchers: string,
): Promise<ReadonlyMap<string, PodOwner>> {
  const promql = `max by (namespace, pod, created_by_kind, created_by_name) (kube_pod_info{${matchers}})`;
  const { series } = await queryDays(api, promql, question, () => true, { count: 0 });
  return new Map(
    series.map(({ labels }) => [
      `${labels["namespace"] ?? ""}/${labels["pod"] ?? ""}`,
      ownerOf(labels["created_by_kind"] ?? "", labels["created_by_name"] ?? labels["pod"] ?? ""),
    ]),
  );
}

function processSeries(
  metric: UsageMetric,
  { labels, points }: Collected,
  { job, namespace, container }: NonNullable<UsageQuestion["process"]>,
): UsageSeries {
  const pod = labels["instance"] ?? "";
  return {
    metric,
    namespace,
    ownerKind: "Unit",
    owner: job,
    pod,
    container,
    device: "",
    gpuModel: "",
    points,
  };
}

function containerSeries(
  metric: UsageMetric,
  { labels, points }: Collected,
  owners: ReadonlyMap<string, PodOwner> | undefined,
): UsageSeries {
  const { namespace = "", pod = "", container = "", UUID = "", modelName = "" } = labels;
  const owner = owners?.get(`${namespace}/${pod}`) ?? { ownerKind: "Pod", owner: pod };
  return { metric, namespace, ...owner, pod, container, device: UUID, gpuModel: modelName, points };
}

/** What a metric's absence means, where it is not simply that nothing of the kind happened. */
function absenceOf(metric: UsageMetric): string | undefined {
  if (metric === "cpu_request_cores" || metric === "memory_request_bytes") {
    return "no kube_pod_container_resource_requests: what is requested now is the environment file's word";
  }
  return metric === "cpu_throttled_share"
    ? "no CFS periods: whether a CPU limit hid use is not known"
    : undefined;
}

function missingFault(metric: UsageMetric, { namespaces, process }: UsageQuestion): Fault {
  const message =
    process === undefined
      ? `no series in namespace ${namespaces.join(", ")}: is cAdvisor (the kubelet's /metrics/cadvisor) scraped, and is it the right namespace (--namespace)?`
      : `no series of job "${process.job}": is the service's /metrics scraped, and under that name (--job)?`;
  return { path: metric, message };
}

/**
 * Use of the containers of some namespaces, by range queries over the HTTP API, one metric and one day at a time.
 *
 * @throws {InputError} when Prometheus does not answer or knows neither the CPU nor the memory of any container
 */
export async function readUsagePrometheus(
  api: PrometheusApi,
  question: UsageQuestion,
): Promise<ObservedUsage> {
  const { process } = question;
  const matchers =
    process === undefined ? matchersOf(question.namespaces) : `job=${JSON.stringify(process.job)}`;
  const scope: QueryScope = { matchers, stepSeconds: question.window.stepSeconds };
  const owners = process === undefined ? await podOwners(api, question, matchers) : undefined;
  const series: UsageSeries[] = [];
  const notes: string[] = [];
  const missing: UsageMetric[] = [];
  const dropped: Dropped = { count: 0 };
  for (const [index, metric] of USAGE_METRIC_NAMES.entries()) {
    question.onProgress?.(`${metric} (${index + 1} of ${USAGE_METRIC_NAMES.length})`);
    const { max, isRequired, promql: ofContainer, promqlOfProcess } = metricSpec(metric);
    const promql = process === undefined ? ofContainer : promqlOfProcess;
    if (promql === undefined) continue;
    const isValue = (value: number): boolean => value >= 0 && value <= max;
    const answer = await queryDays(api, promql(scope), question, isValue, dropped);
    series.push(
      ...answer.series.map((found) =>
        process === undefined
          ? containerSeries(metric, found, owners)
          : processSeries(metric, found, process),
      ),
    );
    notes.push(...answer.warnings.map((warning) => `Prometheus warns: ${warning}`));
    if (answer.series.length > 0) continue;
    if (isRequired === true) missing.push(metric);
    const absence = absenceOf(metric);
    if (absence !== undefined) notes.push(absence);
  }
  if (missing.length > 0)
    throw new InputError(
      api.source,
      missing.map((metric) => missingFault(metric, question)),
    );
  if (owners?.size === 0)
    notes.push("no kube_pod_info: pods are not known to belong together, each stands alone");
  if (dropped.count > 0)
    notes.push(`${dropped.count} values were no number or out of range and are left out`);
  return { source: api.source, window: question.window, series, notes: [...new Set(notes)] };
}
