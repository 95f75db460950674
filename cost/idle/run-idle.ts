import type { Environment } from "../../components/environment/environment-spec.ts";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { writeOut } from "../../host-tuning/verbs/output-options.ts";
import type { EnvironmentParts } from "../estimate/run-estimate.ts";
import { addDecimals, formatDecimal, parseDecimal } from "../money/exact-decimal.ts";
import { ownersFileSchema } from "../owners/owners-file.ts";
import { readContractFile } from "../read-contract-file.ts";
import { buildCostReport } from "../report/build-cost-report.ts";
import type { CostReport } from "../report/cost-report.ts";
import { reportKey } from "../report/report-key.ts";
import { checkedMonth } from "../report/run-report.ts";
import { openPrometheus } from "../right-size/prometheus-api.ts";
import { countByLabel, DEFAULT_HISTOGRAM, matchersOf, readToolCalls } from "../unit-cost/read-tool-calls.ts";
import { currencyOf, rowsOfEnvironment } from "../variance/build-cost-variance.ts";
import { findIdle } from "./find-idle.ts";
import type { WatchedEnvironment } from "./finder.ts";
import type { IdleReport } from "./idle-report.ts";
import { readCharges } from "./read-charges.ts";
import { readHostUse } from "./read-host-use.ts";
import { renderIdleCsv, renderIdleTable } from "./render-idle.ts";

export interface IdleOptions {
  readonly input: string;
  readonly month?: string;
  readonly owners?: string;
  readonly env?: readonly string[];
  readonly usage?: string;
  readonly usageTokenFile?: string;
  readonly job?: string;
  readonly today?: string;
  readonly format: "table" | "json" | "csv";
  readonly out?: string;
}

const RENDERERS: Readonly<Record<IdleOptions["format"], (report: IdleReport) => string>> = {
  table: renderIdleTable,
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  csv: renderIdleCsv,
};

function checkedToday({
  today = new Date().toISOString().slice(0, 10),
  usageTokenFile,
  usage,
}: IdleOptions): string {
  const faults: Fault[] = [];
  if (!/^\d{4}-\d{2}-\d{2}$/.test(today) || Number.isNaN(Date.parse(today))) {
    faults.push({ path: "--today", message: `"${today}" is no day as in 2026-08-01` });
  }
  if (usageTokenFile !== undefined && usage === undefined) {
    faults.push({ path: "--usage-token-file", message: "is for --usage, which is not there" });
  }
  if (faults.length > 0) throw new InputError("command line", faults);
  return today;
}

/** What a bill that is split by environment has of one. */
function costOf(report: CostReport, { name, budget }: Environment): WatchedEnvironment["cost"] {
  const currency = currencyOf(report, [budget.currency]);
  const rows = rowsOfEnvironment(currency, name);
  const sum = (pick: (row: (typeof rows)[number]) => string): string =>
    formatDecimal(addDecimals(rows.map((row) => parseDecimal(pick(row)))));
  return {
    billed: sum(({ billed }) => billed),
    effective: sum(({ effective }) => effective),
    currency: currency.currency,
    lines: rows.reduce((count, { lines }) => count + lines, 0),
  };
}

/** `bedplate cost idle`: 0. */
export async function runIdle(
  options: IdleOptions,
  { loadEnvironment }: EnvironmentParts,
): Promise<ExitCode> {
  const today = checkedToday(options);
  const month = checkedMonth(options.month);
  const environments = await Promise.all([...new Set(options.env ?? [])].map(loadEnvironment));
  const owners =
    options.owners === undefined
      ? undefined
      : await readContractFile(ownersFileSchema, options.owners, "--owners");
  const api =
    options.usage === undefined ? undefined : await openPrometheus(options.usage, options.usageTokenFile);
  const charges = await readCharges(options.input, month);
  const report =
    environments.length === 0
      ? undefined
      : await buildCostReport({
          input: options.input,
          key: reportKey("environment", undefined),
          month: charges.month,
        });
  const days = {
    first: charges.first.slice(0, 10),
    // A bill that ends at midnight has nothing of the day that begins there.
    last: new Date(Date.parse(`${charges.last.slice(0, 19).replace(" ", "T")}Z`) - 1)
      .toISOString()
      .slice(0, 10),
  };
  const watched: WatchedEnvironment[] = [];
  for (const environment of report === undefined ? [] : environments) {
    const matchers = matchersOf(environment, options.job);
    const calls =
      api === undefined
        ? undefined
        : await readToolCalls(api, {
            matchers,
            counting: countByLabel("tool"),
            histogram: DEFAULT_HISTOGRAM,
            days,
          });
    if (report !== undefined) watched.push({ environment, calls, cost: costOf(report, environment) });
  }
  const idle = findIdle({
    charges,
    owners: owners?.data,
    environments: watched,
    today,
    hostUses: api === undefined ? new Map() : await readHostUse(api, days),
  });
  await writeOut(RENDERERS[options.format](idle), options.out);
  return EXIT_CODE.asWanted;
}
