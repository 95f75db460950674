import { writeFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { InputError } from "../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../host-tuning/exit-code.ts";
import { buildCostReport, isBalanced } from "./report/build-cost-report.ts";
import type { CostReport } from "./report/cost-report.ts";
import { renderCsv } from "./report/render-csv.ts";
import { renderTable } from "./report/render-table.ts";
import { REPORT_KEYS, reportKey } from "./report/report-key.ts";

const FORMATS = ["table", "json", "csv"] as const;

type Format = (typeof FORMATS)[number];

interface ReportOptions {
  readonly input: string;
  readonly by: string;
  readonly month?: string;
  readonly tagKey?: string;
  readonly shared: readonly string[];
  readonly format: Format;
  readonly out?: string;
}

const RENDERERS: Readonly<Record<Format, (report: CostReport) => string>> = {
  table: renderTable,
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  csv: renderCsv,
};

/** Writes to `out` where it is given, to stdout otherwise. */
async function writeOut(text: string, out: string | undefined): Promise<void> {
  if (out === undefined) process.stdout.write(text);
  else await writeFile(out, text);
}

async function runReport(options: ReportOptions): Promise<ExitCode> {
  const { month } = options;
  if (month !== undefined && !/^\d{4}-(0[1-9]|1[0-2])$/.test(month)) {
    throw new InputError("command line", [
      { path: "--month", message: `"${month}" is no month as in 2026-07` },
    ]);
  }
  const report = await buildCostReport({
    input: options.input,
    key: reportKey(options.by, options.tagKey),
    month,
    sharedOwners: options.shared,
  });
  await writeOut(RENDERERS[options.format](report), options.out);
  return isBalanced(report) ? EXIT_CODE.asWanted : EXIT_CODE.failed;
}

/** Turns the outcome of a verb into an exit code; a bad input is told on stderr, whole. */
async function finish(outcome: Promise<ExitCode>): Promise<void> {
  try {
    process.exitCode = await outcome;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EXIT_CODE.badInput;
  }
}

/** Adds `cost report` and `cost estimate` to the command line. */
export function addCostVerbs(program: Command): void {
  const cost = program.command("cost").description("What environments cost, by team");
  cost
    .command("report")
    .description("split a bill by owner and prove that nothing is lost")
    .requiredOption("--input <file>", "a FOCUS 1.0 to 1.2 bill: CSV, CSV in gzip, or Parquet")
    .addOption(new Option("--by <key>", "what to split by").choices(REPORT_KEYS).default("team"))
    .option("--month <month>", "one billing period of the file, as in 2026-07")
    .option("--tag-key <key>", "the tag that holds the key, where it is not called the same")
    .option("--shared <owner...>", "owners whose cost is everyone's, as in platform", [])
    .addOption(new Option("--format <format>", "how to print").choices(FORMATS).default("table"))
    .option("--out <file>", "write there instead of stdout")
    .action((options: ReportOptions) => finish(runReport(options)));
}
