import type { Environment } from "../../components/environment/environment-spec.ts";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { writeOut } from "../../host-tuning/verbs/output-options.ts";
import type { EnvironmentParts } from "../estimate/run-estimate.ts";
import { type OwnersFile, ownersFileSchema } from "../owners/owners-file.ts";
import { type ContractFile, readContractFile } from "../read-contract-file.ts";
import { buildReportOfPeriods } from "../report/build-cost-report.ts";
import { reportKey } from "../report/report-key.ts";
import { checkedMonth } from "../report/run-report.ts";
import { openPrometheus, type PrometheusApi } from "../right-size/prometheus-api.ts";
import { type BilledMonth, billedMonths, onlyBilledMonth } from "./billed-months.ts";
import { buildUnitCost, type CountedEnvironment } from "./build-unit-cost.ts";
import { countByTeam } from "./caller-teams.ts";
import { countByLabel, histogramWith, matchersOf, readToolCalls } from "./read-tool-calls.ts";
import { renderUnitCostCsv, renderUnitCostTable } from "./render-unit-cost.ts";
import type { UnitCost } from "./unit-cost.ts";
import {
  buildUnitCostTrend,
  renderUnitCostTrendCsv,
  renderUnitCostTrendTable,
  type UnitCostTrend,
} from "./unit-cost-trend.ts";

export interface UnitCostOptions {
  readonly env: readonly string[];
  readonly input: string;
  readonly month?: string;
  readonly tagKey?: string;
  readonly usage: string;
  readonly usageTokenFile?: string;
  readonly by: string;
  /** @default - the reference service's that has the label */
  readonly histogram?: string;
  /** Says whose a tenant's calls are, by team alone. */
  readonly owners?: string;
  readonly job?: string;
  readonly pricePerMillion?: string;
  readonly trend?: boolean;
  readonly format: "table" | "json" | "csv";
  readonly out?: string;
}

const RENDERERS: Readonly<Record<UnitCostOptions["format"], (unitCost: UnitCost) => string>> = {
  table: renderUnitCostTable,
  json: (unitCost) => `${JSON.stringify(unitCost, null, 2)}\n`,
  csv: renderUnitCostCsv,
};

const TREND_RENDERERS: Readonly<Record<UnitCostOptions["format"], (trend: UnitCostTrend) => string>> = {
  table: renderUnitCostTrendTable,
  json: (trend) => `${JSON.stringify(trend, null, 2)}\n`,
  csv: renderUnitCostTrendCsv,
};

/** Both go into PromQL as they are. */
function checkNames({ by, histogram, owners, pricePerMillion, month, trend }: UnitCostOptions): void {
  const faults: Fault[] = [];
  if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/.test(by)) {
    faults.push({ path: "--by", message: `"${by}" is no name of a label, as tool is` });
  }
  if (trend === true && month !== undefined) {
    faults.push({ path: "--month", message: "is one billing period, and --trend is of all" });
  }
  if (owners !== undefined && by !== "team") {
    faults.push({
      path: "--owners",
      message: `says which team a tenant is of, not which ${by}: give --by team`,
    });
  }
  if (by === "outcome")
    faults.push({ path: "--by", message: "an outcome is counted already, as failed calls" });
  if (histogram !== undefined && !/^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$/.test(histogram)) {
    faults.push({ path: "--histogram", message: `"${histogram}" is no name of a metric` });
  }
  if (pricePerMillion !== undefined && !/^\d{1,12}(\.\d{1,6})?$/.test(pricePerMillion)) {
    faults.push({ path: "--price-per-million", message: `"${pricePerMillion}" is no amount, as 25.00 is` });
  }
  if (faults.length > 0) throw new InputError("command line", faults);
}

interface UnitCostQuestion {
  readonly options: UnitCostOptions;
  readonly environments: readonly Environment[];
  readonly owners: ContractFile<OwnersFile> | undefined;
  readonly api: PrometheusApi;
}

async function readBilledMonths(
  { options, environments }: UnitCostQuestion,
  month: string | undefined,
): Promise<readonly BilledMonth[]> {
  const key = reportKey("environment", options.tagKey);
  const read = await buildReportOfPeriods({ input: options.input, key, month });
  return billedMonths(
    read,
    environments.map(({ budget }) => budget.currency),
  );
}

async function readUnitCost(question: UnitCostQuestion, billed: BilledMonth): Promise<UnitCost> {
  const { options, environments, owners, api } = question;
  const counting = owners === undefined ? countByLabel(options.by) : countByTeam(owners.data);
  const counted: CountedEnvironment[] = [];
  for (const environment of environments) {
    const calls = await readToolCalls(api, {
      matchers: matchersOf(environment, options.job),
      counting,
      histogram: options.histogram ?? histogramWith(options.by),
      days: billed.chargeDays,
    });
    counted.push({ environment, calls });
  }
  return buildUnitCost({
    billed,
    environments: counted,
    by: options.by,
    owners: owners === undefined ? null : { name: owners.name, sha256: owners.sha256 },
    source: api.source,
    pricePerMillionCalls: options.pricePerMillion,
  });
}

async function readTrend(question: UnitCostQuestion): Promise<UnitCostTrend> {
  const unitCosts: UnitCost[] = [];
  for (const billed of await readBilledMonths(question, undefined)) {
    unitCosts.push(await readUnitCost(question, billed));
  }
  return buildUnitCostTrend(unitCosts);
}

/** `bedplate cost unit-cost`: 0. The calls are those of the days that the bill has charges of. */
export async function runUnitCost(
  options: UnitCostOptions,
  { loadEnvironment }: EnvironmentParts,
): Promise<ExitCode> {
  checkNames(options);
  const month = checkedMonth(options.month);
  const environments = await Promise.all([...new Set(options.env)].map(loadEnvironment));
  const owners =
    options.owners === undefined
      ? undefined
      : await readContractFile(ownersFileSchema, options.owners, "--owners");
  const api = await openPrometheus(options.usage, options.usageTokenFile);
  const question = { options, environments, owners, api };
  const text =
    options.trend === true
      ? TREND_RENDERERS[options.format](await readTrend(question))
      : RENDERERS[options.format](
          await readUnitCost(question, onlyBilledMonth(await readBilledMonths(question, month))),
        );
  await writeOut(text, options.out);
  return EXIT_CODE.asWanted;
}
