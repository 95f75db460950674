import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { CsvError, type Info, parse } from "csv-parse";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { errnoText } from "../../host-tuning/sys/errno.ts";
import type { ObservedUsage, UsageSeries } from "./container-usage.ts";
import { isUsageMetric, metricSpec, USAGE_METRIC_NAMES, type UsageMetric } from "./usage-metrics.ts";

const REQUIRED = ["time", "namespace", "owner_kind", "owner", "pod", "container", "metric", "value"] as const;
const OPTIONAL = ["device", "gpu_model"] as const;

type Column = (typeof REQUIRED)[number] | (typeof OPTIONAL)[number];

/** One record is never longer: a quote that does not close must not swallow the file. */
const MAX_RECORD_BYTES = 64 * 1024;

/** So many faults are named; the rest are counted. */
const NAMED_FAULTS = 50;

/** What a file without two points in a row is taken to be sampled at. */
const DEFAULT_STEP_SECONDS = 300;

/** Names are Kubernetes' own: 253 characters at most, none that steers a terminal. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,252}$/;

const DECIMAL = /^\d{1,18}(?:\.\d{1,18})?(?:[eE][-+]?\d{1,2})?$/;

/** 2000 to 2100: seconds, not milliseconds. */
const TIME_RANGE = { first: 946_684_800, last: 4_102_444_800 } as const;

/** "2026-07-01T00:00:00Z" or seconds since 1970. */
function parseTime(text: string): number | undefined {
  const seconds = /^\d{9,10}(?:\.\d{1,3})?$/.test(text)
    ? Number(text)
    : /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$/.test(text)
      ? Date.parse(text.replace(" ", "T")) / 1000
      : Number.NaN;
  return seconds >= TIME_RANGE.first && seconds <= TIME_RANGE.last ? seconds : undefined;
}

class FaultList {
  readonly #faults: Fault[] = [];
  #more = 0;

  add(path: string, message: string): void {
    if (this.#faults.length < NAMED_FAULTS) this.#faults.push({ path, message });
    else this.#more += 1;
  }

  get all(): readonly Fault[] {
    return this.#more === 0
      ? this.#faults
      : [...this.#faults, { path: "", message: `and ${this.#more} faults more` }];
  }
}

function columnPlaces(header: readonly string[], faults: FaultList): ReadonlyMap<Column, number> {
  const places = new Map<Column, number>();
  const known: readonly string[] = [...REQUIRED, ...OPTIONAL];
  for (const [index, name] of header.entries()) {
    if (!known.includes(name)) faults.add("line 1", `unknown column "${name.slice(0, 60)}"`);
    else if (places.has(name as Column)) faults.add("line 1", `the column ${name} is there twice`);
    else places.set(name as Column, index);
  }
  for (const name of REQUIRED) {
    if (!places.has(name)) faults.add("line 1", `the column ${name} is missing`);
  }
  return places;
}

interface Row extends Omit<UsageSeries, "points"> {
  readonly atSeconds: number;
  readonly value: number;
}

function metricOf(text: string, path: string, faults: FaultList): UsageMetric | undefined {
  if (isUsageMetric(text)) return text;
  faults.add(path, `metric "${text.slice(0, 60)}" is none of ${USAGE_METRIC_NAMES.join(", ")}`);
  return undefined;
}

function valueOf(text: string, metric: UsageMetric, path: string, faults: FaultList): number | undefined {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  const { max } = metricSpec(metric);
  if (value >= 0 && value <= max) return value;
  faults.add(path, `${metric} "${text.slice(0, 60)}" is no number from 0 to ${max}`);
  return undefined;
}

function parseRow(
  record: readonly string[],
  places: ReadonlyMap<Column, number>,
  path: string,
  faults: FaultList,
): Row | undefined {
  const text = (column: Column): string => record[places.get(column) ?? -1] ?? "";
  const name = (column: Column): string => {
    const value = text(column);
    if (!NAME.test(value)) faults.add(path, `${column} "${value.slice(0, 60)}" is no name`);
    return value;
  };
  const atSeconds = parseTime(text("time"));
  if (atSeconds === undefined) {
    faults.add(path, `time "${text("time").slice(0, 60)}" is neither as 2026-07-01T00:00:00Z nor seconds`);
  }
  const metric = metricOf(text("metric"), path, faults);
  const value = metric === undefined ? undefined : valueOf(text("value"), metric, path, faults);
  const device = text("device");
  const isOfDevice = metric !== undefined && metricSpec(metric).isOfDevice === true;
  if (isOfDevice && !NAME.test(device)) faults.add(path, `${metric} is of one GPU: device has its UUID`);
  const gpuModel = text("gpu_model");
  if (gpuModel !== "" && !NAME.test(gpuModel)) faults.add(path, "gpu_model is no name");
  const labels = {
    namespace: name("namespace"),
    ownerKind: name("owner_kind"),
    owner: name("owner"),
    pod: name("pod"),
    container: name("container"),
  };
  if (atSeconds === undefined || metric === undefined || value === undefined) return undefined;
  return { ...labels, metric, atSeconds, value, device: isOfDevice ? device : "", gpuModel };
}

/** The most common distance of two points of one series. */
function stepOf(series: readonly UsageSeries[]): number {
  const counts = new Map<number, number>();
  for (const { points } of series) {
    for (const [index, point] of points.entries()) {
      const before = points[index - 1];
      if (before === undefined) continue;
      const step = Math.round(point.atSeconds - before.atSeconds);
      if (step > 0) counts.set(step, (counts.get(step) ?? 0) + 1);
    }
  }
  const [most] = [...counts].toSorted((a, b) => b[1] - a[1] || a[0] - b[0]);
  return most?.[0] ?? DEFAULT_STEP_SECONDS;
}

function seriesOf(
  rows: ReadonlyMap<string, readonly (Row & { path: string })[]>,
  faults: FaultList,
): UsageSeries[] {
  return [...rows.values()].flatMap((own) => {
    const [first] = own;
    if (first === undefined) return [];
    const sorted = own.toSorted((a, b) => a.atSeconds - b.atSeconds);
    for (const [index, row] of sorted.entries()) {
      const before = sorted[index - 1];
      if (before?.atSeconds !== row.atSeconds) continue;
      faults.add(row.path, `${row.metric} of pod ${row.pod} has this time in ${before.path} already`);
    }
    const { atSeconds: _at, value: _value, path: _path, ...labels } = first;
    return [{ ...labels, points: sorted.map(({ atSeconds, value }) => ({ atSeconds, value })) }];
  });
}

async function endFault(file: string): Promise<Fault | undefined> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    if (size === 0) return { path: "", message: "is empty" };
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer[0] === 0x0a
      ? undefined
      : { path: "", message: "the last line does not end: the file may have been cut short" };
  } finally {
    await handle.close();
  }
}

interface ParsedRecord {
  readonly record: readonly string[];
  readonly info: Info;
}

async function readRows(
  file: string,
  faults: FaultList,
): Promise<ReadonlyMap<string, (Row & { path: string })[]>> {
  const rows = new Map<string, (Row & { path: string })[]>();
  const parser = parse({
    bom: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_RECORD_BYTES,
  });
  const bytes = createReadStream(file);
  bytes.on("error", (error) => parser.destroy(error)).pipe(parser);
  let places: ReadonlyMap<Column, number> | undefined;
  let width = 0;
  for await (const parsed of parser) {
    const { record, info } = parsed as ParsedRecord;
    const path = `line ${info.lines}`;
    if (places === undefined) {
      places = columnPlaces(record, faults);
      width = record.length;
      // Under a wrong header every line would be a fault.
      if (faults.all.length > 0) break;
      continue;
    }
    if (record.length !== width) {
      faults.add(path, `has ${record.length} fields, the header ${width}`);
      continue;
    }
    const row = parseRow(record, places, path, faults);
    if (row === undefined) continue;
    const key = JSON.stringify([
      row.metric,
      row.namespace,
      row.ownerKind,
      row.owner,
      row.pod,
      row.container,
      row.device,
    ]);
    const own = rows.get(key);
    if (own === undefined) rows.set(key, [{ ...row, path }]);
    else own.push({ ...row, path });
  }
  return rows;
}

/** First and last time of the series, and what they are sampled at. */
export function windowOf(series: readonly UsageSeries[]): ObservedUsage["window"] {
  let firstSeconds = Number.POSITIVE_INFINITY;
  let lastSeconds = Number.NEGATIVE_INFINITY;
  for (const { points } of series) {
    firstSeconds = Math.min(firstSeconds, points[0]?.atSeconds ?? firstSeconds);
    lastSeconds = Math.max(lastSeconds, points.at(-1)?.atSeconds ?? lastSeconds);
  }
  return { firstSeconds, lastSeconds, stepSeconds: stepOf(series) };
}

/**
 * Use from a CSV file in the long form: one line for each point, under `time, namespace, owner_kind, owner, pod,
 * container, metric, value` and for GPUs `device, gpu_model`. The metrics are those of USAGE_METRICS.
 *
 * @throws {InputError} when it cannot be read or has faults, with every one (the first 50 named) and its line
 */
export async function readUsageCsv(file: string): Promise<ObservedUsage> {
  const faults = new FaultList();
  const cut = await endFault(file).catch((cause: unknown) => {
    throw new InputError(file, [{ path: "", message: `Cannot read: ${errnoText(cause)}` }], { cause });
  });
  if (cut !== undefined) faults.add(cut.path, cut.message);
  const rows = await readRows(file, faults).catch((cause: unknown) => {
    if (!(cause instanceof CsvError)) throw cause;
    faults.add("", `is no CSV as RFC 4180 has it: ${cause.message}`);
    return new Map<string, (Row & { path: string })[]>();
  });
  const series = seriesOf(rows, faults);
  if (series.length === 0 && faults.all.length === 0) faults.add("", "has a header and no lines");
  if (faults.all.length > 0) throw new InputError(file, faults.all);
  return { source: file, window: windowOf(series), series, notes: [] };
}
