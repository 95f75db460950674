import { writeFile } from "node:fs/promises";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { allocationRulesSchema } from "../allocation/allocation-rules.ts";
import { readKubernetesUsage } from "../allocation/read-kubernetes-usage.ts";
import { type IdleReport, idleReportSchema } from "../idle/idle-report.ts";
import { ownersFileSchema } from "../owners/owners-file.ts";
import { readContractFile } from "../read-contract-file.ts";
import { buildCostReport, type CostReportArgs, isBalanced } from "./build-cost-report.ts";
import type { CostReport } from "./cost-report.ts";
import { readFocusParts } from "./focus/read-focus-parts.ts";
import { renderFocus } from "./focus/render-focus.ts";
import { renderCsv } from "./render-csv.ts";
import { renderTable } from "./render-table.ts";
import { reportKey } from "./report-key.ts";

/** What says which bill is split and whose what is, for every verb that splits one. */
export interface BillOptions {
  readonly input: string;
  readonly month?: string;
  readonly tagKey?: string;
  readonly shared?: readonly string[];
  readonly owners?: string;
  readonly allocation?: string;
  readonly kubernetes?: readonly string[];
}

export interface ReportOptions extends BillOptions {
  readonly by: string;
  /** What `cost idle` found, for the page. */
  readonly idle?: string;
  readonly format: "table" | "json" | "csv" | "focus" | "html";
  readonly out?: string;
}

const RENDERERS: Readonly<
  Record<
    ReportOptions["format"],
    (report: CostReport, idle: IdleReport | undefined, args: CostReportArgs) => string | Promise<string>
  >
> = {
  table: renderTable,
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  csv: renderCsv,
  focus: async (report, _, args) => renderFocus(report, await readFocusParts(args, report)),
  // Its charts' library is loaded only for a page.
  html: async (report, idle) => (await import("./page/render-page.ts")).renderPage(report, idle),
};

/**
 * Writes to the file `out` where it is given, to stdout otherwise.
 *
 * @throws {InputError} when the file cannot be written
 */
export async function writeOut(text: string, out: string | undefined): Promise<void> {
  if (out === undefined) {
    process.stdout.write(text);
    return;
  }
  try {
    await writeFile(out, text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new InputError("command line", [{ path: "--out", message: `Cannot write ${out}: ${why}` }], {
      cause,
    });
  }
}

/** @throws {InputError} when it is no month as in 2026-07 */
export function checkedMonth(month: string | undefined): string | undefined {
  if (month === undefined || /^\d{4}-(0[1-9]|1[0-2])$/.test(month)) return month;
  throw new InputError("command line", [
    { path: "--month", message: `"${month}" is no month as in 2026-07` },
  ]);
}

/**
 * The billing period of a report that has only one, in whatever currencies.
 *
 * @throws {InputError} when it has several
 */
export function onlyMonthOfReport({ currencies }: CostReport): string {
  const months = new Set(currencies.flatMap(({ billingMonths: { first, last } }) => [first, last]));
  const [only, ...others] = [...months].toSorted();
  if (only !== undefined && others.length === 0) return only;
  const message = `the bill has the billing periods ${[...months].toSorted().join(", ")}: name one`;
  throw new InputError("command line", [{ path: "--month", message }]);
}

/**
 * The files that say who owns what and how shared cost is shared out.
 *
 * @throws {InputError} when one cannot be read or is wrong
 */
export async function readOwnerFiles({
  owners,
  allocation,
  kubernetes,
}: Pick<BillOptions, "owners" | "allocation" | "kubernetes">): Promise<
  Pick<CostReportArgs, "owners" | "rules" | "kubernetes">
> {
  return {
    owners: owners === undefined ? undefined : await readContractFile(ownersFileSchema, owners, "--owners"),
    rules:
      allocation === undefined
        ? undefined
        : await readContractFile(allocationRulesSchema, allocation, "--allocation"),
    kubernetes: kubernetes === undefined ? undefined : await readKubernetesUsage(kubernetes),
  };
}

/** @throws {InputError} when there is no page that it could be in */
function checkIdleOption({ idle, format }: ReportOptions): void {
  if (idle === undefined || format === "html") return;
  const message = "is a section of the page: give --format html";
  throw new InputError("command line", [{ path: "--idle", message }]);
}

/** @throws {InputError} when it is no findings, or those of another bill or month */
async function readIdle(file: string | undefined, report: CostReport): Promise<IdleReport | undefined> {
  if (file === undefined) return undefined;
  const { data: idle } = await readContractFile(idleReportSchema, file, "--idle");
  const faults: Fault[] = [];
  if (idle.source.sha256 !== report.source.sha256) {
    faults.push({
      path: "source.sha256",
      message: `is not that of ${report.source.name}: run cost idle on it`,
    });
  }
  if (report.month !== null && report.month !== idle.month) {
    faults.push({ path: "month", message: `is ${idle.month}, and the report's is ${report.month}` });
  }
  if (faults.length > 0) throw new InputError(file, faults);
  return idle;
}

/** `bedplate cost report`: 0 when the balance sheet closes, 1 when it does not. */
export async function runReport(options: ReportOptions): Promise<ExitCode> {
  checkIdleOption(options);
  const month = checkedMonth(options.month);
  const args = {
    input: options.input,
    key: reportKey(options.by, options.tagKey),
    month,
    sharedOwners: options.shared ?? [],
    ...(await readOwnerFiles(options)),
  };
  const report = await buildCostReport(args);
  const idle = await readIdle(options.idle, report);
  await writeOut(await RENDERERS[options.format](report, idle, args), options.out);
  return isBalanced(report) ? EXIT_CODE.asWanted : EXIT_CODE.failed;
}
