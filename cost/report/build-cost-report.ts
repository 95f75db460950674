import { createHash } from "node:crypto";
import path from "node:path";
import { InputError } from "../../host-tuning/errors.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import {
  addDecimals,
  type ExactDecimal,
  formatDecimal,
  parseDecimal,
  percentOf,
} from "../money/exact-decimal.ts";
import { balanceSheetOf, minorDigitsOf, roundRows } from "./balance-sheet.ts";
import { type BillDatabase, withBillDatabase } from "./bill-database.ts";
import { type Bill, nameInBill, withBill } from "./bill-file.ts";
import { checkBill } from "./check-bill.ts";
import type { CostLine, CostReport, CurrencyReport } from "./cost-report.ts";
import { assignOwner, type FoldedOwner, foldOwners, rowsOf } from "./owner-rows.ts";
import type { BillKind } from "./focus-columns.ts";
import { openBill } from "./read-bill.ts";
import type { ReportKey } from "./report-key.ts";
import { notesOf } from "./report-notes.ts";
import {
  type BillTotal,
  readBillingMonths,
  readBillTotals,
  readSplitLines,
  readTagKeys,
  type SplitLine,
} from "./split-bill.ts";
import { foldTagValue, spellingsOf } from "./tag-spelling.ts";

export interface CostReportArgs {
  readonly input: string;
  readonly key: ReportKey;
  /** A billing period as in `2026-07`; all of the file when undefined. */
  readonly month?: string | undefined;
  /** Owners that stand for everyone, as a platform team's shared accounts: their cost is shared cost. */
  readonly sharedOwners?: readonly string[];
  /** For DuckDB; its own choice when undefined. The result is the same for every number. */
  readonly threads?: number | undefined;
}

function costLineOf(line: SplitLine): CostLine {
  return {
    BillingCurrency: line.currency,
    BillingMonth: line.billing_month,
    ServiceName: line.provider_service,
    ChargeCategory: line.charge_category,
    bucket: line.bucket,
    owner: line.owner,
    because: line.because,
    lines: line.line_count,
    BilledCost: formatDecimal(parseDecimal(line.billed)),
    EffectiveCost: formatDecimal(parseDecimal(line.effective)),
  };
}

/** Usage above 0 that has an owner, as a share of all usage above 0. */
function coverageOf(lines: readonly SplitLine[], pick: (line: SplitLine) => string): string | null {
  const sum = (some: readonly SplitLine[]): ExactDecimal =>
    addDecimals(some.map((line) => parseDecimal(pick(line))));
  return percentOf(sum(lines.filter((line) => line.bucket === "owner")), sum(lines), 1) ?? null;
}

function currencyReportOf(total: BillTotal, lines: readonly SplitLine[]): CurrencyReport {
  const minorDigits = minorDigitsOf(total.currency);
  const rows = roundRows(rowsOf(lines), minorDigits);
  const bill = {
    lines: total.line_count,
    billed: parseDecimal(total.billed),
    effective: parseDecimal(total.effective),
  };
  return {
    currency: total.currency,
    minorDigits,
    billingMonths: { first: total.first_month, last: total.last_month },
    chargeDays: { first: total.first_day, last: total.last_day },
    rows: [...rows],
    balance: balanceSheetOf(bill, rows, minorDigits),
    coverage: {
      billedPercent: coverageOf(lines, (line) => line.positive_usage_billed),
      effectivePercent: coverageOf(lines, (line) => line.positive_usage_effective),
    },
    lines: lines.map(costLineOf),
  };
}

function sourceOf(bill: Bill, kind: BillKind, rowsOfFiles: readonly number[]): CostReport["source"] {
  const files = bill.files.map((file, index) => ({
    name: nameInBill(bill, file),
    sha256: file.sha256,
    bytes: file.bytes,
    format: file.format,
    lines: rowsOfFiles[index] ?? 0,
  }));
  const [first, ...others] = files;
  const digests = files.map((file) => `${file.sha256}\n`).join("");
  return {
    name: path.basename(bill.source),
    sha256:
      first !== undefined && others.length === 0
        ? first.sha256
        : createHash("sha256").update(digests).digest("hex"),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    files,
    ...kind,
    lines: files.reduce((sum, file) => sum + file.lines, 0),
  };
}

async function checkMonth(database: BillDatabase, bill: Bill, month: string | undefined): Promise<void> {
  if (month === undefined) return;
  const months = await readBillingMonths(database);
  if (months.includes(month)) return;
  throw new InputError("command line", [
    { path: "--month", message: `${bill.source} has billing periods ${months.join(", ")}, not ${month}` },
  ]);
}

async function reportOf(database: BillDatabase, bill: Bill, args: CostReportArgs): Promise<CostReport> {
  const { key, month } = args;
  const opened = await openBill(database, bill, key.kind === "tag" ? ["Tags"] : [key.column]);
  const shape = await checkBill(database, bill, opened.kind);
  await checkMonth(database, bill, month);
  const tagKeys = key.kind === "tag" ? await readTagKeys(database) : [];
  const names =
    key.kind === "tag"
      ? spellingsOf(
          key.tagKey,
          tagKeys.map((found) => found.spelling),
        )
      : [];
  const settings = { key, month, scale: shape.scale, spellings: names };
  const split = await readSplitLines(database, settings);
  const totals = await readBillTotals(database, settings);
  const owners: ReadonlyMap<string, FoldedOwner> = foldOwners(split);
  const shared = new Set((args.sharedOwners ?? []).map(foldTagValue));
  const lines = split.map((line) => assignOwner(line, owners, shared));
  const spellings = names.flatMap((name) => tagKeys.filter((found) => found.spelling === name));
  return {
    apiVersion: API_VERSION,
    kind: "CostReport",
    source: sourceOf(bill, opened.kind, shape.rowsOfFiles),
    by: key.by,
    tagKey: key.kind === "tag" ? key.tagKey : null,
    spellings,
    plural: key.plural,
    month: month ?? null,
    currencies: totals.map((total) =>
      currencyReportOf(
        total,
        lines.filter((line) => line.currency === total.currency),
      ),
    ),
    notes: [...bill.notes, ...notesOf({ ...opened, key, tagKeys, spellings, owners, lines, totals })],
  };
}

/**
 * Reads a bill and splits it by a key. The same file and arguments give the same report, to the byte.
 *
 * @throws {InputError} when the file is no sound bill, with every fault
 */
export async function buildCostReport(args: CostReportArgs): Promise<CostReport> {
  return await withBill(args.input, (bill) =>
    withBillDatabase(bill, args.threads, (database) => reportOf(database, bill, args)),
  );
}

/** Whether every currency of the report balances: what the exit code says. */
export function isBalanced(report: CostReport): boolean {
  return report.currencies.every((currency) => currency.balance.balanced);
}
