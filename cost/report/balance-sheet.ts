import {
  addDecimals,
  type ExactDecimal,
  formatDecimal,
  parseDecimal,
  percentOf,
  roundDecimal,
  roundToTotal,
  subtractDecimals,
  ZERO,
} from "../money/exact-decimal.ts";
import type { BalanceSheet, Bucket, Money, Reason, ReportRow } from "./cost-report.ts";

/** What one row of the report adds up to, before rounding. */
export interface ExactRow {
  readonly bucket: Bucket;
  readonly owner: string | null;
  readonly because: Reason | null;
  readonly lines: number;
  readonly billed: ExactDecimal;
  readonly effective: ExactDecimal;
}

/** The bill added up without any split. */
export interface ExactBill {
  readonly lines: number;
  readonly billed: ExactDecimal;
  readonly effective: ExactDecimal;
}

/** Digits after the point of a currency's smallest unit: 2 for USD, 0 for JPY. */
export function minorDigitsOf(currency: string): number {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.resolvedOptions().maximumFractionDigits ?? 2;
}

function moneyOf(billed: ExactDecimal, effective: ExactDecimal, rounded: readonly ExactDecimal[]): Money {
  const [billedRounded = ZERO, effectiveRounded = ZERO] = rounded;
  return {
    billed: formatDecimal(billed),
    effective: formatDecimal(effective),
    billedRounded: formatDecimal(billedRounded, billedRounded.scale),
    effectiveRounded: formatDecimal(effectiveRounded, effectiveRounded.scale),
  };
}

/**
 * Rounds what `pick` gives of every row: the buckets to the rounded bill first, then the rows of each bucket to that
 * bucket, so that neither a row nor a part of the balance sheet is off by a whole cent.
 */
function roundWithin(
  rows: readonly ExactRow[],
  minorDigits: number,
  pick: (row: ExactRow) => ExactDecimal,
): ReadonlyMap<ExactRow, ExactDecimal> {
  const buckets = [...Map.groupBy(rows, (row) => row.bucket).values()];
  const targets = roundToTotal(
    buckets.map((bucket) => addDecimals(bucket.map(pick))),
    minorDigits,
  );
  return new Map(
    buckets.flatMap((bucket, index) => {
      const rounded = roundToTotal(bucket.map(pick), minorDigits, targets[index]);
      return bucket.map((row, place): [ExactRow, ExactDecimal] => [row, rounded[place] ?? ZERO]);
    }),
  );
}

/** Rows with rounded money that adds up to the rounded bill. */
export function roundRows(rows: readonly ExactRow[], minorDigits: number): readonly ReportRow[] {
  const billed = roundWithin(rows, minorDigits, (row) => row.billed);
  const effective = roundWithin(rows, minorDigits, (row) => row.effective);
  const total = addDecimals(rows.map((row) => row.effective));
  return rows.map((row) => ({
    bucket: row.bucket,
    owner: row.owner,
    because: row.because,
    lines: row.lines,
    ...moneyOf(row.billed, row.effective, [billed.get(row) ?? ZERO, effective.get(row) ?? ZERO]),
    effectiveSharePercent: percentOf(row.effective, total, 1) ?? null,
  }));
}

function sumRows(rows: readonly ReportRow[]): Money {
  const sum = (pick: (row: ReportRow) => string): ExactDecimal =>
    addDecimals(rows.map((row) => parseDecimal(pick(row))));
  return moneyOf(
    sum((row) => row.billed),
    sum((row) => row.effective),
    [sum((row) => row.billedRounded), sum((row) => row.effectiveRounded)],
  );
}

function subtractMoney(a: Money, b: Money): Money {
  const minus = (x: string, y: string): ExactDecimal => subtractDecimals(parseDecimal(x), parseDecimal(y));
  return moneyOf(minus(a.billed, b.billed), minus(a.effective, b.effective), [
    minus(a.billedRounded, b.billedRounded),
    minus(a.effectiveRounded, b.effectiveRounded),
  ]);
}

function isZero(money: Money): boolean {
  return Object.values(money).every((amount) => parseDecimal(amount).units === 0n);
}

/**
 * The proof that the report is the bill: the bill, added up without a split, against its parts, added up from the rows
 * that the report shows. Nothing is forced to fit; a difference is shown, and the report fails on it.
 */
export function balanceSheetOf(
  bill: ExactBill,
  rows: readonly ReportRow[],
  minorDigits: number,
): BalanceSheet {
  const part = (bucket: Bucket): Money => {
    const sum = sumRows(rows.filter((row) => row.bucket === bucket));
    return moneyOf(parseDecimal(sum.billed), parseDecimal(sum.effective), [
      roundDecimal(parseDecimal(sum.billedRounded), minorDigits),
      roundDecimal(parseDecimal(sum.effectiveRounded), minorDigits),
    ]);
  };
  const billMoney = moneyOf(bill.billed, bill.effective, [
    roundDecimal(bill.billed, minorDigits),
    roundDecimal(bill.effective, minorDigits),
  ]);
  const difference = subtractMoney(billMoney, sumRows(rows));
  const partLines = rows.reduce((sum, row) => sum + row.lines, 0);
  return {
    bill: billMoney,
    owners: part("owner"),
    shared: part("shared"),
    idle: part("idle"),
    unusedCommitment: part("unused-commitment"),
    taxAndCredit: part("tax-and-credit"),
    untagged: part("untagged"),
    difference,
    lines: { bill: bill.lines, parts: partLines },
    balanced: isZero(difference) && bill.lines === partLines,
  };
}
