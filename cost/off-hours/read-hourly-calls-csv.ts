import { readFile, stat } from "node:fs/promises";
import { CsvError, parse } from "csv-parse/sync";
import * as z from "zod";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { errnoText } from "../../host-tuning/sys/errno.ts";
import type { HourlyCalls } from "./read-hourly-calls.ts";

const HOUR_SECONDS = 3600;

/** A hundred years of hours. */
const MAX_BYTES = 64 * 1024 * 1024;
const NAMED_FAULTS = 50;

const HOUR = /^(?:20\d{2})-\d{2}-\d{2}[T ]\d{2}:00(?::00(?:\.0+)?)?Z$/;
const CALLS = /^\d{1,18}(?:\.\d{1,18})?$/;

const recordsSchema = z.array(
  z.object({ record: z.array(z.string()), info: z.object({ lines: z.number() }) }),
);

function hourOf(text: string): number | undefined {
  const seconds = HOUR.test(text) ? Date.parse(text.replace(" ", "T")) / 1000 : Number.NaN;
  // Date.parse takes 30 February as 2 March.
  const isDay =
    Number.isFinite(seconds) && new Date(seconds * 1000).toISOString().slice(0, 10) === text.slice(0, 10);
  return isDay ? seconds : undefined;
}

function recordsOf(text: string, file: string): z.output<typeof recordsSchema> {
  try {
    return recordsSchema.parse(parse(text, { bom: true, info: true, skip_empty_lines: true, trim: true }));
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new InputError(file, [{ path: "", message: cause.message }], { cause });
  }
}

/**
 * Hours with the calls that a service had in each, as `hour,calls` with times as `2026-07-01T09:00:00Z`. An hour of 0 was
 * watched and quiet; one that the file lacks was not watched.
 *
 * @throws {InputError} with every line that is none
 */
export function parseHourlyCalls(text: string, file: string): HourlyCalls {
  const [header, ...records] = recordsOf(text, file);
  if (header?.record.join() !== "hour,calls") {
    throw new InputError(file, [{ path: "line 1", message: "the header is hour,calls" }]);
  }
  const faults: Fault[] = [];
  const calls = new Map<number, boolean>();
  for (const { record, info } of records) {
    const [hourText = "", callsText = ""] = record;
    const path = `line ${info.lines}`;
    const hour = hourOf(hourText);
    if (hour === undefined) {
      faults.push({ path, message: `"${hourText.slice(0, 40)}" is no whole hour as 2026-07-01T09:00:00Z` });
    } else if (calls.has(hour)) faults.push({ path, message: `the hour ${hourText} is there twice` });
    if (!CALLS.test(callsText)) {
      faults.push({ path, message: `"${callsText.slice(0, 40)}" is no number of calls` });
    } else if (hour !== undefined) calls.set(hour, Number(callsText) > 0);
  }
  if (records.length === 0) faults.push({ path: "", message: "has a header and no hours" });
  if (faults.length > NAMED_FAULTS) {
    const more = faults.length - NAMED_FAULTS;
    throw new InputError(file, [
      ...faults.slice(0, NAMED_FAULTS),
      { path: "", message: `and ${more} faults more` },
    ]);
  }
  if (faults.length > 0) throw new InputError(file, faults);
  const hours = [...calls]
    .toSorted(([a], [b]) => a - b)
    .map(([startSeconds, isCalled]) => ({ startSeconds, isCalled }));
  return { hours, warnings: [] };
}

/**
 * The hours of a file between two times; without the later one, up to the file's last hour.
 *
 * @throws {InputError} when it cannot be read, has lines that are none, or none of the asked time
 */
export async function readHourlyCallsCsv(
  file: string,
  days: number,
  lastSeconds: number | undefined,
): Promise<HourlyCalls> {
  const text = await stat(file)
    .then(async ({ size }) => {
      if (size <= MAX_BYTES) return await readFile(file, "utf8");
      throw new InputError(file, [
        { path: "", message: `has more than ${MAX_BYTES} bytes: give hours, not calls` },
      ]);
    })
    .catch((cause: unknown) => {
      if (cause instanceof InputError) throw cause;
      throw new InputError(file, [{ path: "", message: `Cannot read: ${errnoText(cause)}` }], { cause });
    });
  const { hours, warnings } = parseHourlyCalls(text, file);
  const end = lastSeconds ?? (hours.at(-1)?.startSeconds ?? 0) + HOUR_SECONDS;
  const first = end - days * 24 * HOUR_SECONDS;
  const known = new Map(hours.map((hour) => [hour.startSeconds, hour]));
  const asked = Array.from({ length: days * 24 }, (_, index) => {
    const startSeconds = first + index * HOUR_SECONDS;
    return known.get(startSeconds) ?? { startSeconds, isCalled: undefined };
  });
  if (asked.some(({ isCalled }) => isCalled !== undefined)) return { hours: asked, warnings };
  const message = `has no hour of the ${days} days before ${new Date(end * 1000).toISOString()}: see --days and --until`;
  throw new InputError(file, [{ path: "", message }]);
}
