import type { Amounts } from "../allocation/placed-line.ts";
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
export interface ExactRow extends Amounts {
  readonly bucket: Bucket;
  readonly owner: string | null;
  readonly because: Reason | null;
  readonly lines: number;
  /** Of them, those without a list price. */
  readonly unlistedLines: number;
  /** Of the row's money, what was moved there. */
  readonly allocated: Amounts;
}

/** The bill added up without any split. */
export interface ExactBill extends Amounts {
  readonly lines: number;
  readonly unlistedLines: number;
}

/** Digits after the point of a currency's smallest unit: 2 for USD, 0 for JPY. */
export function minorDigitsOf(currency: string): number {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.resolvedOptions().maximumFractionDigits ?? 2;
}

function moneyOf(exact: Amounts, rounded: Amounts, isListed: boolean): Money {
  const cents = (amount: ExactDecimal): string => formatDecimal(amount, amount.scale);
  return {
    billed: formatDecimal(exact.billed),
    effective: formatDecimal(exact.effective),
    list: isListed ? formatDecimal(exact.list) : null,
    billedRounded: cents(rounded.billed),
    effectiveRounded: cents(rounded.effective),
    listRounded: isListed ? cents(rounded.list) : null,
  };
}

/** Whether any of it has a list price: of what has none, a list cost of 0 would be a lie. */
function hasListPrice(of: Pick<ExactRow, "lines" | "unlistedLines" | "list">): boolean {
  return of.unlistedLines < of.lines || of.list.units !== 0n;
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
  const list = roundWithin(rows, minorDigits, (row) => row.list);
  const total = addDecimals(rows.map((row) => row.effective));
  return rows.map((row) => {
    const rounded = {
      billed: billed.get(row) ?? ZERO,
      effective: effective.get(row) ?? ZERO,
      list: list.get(row) ?? ZERO,
    };
    return {
      bucket: row.bucket,
      owner: row.owner,
      because: row.because,
      lines: row.lines,
      unlistedLines: row.unlistedLines,
      ...moneyOf(row, rounded, hasListPrice(row)),
      allocated: {
        billed: formatDecimal(row.allocated.billed),
        effective: formatDecimal(row.allocated.effective),
      },
      effectiveSharePercent: percentOf(row.effective, total, 1) ?? null,
    };
  });
}

function parsed(amount: string | null): ExactDecimal {
  return amount === null ? ZERO : parseDecimal(amount);
}

/** The rows' exact and their rounded money, each added up. */
function sumRows(rows: readonly ReportRow[]): { readonly exact: Amounts; readonly rounded: Amounts } {
  const sum = (pick: (row: ReportRow) => string | null): ExactDecimal =>
    addDecimals(rows.map((row) => parsed(pick(row))));
  return {
    exact: {
      billed: sum((row) => row.billed),
      effective: sum((row) => row.effective),
      list: sum((row) => row.list),
    },
    rounded: {
      billed: sum((row) => row.billedRounded),
      effective: sum((row) => row.effectiveRounded),
      list: sum((row) => row.listRounded),
    },
  };
}

function roundAmounts(amounts: Amounts, digits: number): Amounts {
  return {
    billed: roundDecimal(amounts.billed, digits),
    effective: roundDecimal(amounts.effective, digits),
    list: roundDecimal(amounts.list, digits),
  };
}

function subtractAmounts(a: Amounts, b: Amounts): Amounts {
  return {
    billed: subtractDecimals(a.billed, b.billed),
    effective: subtractDecimals(a.effective, b.effective),
    list: subtractDecimals(a.list, b.list),
  };
}

function isZero(money: Money): boolean {
  return Object.values(money).every((amount) => parsed(amount).units === 0n);
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
    const same = rows.filter((row) => row.bucket === bucket);
    const { exact, rounded } = sumRows(same);
    const isListed = same.length === 0 || same.some((row) => row.list !== null);
    return moneyOf(exact, roundAmounts(rounded, minorDigits), isListed && hasListPrice(bill));
  };
  const billRounded = roundAmounts(bill, minorDigits);
  const parts = sumRows(rows);
  const difference = moneyOf(
    subtractAmounts(bill, parts.exact),
    subtractAmounts(billRounded, parts.rounded),
    hasListPrice(bill) || parts.exact.list.units !== 0n,
  );
  const partLines = rows.reduce((sum, row) => sum + row.lines, 0);
  return {
    bill: moneyOf(bill, billRounded, hasListPrice(bill)),
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
