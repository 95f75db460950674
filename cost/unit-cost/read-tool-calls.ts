import { type Environment, serviceNamespace } from "../../components/environment/environment-spec.ts";
import { InputError } from "../../host-tuning/errors.ts";
import type { PrometheusApi, RangeSeries } from "../right-size/prometheus-api.ts";

const DAY_SECONDS = 86_400;

/** What the reference service calls the histogram of the time in its tools. */
export const DEFAULT_HISTOGRAM = "mcp_tool_call_duration_seconds";

/** What it calls the same by who the calls are for, without the times' distribution. */
const TENANT_HISTOGRAM = "mcp_tenant_tool_call_duration_seconds";

/** Labels that only the latter has. */
const CALLER_LABELS: readonly string[] = ["tenant", "team"];

export function isCallerLabel(label: string): boolean {
  return CALLER_LABELS.includes(label);
}

/** The reference service's histogram that has a label. */
export function histogramWith(label: string): string {
  return isCallerLabel(label) ? TENANT_HISTOGRAM : DEFAULT_HISTOGRAM;
}

/** Calls of one tool, or of one value of another label. */
export interface CountedCalls {
  /** Null where the series have no such label. */
  readonly key: string | null;
  readonly calls: number;
  readonly failedCalls: number;
  readonly toolSeconds: number;
}

export interface ToolCalls {
  readonly rows: readonly CountedCalls[];
  readonly watchedDays: number;
  readonly warnings: readonly string[];
}

/** What calls are told apart by. */
export interface Counting {
  /** Labels of the series, as in `tool`. */
  readonly labels: readonly string[];
  /** The row that a day's calls belong to. */
  readonly keyOf: (labels: RangeSeries["labels"], day: string) => string | null;
}

/** A row for each value of a label. */
export function countByLabel(label: string): Counting {
  return { labels: [label], keyOf: (labels) => labels[label] ?? null };
}

export interface CallQuestion {
  /** Label matchers of the service, as in `namespace="mcp-prod"`. */
  readonly matchers: string;
  readonly counting: Counting;
  /** A histogram of the time in a tool, with the label `outcome`. */
  readonly histogram: string;
  /** Days as in `2026-07-01`, UTC, both counted. */
  readonly days: { readonly first: string; readonly last: string };
}

/** The scraped targets of a service: its namespace's where it runs on Kubernetes, its job's otherwise. */
export function matchersOf(environment: Environment, job: string | undefined): string {
  return environment.service.runtime === "kubernetes"
    ? `namespace=${JSON.stringify(serviceNamespace(environment))}`
    : `job=${JSON.stringify(job ?? environment.owner.service)}`;
}

interface Sum {
  calls: number;
  failedCalls: number;
  toolSeconds: number;
}

/** Far above what a service does in a month, and far below where a number loses whole calls. */
const MOST = 1e15;

/** The day that a sample at its end is of. */
function dayBefore(atSeconds: number): string {
  return new Date((atSeconds - DAY_SECONDS) * 1000).toISOString().slice(0, 10);
}

/** A series' days added up by row. Prometheus answers NaN and infinities as text; no count of calls is one. */
function amountsOf(
  { labels, values }: RangeSeries,
  { keyOf }: Counting,
  source: string,
): ReadonlyMap<string | null, number> {
  const sums = new Map<string | null, number>();
  for (const [atSeconds, text] of values) {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!(value >= 0 && value <= MOST)) {
      const message = `"${text}" is no count of calls or seconds (${JSON.stringify(labels)})`;
      throw new InputError(source, [{ path: "data.result", message }]);
    }
    const key = keyOf(labels, dayBefore(atSeconds));
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}

/**
 * What a service's counters grew by on some days, restarts bridged as PromQL's `increase` does. It extrapolates to the
 * ends of each day by at most one scrape, and does not see calls before a new pod's first scrape.
 *
 * @throws {InputError} when Prometheus does not answer
 */
export async function readToolCalls(
  api: PrometheusApi,
  { matchers, counting, histogram, days }: CallQuestion,
): Promise<ToolCalls> {
  // A day is asked for at its end.
  const firstSeconds = Date.parse(`${days.first}T00:00:00Z`) / 1000 + DAY_SECONDS;
  const lastSeconds = Date.parse(`${days.last}T00:00:00Z`) / 1000 + DAY_SECONDS;
  const ask = async (promql: string): ReturnType<PrometheusApi["queryRange"]> =>
    await api.queryRange({ promql, firstSeconds, lastSeconds, stepSeconds: DAY_SECONDS });
  const increase = (suffix: "count" | "sum", by: string): string =>
    `sum by (${by}) (increase(${histogram}_${suffix}{${matchers}}[1d]))`;
  const labels = counting.labels.join(", ");
  const calls = await ask(increase("count", `${labels}, outcome`));
  const seconds = await ask(increase("sum", labels));
  const up = await ask(`max(max_over_time(up{${matchers}}[1d])) == 1`);
  const sums = new Map<string | null, Sum>();
  const sumOf = (key: string | null): Sum => {
    const sum = sums.get(key) ?? { calls: 0, failedCalls: 0, toolSeconds: 0 };
    sums.set(key, sum);
    return sum;
  };
  for (const series of calls.series) {
    for (const [key, counted] of amountsOf(series, counting, api.source)) {
      const sum = sumOf(key);
      sum.calls += counted;
      if (series.labels["outcome"] !== "ok") sum.failedCalls += counted;
    }
  }
  for (const series of seconds.series) {
    for (const [key, counted] of amountsOf(series, counting, api.source)) sumOf(key).toolSeconds += counted;
  }
  return {
    rows: Array.from(sums, ([key, sum]) => ({
      key,
      calls: Math.round(sum.calls),
      failedCalls: Math.min(Math.round(sum.failedCalls), Math.round(sum.calls)),
      toolSeconds: sum.toolSeconds,
    })).toSorted((a, b) => b.toolSeconds - a.toolSeconds || compareKeys(a.key, b.key)),
    watchedDays: new Set(up.series.flatMap(({ values }) => values.map(([atSeconds]) => atSeconds))).size,
    warnings: [...new Set([calls, seconds, up].flatMap(({ warnings }) => warnings))],
  };
}

function compareKeys(a: string | null, b: string | null): number {
  return (a ?? "").localeCompare(b ?? "", "en");
}
