import type { PrometheusApi } from "../right-size/prometheus-api.ts";

const HOUR_SECONDS = 3600;

/** What is known of one hour. */
export interface HourOfCalls {
  readonly startSeconds: number;
  /** Undefined where the service was not scraped: that says nothing of calls. */
  readonly isCalled: boolean | undefined;
}

export interface HourlyCalls {
  readonly hours: readonly HourOfCalls[];
  readonly warnings: readonly string[];
}

export interface HourlyQuestion {
  /** Label matchers of the service. */
  readonly matchers: string;
  /** A histogram of the time in a tool. */
  readonly histogram: string;
  /** Whole hours: where the first one begins, and the last one ends. */
  readonly firstSeconds: number;
  readonly lastSeconds: number;
}

/**
 * In which hours a service was called. A counter that appears within an hour counts as calls: `increase` would see
 * nothing of a first call.
 *
 * @throws {InputError} when Prometheus does not answer
 */
export async function readHourlyCalls(
  api: PrometheusApi,
  { matchers, histogram, firstSeconds, lastSeconds }: HourlyQuestion,
): Promise<HourlyCalls> {
  // An hour is asked for at its end.
  const window = { firstSeconds: firstSeconds + HOUR_SECONDS, lastSeconds, stepSeconds: HOUR_SECONDS };
  const series = `${histogram}_count{${matchers}}`;
  const grown = await api.queryRange({ promql: `sum(increase(${series}[1h])) > 0`, ...window });
  const begun = await api.queryRange({
    promql: `count(last_over_time(${series}[1h]) > 0 unless last_over_time(${series}[1h] offset 1h))`,
    ...window,
  });
  const up = await api.queryRange({ promql: `max(max_over_time(up{${matchers}}[1h])) == 1`, ...window });
  const timesOf = (answer: typeof up): ReadonlySet<number> =>
    new Set(answer.series.flatMap(({ values }) => values.map(([atSeconds]) => atSeconds)));
  const [called, first, watched] = [timesOf(grown), timesOf(begun), timesOf(up)];
  const hours: HourOfCalls[] = [];
  for (let end = window.firstSeconds; end <= lastSeconds; end += HOUR_SECONDS) {
    const isCalled = called.has(end) || first.has(end) ? true : watched.has(end) ? false : undefined;
    hours.push({ startSeconds: end - HOUR_SECONDS, isCalled });
  }
  return { hours, warnings: [...new Set([grown, begun, up].flatMap(({ warnings }) => warnings))] };
}
