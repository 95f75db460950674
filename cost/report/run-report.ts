import type * as z from "zod";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { writeOut } from "../../host-tuning/verbs/output-options.ts";
import { allocationRulesSchema } from "../allocation/allocation-rules.ts";
import { readKubernetesUsage } from "../allocation/read-kubernetes-usage.ts";
import { type IdleReport, idleReportSchema } from "../idle/idle-report.ts";
import { ownersFileSchema } from "../owners/owners-file.ts";
import { readContractFile } from "../read-contract-file.ts";
import { type CostVariance, costVarianceSchema } from "../variance/cost-variance.ts";
import { onlyMonthOf } from "./billing-months.ts";
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
  /** What `cost variance` says of environments and their budgets, for the page. */
  readonly variance?: string;
  /** How many resources of a row's provider service are named. */
  readonly resources?: string;
  readonly daily?: boolean;
  readonly format: "table" | "json" | "csv" | "focus" | "html";
  readonly out?: string;
}

/** What some formats need beside the report. */
interface Beside {
  readonly args: CostReportArgs;
  readonly idle: IdleReport | undefined;
  readonly variance: CostVariance | undefined;
}

const RENDERERS: Readonly<
  Record<ReportOptions["format"], (report: CostReport, beside: Beside) => string | Promise<string>>
> = {
  table: renderTable,
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  csv: renderCsv,
  focus: async (report, { args }) => renderFocus(report, await readFocusParts(args, report)),
  // Its charts' library is loaded only for a page.
  html: async (report, { idle, variance }) =>
    (await import("./page/render-page.ts")).renderPage(report, idle, variance),
};

/** @throws {InputError} when it is no month as in 2026-07 */
export function checkedMonth(month: string | undefined): string | undefined {
  if (month === undefined || /^\d{4}-(0[1-9]|1[0-2])$/.test(month)) return month;
  throw new InputError("command line", [
    { path: "--month", message: `"${month}" is no month as in 2026-07` },
  ]);
}

/** The billing period of a report that has only one, in whatever currencies. */
function onlyMonthOfReport({ currencies }: CostReport): string {
  const months = currencies.flatMap(({ billingMonths: { first, last } }) => [first, last]).toSorted();
  return onlyMonthOf({ first: months[0] ?? "none", last: months.at(-1) ?? "none" });
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
}: Pick<BillOptions, "owners" | "allocation" | "kubernetes">): Promise<OwnerFiles> {
  return {
    owners: owners === undefined ? undefined : await readContractFile(ownersFileSchema, owners, "--owners"),
    rules:
      allocation === undefined
        ? undefined
        : await readContractFile(allocationRulesSchema, allocation, "--allocation"),
    kubernetes: kubernetes === undefined ? undefined : await readKubernetesUsage(kubernetes),
  };
}

/** What `readOwnerFiles` has read. */
export type OwnerFiles = Pick<CostReportArgs, "owners" | "rules" | "kubernetes">;

/**
 * Splits one billing period of a bill, for verbs that are of a month.
 *
 * @param by whose rows the report has, as in `team`
 * @returns the report and its month, as in 2026-07
 * @throws {InputError} when an option or the bill is wrong, or the bill has several billing periods and none is named
 */
export async function readMonthByOwner(
  { input, month, tagKey, shared }: BillOptions,
  by: string,
  files: OwnerFiles,
): Promise<{ readonly report: CostReport; readonly month: string }> {
  const report = await buildCostReport({
    input,
    key: reportKey(by, tagKey),
    month: checkedMonth(month),
    sharedOwners: shared ?? [],
    ...files,
  });
  return { report, month: onlyMonthOfReport(report) };
}

/** Resources of a row's provider service that a page names where nobody says how many. */
const PAGE_RESOURCES = 20;
const MOST_RESOURCES = 1000;

/** What some formats have no place for, and which do. */
const PLACED_IN = [
  ["idle", ["html"], "is a section of the page: give --format html"],
  ["variance", ["html"], "is a section of the page: give --format html"],
  ["resources", ["html", "json", "csv"], "is of no row of this format: give --format html, json or csv"],
  ["daily", ["html", "json", "csv"], "is of no row of this format: give --format html, json or csv"],
] as const satisfies readonly (readonly [keyof ReportOptions, readonly ReportOptions["format"][], string])[];

/** @throws {InputError} when the format has no place for what is asked */
function checkFormatOptions(options: ReportOptions): void {
  const faults = PLACED_IN.flatMap(([option, formats, message]): Fault[] => {
    const isPlaced = formats.some((format) => format === options.format);
    return options[option] === undefined || isPlaced ? [] : [{ path: `--${option}`, message }];
  });
  if (faults.length > 0) throw new InputError("command line", faults);
}

/** @returns undefined when no single resources are asked for @throws {InputError} when it is no count of resources */
function checkedResources({ resources, format }: ReportOptions): number | undefined {
  if (resources === undefined) return format === "html" ? PAGE_RESOURCES : undefined;
  const count = Number(resources);
  if (/^\d+$/.test(resources) && count <= MOST_RESOURCES) return count === 0 ? undefined : count;
  const message = `"${resources}" is no whole number from 0 to ${MOST_RESOURCES}`;
  throw new InputError("command line", [{ path: "--resources", message }]);
}

/**
 * What another verb says of the same bill.
 *
 * @throws {InputError} when it is not what that verb writes, or is of another bill or month
 */
async function readOfSameBill<T extends Pick<IdleReport | CostVariance, "source" | "month">>(
  verb: "idle" | "variance",
  schema: z.ZodType<T>,
  file: string | undefined,
  report: CostReport,
): Promise<T | undefined> {
  if (file === undefined) return undefined;
  const { data } = await readContractFile(schema, file, `--${verb}`);
  const faults: Fault[] = [];
  if (data.source.sha256 !== report.source.sha256) {
    faults.push({
      path: "source.sha256",
      message: `is not that of ${report.source.name}: run cost ${verb} on it`,
    });
  }
  if (report.month !== null && report.month !== data.month) {
    faults.push({ path: "month", message: `is ${data.month}, and the report's is ${report.month}` });
  }
  if (faults.length > 0) throw new InputError(file, faults);
  return data;
}

/** `bedplate cost report`: 0 when the balance sheet closes, 1 when it does not. */
export async function runReport(options: ReportOptions): Promise<ExitCode> {
  checkFormatOptions(options);
  const month = checkedMonth(options.month);
  const args = {
    input: options.input,
    key: reportKey(options.by, options.tagKey),
    month,
    sharedOwners: options.shared ?? [],
    resources: checkedResources(options),
    isDaily: options.daily,
    ...(await readOwnerFiles(options)),
  };
  const report = await buildCostReport(args);
  const idle = await readOfSameBill("idle", idleReportSchema, options.idle, report);
  const variance = await readOfSameBill("variance", costVarianceSchema, options.variance, report);
  await writeOut(await RENDERERS[options.format](report, { args, idle, variance }), options.out);
  return isBalanced(report) ? EXIT_CODE.asWanted : EXIT_CODE.failed;
}
