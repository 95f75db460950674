import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { writeOut } from "../../host-tuning/verbs/output-options.ts";
import { loadCatalogue } from "../catalogue/catalogue.ts";
import { buildCostEstimate } from "../estimate/build-cost-estimate.ts";
import type { CostEstimate } from "../estimate/cost-estimate.ts";
import type { LoadEnvironment } from "../estimate/run-estimate.ts";
import { buildCostReport } from "../report/build-cost-report.ts";
import { reportKey } from "../report/report-key.ts";
import { checkedMonth } from "../report/run-report.ts";
import { csvLine } from "../report/render-csv.ts";
import { cellText, renderColumns, wrapText } from "../report/render-table.ts";
import { buildCostVariance } from "./build-cost-variance.ts";
import type { CostVariance } from "./cost-variance.ts";

export interface VarianceOptions {
  readonly env: readonly string[];
  readonly input: string;
  readonly month?: string;
  readonly tagKey?: string;
  readonly format: "table" | "json" | "csv";
  readonly out?: string;
  readonly failOverBudget?: boolean;
}

const COLUMNS = ["environment", "estimated", "at most", "actual", "variance", "%", "budget", "over"] as const;

/** The variance for a terminal, at most 100 columns wide. */
export function renderVarianceTable(variance: CostVariance): string {
  const rows = variance.rows.map((row) => [
    cellText(row.environment, 24),
    row.estimated,
    row.estimatedAtMost,
    row.actual,
    row.variance,
    row.variancePercent ?? "-",
    row.budget,
    row.overBudget.startsWith("-") ? "" : row.overBudget,
  ]);
  const rest = ["rest of the bill", "", "", variance.rest, "", "", "", ""];
  const bill = ["bill", "", "", variance.bill, "", "", "", ""];
  const notes = variance.notes.map((note) => `- ${wrapText(note, "  ")}`);
  const { chargeDays, currency, month, pricesAsOf } = variance;
  return `${[
    `Estimate and actual of ${month}, ${currency}, effective cost`,
    wrapText(`Charges of ${chargeDays.first} to ${chargeDays.last}; prices as of ${pricesAsOf}`, ""),
    "",
    renderColumns(
      [[...COLUMNS], ...rows, rest, bill],
      ["left", "right", "right", "right", "right", "right", "right", "right"],
    ),
    ...(notes.length === 0 ? [] : ["", "Notes", ...notes]),
  ].join("\n")}\n`;
}

function renderVarianceCsv(variance: CostVariance): string {
  const header =
    "month,currency,environment,estimated,estimated_at_most,actual,variance,variance_percent,budget,over_budget";
  const start = [variance.month, variance.currency];
  return [
    csvLine(header.split(",")),
    ...variance.rows.map((row) =>
      csvLine([
        ...start,
        row.environment,
        row.estimated,
        row.estimatedAtMost,
        row.actual,
        row.variance,
        row.variancePercent ?? "",
        row.budget,
        row.overBudget,
      ]),
    ),
    csvLine([...start, "", "", "", variance.rest, "", "", "", ""]),
  ].join("");
}

const RENDERERS: Readonly<Record<VarianceOptions["format"], (variance: CostVariance) => string>> = {
  table: renderVarianceTable,
  json: (variance) => `${JSON.stringify(variance, null, 2)}\n`,
  csv: renderVarianceCsv,
};

/** Every environment's estimate; the faults of all of them in one go. */
async function estimatesOf(
  names: readonly string[],
  loadEnvironment: LoadEnvironment,
): Promise<CostEstimate[]> {
  const estimates: CostEstimate[] = [];
  const faults: Fault[] = [];
  for (const name of names) {
    try {
      const environment = await loadEnvironment(name);
      estimates.push(buildCostEstimate(environment, loadCatalogue(environment.region), "environment"));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      faults.push(...error.faults.map((fault) => ({ ...fault, path: `--env ${name} ${fault.path}`.trim() })));
    }
  }
  const twice = estimates.find((one, index) =>
    estimates.slice(0, index).some((other) => other.environment === one.environment),
  );
  if (twice !== undefined) faults.push({ path: "--env", message: `"${twice.environment}" is given twice` });
  if (faults.length > 0) throw new InputError("command line", faults);
  return estimates;
}

/** `bedplate cost variance`: 0, or 1 when an environment is over its budget and that was asked for. */
export async function runVariance(
  options: VarianceOptions,
  loadEnvironment: LoadEnvironment,
): Promise<ExitCode> {
  const month = checkedMonth(options.month);
  const estimates = await estimatesOf(options.env, loadEnvironment);
  const key = reportKey("environment", options.tagKey);
  const variance = buildCostVariance(await buildCostReport({ input: options.input, key, month }), estimates);
  await writeOut(RENDERERS[options.format](variance), options.out);
  const isOver = variance.rows.some((row) => Number(row.overBudget) > 0);
  return options.failOverBudget === true && isOver ? EXIT_CODE.failed : EXIT_CODE.asWanted;
}
