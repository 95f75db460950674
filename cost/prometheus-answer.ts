import * as z from "zod";
import { type Fault, InputError } from "../host-tuning/errors.ts";
import { parseContract } from "../host-tuning/profile/parse-contract.ts";

const answerSchema = z.object({
  status: z.literal("success", 'no answer that succeeded: its status is not "success"'),
  data: z.object({
    resultType: z.literal("matrix", "no range of samples: ask query_range, not query"),
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        values: z.array(z.tuple([z.number(), z.string()])).min(1),
      }),
    ),
  }),
});

export interface Sample {
  readonly atSeconds: number;
  readonly value: number;
}

/** One series of an answer of Prometheus' query_range, by its metric's name. */
export interface SampleSeries {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** In order of time. */
  readonly samples: readonly Sample[];
}

export interface PrometheusAnswer {
  readonly series: readonly SampleSeries[];
  /** Time from one sample to the next. */
  readonly stepSeconds: number;
}

/** A sample stands for the time to the next one; more than this and an hour has none of its own. */
const LONGEST_STEP_SECONDS = 3600;

/** The smallest time between two samples of one series. */
function stepOf(series: readonly SampleSeries[]): number {
  return Math.min(
    Number.POSITIVE_INFINITY,
    ...series.map(({ samples }) =>
      samples.reduce((least, { atSeconds }, index) => {
        const before = samples[index - 1];
        return before === undefined ? least : Math.min(least, atSeconds - before.atSeconds);
      }, Number.POSITIVE_INFINITY),
    ),
  );
}

function sampleFaults(series: SampleSeries, path: string): readonly Fault[] {
  const faults: Fault[] = [];
  if (series.name === "") {
    faults.push({
      path: `${path}.metric`,
      message: "has no __name__: ask for the metric itself, not for a rate or a sum of it",
    });
  }
  for (const [index, { atSeconds, value }] of series.samples.entries()) {
    const before = series.samples[index - 1];
    if (!Number.isFinite(value)) {
      faults.push({ path: `${path}.values[${index}]`, message: "no finite number" });
    } else if (value < 0) {
      faults.push({ path: `${path}.values[${index}]`, message: `${value} is below 0` });
    }
    if (before !== undefined && atSeconds <= before.atSeconds) {
      faults.push({ path: `${path}.values[${index}]`, message: "not after the sample before it" });
    }
    if (faults.length > 20) break;
  }
  return faults;
}

/**
 * An answer of Prometheus' HTTP API to query_range, as `curl` saves it.
 *
 * @throws {InputError} with every fault and its path
 */
export function parsePrometheusAnswer(text: string, source: string): PrometheusAnswer {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    const message = "Cannot read as JSON: is it whole?";
    throw new InputError(source, [{ path: "", message }], { cause });
  }
  const { result } = parseContract(answerSchema, data, source).data;
  const series = result.map(({ metric: { __name__: name = "", ...labels }, values }) => ({
    name,
    labels,
    samples: values.map(([atSeconds, value]) => ({
      atSeconds,
      value: value.trim() === "" ? Number.NaN : Number(value),
    })),
  }));
  const faults = series.flatMap((one, index) => sampleFaults(one, `data.result[${index}]`));
  const stepSeconds = stepOf(series);
  if (series.length > 0 && faults.length === 0 && stepSeconds > LONGEST_STEP_SECONDS) {
    const found = Number.isFinite(stepSeconds) ? `are ${stepSeconds} s apart` : "are single";
    faults.push({ path: "data.result", message: `samples ${found}: ask with a step of an hour or less` });
  }
  if (faults.length > 0) throw new InputError(source, faults);
  return { series, stepSeconds };
}

/** What a counter grew by, and when: from the sample before, or from 0 where it began anew. */
export function increasesOf(samples: readonly Sample[]): readonly Sample[] {
  return samples.slice(1).map(({ atSeconds, value }, index) => {
    const before = samples[index]?.value ?? 0;
    return { atSeconds, value: value < before ? value : value - before };
  });
}
