import { type Command, Option } from "commander";
import { runVerb } from "../host-tuning/verbs/verb-frame.ts";
import { ESTIMATE_KEYS } from "./estimate/build-cost-estimate.ts";
import type { EstimateOptions, LoadEnvironment } from "./estimate/run-estimate.ts";
import { addGenerateVerb } from "./generate/generate-verb.ts";
import { REPORT_KEYS } from "./report/report-key.ts";
import type { ReportOptions } from "./report/run-report.ts";
import type { VarianceOptions } from "./variance/run-variance.ts";

/** What the cost verbs need of the program around them. */
export interface CostProgramParts {
  readonly loadEnvironment: LoadEnvironment;
}

function withOutput(command: Command, formats: readonly string[]): Command {
  return command
    .addOption(new Option("--format <format>", "how to print").choices(formats).default("table"))
    .option("--out <file>", "write there instead of stdout");
}

function frame(options: { readonly format: string }): { root: string; json: boolean } {
  return { root: "/", json: options.format === "json" };
}

/** Adds `cost report`, `cost estimate` and `cost variance`. DuckDB is loaded when a bill is read, not before. */
export function addCostVerbs(program: Command, parts: CostProgramParts): void {
  const cost = program.command("cost").description("what environments cost, by team: bills and estimates");
  addGenerateVerb(cost);
  withOutput(
    cost
      .command("report")
      .description("split a bill by owner, with the balance sheet that proves nothing is lost")
      .requiredOption(
        "--input <path>",
        "a FOCUS 1.0 to 1.2 bill or an AWS Cost and Usage Report: a file (CSV, gzip, Parquet) or a folder",
      )
      .addOption(new Option("--by <key>", "what to split by").choices(REPORT_KEYS).default("team"))
      .option("--month <month>", "one billing period of the file, as in 2026-07")
      .option("--tag-key <key>", "the tag that holds the key, where it is called otherwise")
      .option("--shared <owner...>", "owners whose cost is everyone's, as in platform"),
    ["table", "json", "csv", "html"],
  )
    .addHelpText(
      "after",
      `
Examples:
  $ bedplate cost report --input bill.csv
  $ bedplate cost report --input bill.parquet --by cost-center --tag-key CostCenter --month 2026-07
  $ bedplate cost report --input bill.csv.gz --format json --out report.json
  $ bedplate cost report --input cur.parquet --format html --out cost.html

Exit codes: 0 balanced, 1 the balance sheet does not close, 2 bad input`,
    )
    .action(async (options: ReportOptions) => {
      await runVerb(
        frame(options),
        async () => await (await import("./report/run-report.ts")).runReport(options),
      );
    });
  withOutput(
    cost
      .command("estimate")
      .description("what an environment will cost a month, from the committed and dated catalogue")
      .requiredOption("--env <name or file>", "an environment of stacks/, or a YAML or JSON file")
      .addOption(new Option("--by <key>", "what to split by").choices(ESTIMATE_KEYS).default("team"))
      .option("--fail-over-budget", "exit with 1 when the estimate is above the environment's budget"),
    ["table", "json", "csv"],
  )
    .addHelpText(
      "after",
      `
Examples:
  $ bedplate cost estimate --env prod
  $ bedplate cost estimate --env ./environment.yaml --by cost-center --format csv

Exit codes: 0 estimated, 1 over budget (with --fail-over-budget), 2 bad input`,
    )
    .action(async (options: EstimateOptions) => {
      const { loadEnvironment } = parts;
      await runVerb(
        frame(options),
        async () => await (await import("./estimate/run-estimate.ts")).runEstimate(options, loadEnvironment),
      );
    });
  withOutput(
    cost
      .command("variance")
      .description("what environments cost in a billing period beside their estimate and their budget")
      .requiredOption("--env <name or file...>", "environments of stacks/, or YAML or JSON files")
      .requiredOption("--input <path>", "the bill, as for cost report")
      .option("--month <month>", "one billing period of the bill, as in 2026-07")
      .option("--tag-key <key>", "the tag that holds the environment, where it is called otherwise")
      .option("--fail-over-budget", "exit with 1 when an environment cost more than its budget"),
    ["table", "json", "csv"],
  )
    .addHelpText(
      "after",
      `
Examples:
  $ bedplate cost variance --env prod --env staging --input cur/ --month 2026-07
  $ bedplate cost variance --env prod --input focus.parquet --fail-over-budget --format json

Exit codes: 0 compared, 1 over budget (with --fail-over-budget), 2 bad input`,
    )
    .action(async (options: VarianceOptions) => {
      const { loadEnvironment } = parts;
      await runVerb(
        frame(options),
        async () => await (await import("./variance/run-variance.ts")).runVariance(options, loadEnvironment),
      );
    });
}
