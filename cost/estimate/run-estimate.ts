import type { Environment } from "../../components/environment/environment-spec.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { writeOut } from "../../host-tuning/verbs/output-options.ts";
import { loadCatalogue } from "../catalogue/catalogue.ts";
import { buildCostEstimate, type EstimateKey } from "./build-cost-estimate.ts";
import { buildEstimateDiff, type DiffBase } from "./build-estimate-diff.ts";
import type { CostEstimate } from "./cost-estimate.ts";
import { readDeployedEstimate } from "./deployed-estimate.ts";
import { environmentAtRevision } from "./environment-at-revision.ts";
import type { EstimateDiff } from "./estimate-diff.ts";
import { renderEstimateCsv, renderEstimateTable } from "./render-estimate.ts";
import {
  renderEstimateDiffCsv,
  renderEstimateDiffMarkdown,
  renderEstimateDiffTable,
} from "./render-estimate-diff.ts";

type DiffFormat = "table" | "json" | "csv" | "markdown";

export interface EstimateOptions {
  readonly env: string;
  readonly by: EstimateKey;
  /** A git revision to compare with. */
  readonly diff?: string;
  /** A file with what is deployed, to compare with. */
  readonly deployed?: string;
  readonly format: DiffFormat;
  readonly out?: string;
  readonly failOverBudget?: boolean;
}

/** Gives an environment by its name or its file; neither stacks nor file formats are known here. */
export type LoadEnvironment = (nameOrFile: string) => Promise<Environment>;

/** What verbs need of the program around them; neither stacks nor their folder are known here. */
export interface EnvironmentParts {
  readonly loadEnvironment: LoadEnvironment;
  /** The file of an environment that was named. */
  readonly environmentFile: (nameOrFile: string) => string;
}

function json(contract: CostEstimate | EstimateDiff): string {
  return `${JSON.stringify(contract, null, 2)}\n`;
}

const RENDERERS = {
  table: renderEstimateTable,
  json,
  csv: renderEstimateCsv,
} as const satisfies Partial<Record<DiffFormat, (estimate: CostEstimate) => string>>;

const DIFF_RENDERERS: Readonly<Record<DiffFormat, (diff: EstimateDiff) => string>> = {
  table: renderEstimateDiffTable,
  json,
  csv: renderEstimateDiffCsv,
  markdown: renderEstimateDiffMarkdown,
};

function refuse(path: string, message: string): InputError {
  return new InputError("command line", [{ path, message }]);
}

async function revisionBase(options: EstimateOptions, revision: string, file: string): Promise<DiffBase> {
  const { commit, environment } = await environmentAtRevision(file, revision);
  const estimate =
    environment === undefined
      ? undefined
      : buildCostEstimate(environment, loadCatalogue(environment.region), options.by);
  return { name: `${revision} (${commit})`, estimate, covers: "everything" };
}

/** What was asked to compare with; undefined where nothing was. */
async function baseOf(
  options: EstimateOptions,
  environment: Environment,
  parts: EnvironmentParts,
): Promise<DiffBase | undefined> {
  const { diff, deployed } = options;
  if (diff !== undefined && deployed !== undefined) throw refuse("--deployed", "give it or --diff, not both");
  if (diff !== undefined) return await revisionBase(options, diff, parts.environmentFile(options.env));
  if (deployed === undefined) return undefined;
  const catalogue = loadCatalogue(environment.region);
  const estimate = await readDeployedEstimate(deployed, environment, catalogue, options.by);
  return { name: `what is deployed (${deployed})`, estimate, covers: "hosts" };
}

function render(options: EstimateOptions, estimate: CostEstimate, base: DiffBase | undefined): string {
  if (base !== undefined) return DIFF_RENDERERS[options.format](buildEstimateDiff(base, estimate));
  if (options.format !== "markdown") return RENDERERS[options.format](estimate);
  throw refuse("--format markdown", "is for a comparison: give --diff or --deployed too");
}

/** `bedplate cost estimate`: 0, or 1 over budget where that was asked for. */
export async function runEstimate(options: EstimateOptions, parts: EnvironmentParts): Promise<ExitCode> {
  const environment = await parts.loadEnvironment(options.env);
  const estimate = buildCostEstimate(environment, loadCatalogue(environment.region), options.by);
  const base = await baseOf(options, environment, parts);
  await writeOut(render(options, estimate, base), options.out);
  const failed = options.failOverBudget === true && !estimate.budget.isWithin;
  return failed ? EXIT_CODE.failed : EXIT_CODE.asWanted;
}
