import type { Environment } from "../../components/environment/environment-spec.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { loadCatalogue } from "../catalogue/catalogue.ts";
import { writeOut } from "../report/run-report.ts";
import { buildCostEstimate, type EstimateKey } from "./build-cost-estimate.ts";
import type { CostEstimate } from "./cost-estimate.ts";
import { renderEstimateCsv, renderEstimateTable } from "./render-estimate.ts";

export interface EstimateOptions {
  readonly env: string;
  readonly by: EstimateKey;
  readonly format: "table" | "json" | "csv";
  readonly out?: string;
  readonly failOverBudget?: boolean;
}

/** Gives an environment by its name or its file; neither stacks nor file formats are known here. */
export type LoadEnvironment = (nameOrFile: string) => Promise<Environment>;

const RENDERERS: Readonly<Record<EstimateOptions["format"], (estimate: CostEstimate) => string>> = {
  table: renderEstimateTable,
  json: (estimate) => `${JSON.stringify(estimate, null, 2)}\n`,
  csv: renderEstimateCsv,
};

/** `bedplate cost estimate`: 0, or 1 over budget where that was asked for. */
export async function runEstimate(
  options: EstimateOptions,
  loadEnvironment: LoadEnvironment,
): Promise<ExitCode> {
  const environment = await loadEnvironment(options.env);
  const estimate = buildCostEstimate(environment, loadCatalogue(environment.region), options.by);
  await writeOut(RENDERERS[options.format](estimate), options.out);
  const failed = options.failOverBudget === true && !estimate.budget.isWithin;
  return failed ? EXIT_CODE.failed : EXIT_CODE.asWanted;
}
