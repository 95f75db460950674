import path from "node:path";
import { type Environment } from "../../components/environment/environment-spec.ts";
import { runningHoursSchema } from "../../components/environment/schedule.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { writeOut } from "../../host-tuning/verbs/output-options.ts";
import { loadCatalogue } from "../catalogue/catalogue.ts";
import type { EnvironmentParts } from "../estimate/run-estimate.ts";
import { setEnvironmentKey } from "../right-size/edit-environment-text.ts";
import { openPrometheus } from "../right-size/prometheus-api.ts";
import { readCommitments, untilSeconds, wholeNumber } from "../right-size/run-right-size.ts";
import { rewriteEnvironment } from "../right-size/write-environment.ts";
import { DEFAULT_HISTOGRAM, matchersOf } from "../unit-cost/read-tool-calls.ts";
import { buildOffHours } from "./build-off-hours.ts";
import type { OffHours } from "./off-hours.ts";
import { type HourlyCalls, readHourlyCalls } from "./read-hourly-calls.ts";
import { readHourlyCallsCsv } from "./read-hourly-calls-csv.ts";
import { renderOffHoursCsv, renderOffHoursTable } from "./render-off-hours.ts";

export interface OffHoursOptions {
  readonly env: string;
  readonly usage: string;
  readonly usageTokenFile?: string;
  readonly job?: string;
  readonly days: string;
  readonly until?: string;
  readonly timeZone?: string;
  readonly commitments?: string;
  readonly bill?: string;
  readonly month?: string;
  readonly write?: boolean;
  readonly format: "table" | "json" | "csv";
  readonly out?: string;
}

const HOUR_SECONDS = 3600;
/** Two of every hour of the week, and as long as Prometheus answers in one go (11,000 points). */
const DAYS = { least: 14, most: 365 } as const;

const RENDERERS: Readonly<Record<OffHoursOptions["format"], (offHours: OffHours) => string>> = {
  table: renderOffHoursTable,
  json: (offHours) => `${JSON.stringify(offHours, null, 2)}\n`,
  csv: renderOffHoursCsv,
};

function checkedTimeZone(timeZone: string): string {
  if (runningHoursSchema.safeParse({ from: "00:00", to: "01:00", timeZone }).success) return timeZone;
  throw new InputError("command line", [
    { path: "--time-zone", message: `"${timeZone}" is no time zone of the IANA database as Europe/Berlin` },
  ]);
}

async function writeSchedule(file: string, environment: Environment, { proposal }: OffHours): Promise<void> {
  if (proposal === null) return;
  const expected = { ...environment, schedule: proposal };
  const value = { running: proposal.running };
  await rewriteEnvironment(file, expected, (text, exportName) =>
    setEnvironmentKey(text, { key: "schedule", value, before: "budget" }, file, exportName),
  );
  process.stderr.write(
    `bedplate: ${file}: the schedule was written and read back; review it (git diff), nothing was applied\n`,
  );
}

/** Of a Prometheus, or of a file. */
async function readCalls(
  { usage, usageTokenFile, job, until }: OffHoursOptions,
  environment: Environment,
  days: number,
): Promise<{ readonly calls: HourlyCalls; readonly source: string }> {
  const lastSeconds = Math.floor(untilSeconds(until) / HOUR_SECONDS) * HOUR_SECONDS;
  if (!/^https?:/i.test(usage)) {
    const calls = await readHourlyCallsCsv(usage, days, until === undefined ? undefined : lastSeconds);
    return { calls, source: path.basename(usage) };
  }
  const api = await openPrometheus(usage, usageTokenFile);
  const calls = await readHourlyCalls(api, {
    matchers: matchersOf(environment, job),
    histogram: DEFAULT_HISTOGRAM,
    firstSeconds: lastSeconds - days * 24 * HOUR_SECONDS,
    lastSeconds,
  });
  return { calls, source: api.source };
}

/** `bedplate cost off-hours`: 0; with --write the environment file has the schedule, for review. */
export async function runOffHours(options: OffHoursOptions, parts: EnvironmentParts): Promise<ExitCode> {
  const days = wholeNumber(options.days, "--days", DAYS.least, DAYS.most);
  const environment = await parts.loadEnvironment(options.env);
  const timeZone = checkedTimeZone(options.timeZone ?? environment.schedule.running?.timeZone ?? "Etc/UTC");
  const commitments = await readCommitments(options, environment);
  const { calls, source } = await readCalls(options, environment, days);
  const catalogue = loadCatalogue(environment.region);
  const offHours = buildOffHours({
    environment,
    calls,
    source,
    timeZone,
    catalogue,
    commitments,
  });
  if (options.write === true) await writeSchedule(parts.environmentFile(options.env), environment, offHours);
  await writeOut(RENDERERS[options.format](offHours), options.out);
  return EXIT_CODE.asWanted;
}
