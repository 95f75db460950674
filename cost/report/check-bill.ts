import * as z from "zod";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import type { BillDatabase } from "./bill-database.ts";
import type { BillFile } from "./bill-file.ts";
import type { ReadColumn } from "./focus-columns.ts";

/** What a check learns about a sound bill. */
export interface BillShape {
  readonly rows: number;
  /** Digits after the point that sums need to be exact; at least 12. */
  readonly scale: number;
}

/** DuckDB's and Trino's widest decimal. */
const MAX_DIGITS = 38;
const MIN_SCALE = 12;

/** How many rows a fault shows, and how many malformed lines are listed one by one. */
const SHOWN_ROWS = 5;
const LISTED_LINES = 20;

interface Check {
  readonly column: ReadColumn;
  /** SQL that is true for a row with this fault. */
  readonly isBad: string;
  /** What is wrong, before "in N rows". */
  readonly message: string;
}

function mustBe(column: ReadColumn, isGood: string, message: string): Check {
  return { column, isBad: `not coalesce(${isGood}, false)`, message };
}

function mayBe(column: ReadColumn, isGood: string, message: string): Check {
  return { column, isBad: `${column} is not null and not coalesce(${isGood}, false)`, message };
}

const CHECKS: readonly Check[] = [
  mustBe("BilledCost", "is_decimal(BilledCost)", "no decimal number"),
  mustBe("EffectiveCost", "is_decimal(EffectiveCost)", "no decimal number"),
  mustBe("BillingCurrency", "regexp_full_match(BillingCurrency, '[A-Z]{3}')", "no currency code as in USD"),
  mustBe("BillingPeriodStart", "is_utc(BillingPeriodStart)", "no date and time in UTC"),
  mustBe("BillingPeriodEnd", "is_utc(BillingPeriodEnd)", "no date and time in UTC"),
  mustBe("ChargePeriodStart", "is_utc(ChargePeriodStart)", "no date and time in UTC"),
  mustBe("ChargePeriodEnd", "is_utc(ChargePeriodEnd)", "no date and time in UTC"),
  {
    column: "BillingPeriodEnd",
    isBad: "coalesce(utc(BillingPeriodEnd) <= utc(BillingPeriodStart), false)",
    message: "a billing period that ends before it begins",
  },
  {
    column: "ChargePeriodEnd",
    isBad: "coalesce(utc(ChargePeriodEnd) <= utc(ChargePeriodStart), false)",
    message: "a charge period that ends before it begins",
  },
  mustBe(
    "ChargeCategory",
    "ChargeCategory in ('Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment')",
    "none of Usage, Purchase, Tax, Credit, Adjustment",
  ),
  mayBe(
    "CommitmentDiscountStatus",
    "CommitmentDiscountStatus in ('Used', 'Unused')",
    "neither Used nor Unused",
  ),
  mayBe(
    "CapacityReservationStatus",
    "CapacityReservationStatus in ('Used', 'Unused')",
    "neither Used nor Unused",
  ),
  mayBe("Tags", "is_tags(Tags)", "no JSON object whose keys are there once"),
  mayBe("AllocatedMethodId", "false", "amounts split from other rows (FOCUS 1.3), which would count twice,"),
];

const summarySchema = z.record(z.string(), z.coerce.number().nullable());

/** Everything that is asked of every row, in one pass. */
function summarySql(): string {
  const counts = CHECKS.map((check, index) => `count_if(${check.isBad}) as bad_${index}`);
  return `select count(*) as row_count, ${counts.join(", ")},
    greatest(max(fraction_digits(BilledCost)), max(fraction_digits(EffectiveCost))) as fraction_digits,
    greatest(max(whole_digits(BilledCost)), max(whole_digits(EffectiveCost))) as whole_digits
    from bill_lenient`;
}

const rejectsSchema = z.array(z.object({ line: z.coerce.number(), error_message: z.string() }));

/** Lines that are not RFC 4180, not UTF-8 or of another length than the header; each by its first fault. */
async function readMalformedLines(database: BillDatabase): Promise<ReadonlyMap<number, string>> {
  const rejects = rejectsSchema.parse(
    await database.rows("select line, error_message from reject_errors order by line, column_idx"),
  );
  const byLine = new Map<number, string>();
  for (const { line, error_message: message } of rejects) {
    if (!byLine.has(line)) byLine.set(line, message.split("\n")[0] ?? message);
  }
  return byLine;
}

function malformedLineFaults(lines: ReadonlyMap<number, string>): Fault[] {
  const faults = [...lines].map(([line, message]) => ({
    path: `line ${line}`,
    message: message
      .replace(/\.$/, "")
      .replace(/^Expected Number of Columns: (\d+) Found: (\d+)$/, "has $2 fields, the header has $1"),
  }));
  if (faults.length <= LISTED_LINES) return faults;
  const more = faults.length - LISTED_LINES;
  return [...faults.slice(0, LISTED_LINES), { path: "", message: `${more} more lines are malformed` }];
}

/** The row as a person counts it (the first after the header is 1), where malformed lines before it were skipped. */
function rowInFile(readableRow: number, malformedLines: readonly number[]): number {
  return malformedLines.reduce((row, line) => (line - 1 <= row ? row + 1 : row), readableRow);
}

const shownSchema = z.array(z.object({ row: z.coerce.number(), value: z.string().nullable() }));

async function describeFault(
  database: BillDatabase,
  check: Check,
  count: number,
  malformedLines: readonly number[],
): Promise<Fault> {
  const shown = shownSchema.parse(
    await database.rows(
      `select row, ${check.column} as value from (select row_number() over () as row, * from bill_lenient)
       where ${check.isBad} order by row limit ${SHOWN_ROWS}`,
    ),
  );
  const places = shown.map(({ row, value }) => {
    const text = value === null ? "has no value" : JSON.stringify(value.slice(0, 60));
    return `row ${rowInFile(row, malformedLines)} ${text}`;
  });
  const more = count > shown.length ? ", ..." : "";
  return {
    path: check.column,
    message: `${check.message} in ${count} ${count === 1 ? "row" : "rows"}: ${places.join(", ")}${more}`,
  };
}

/** Digits that a sum over `rows` amounts of `whole` digits can grow to before the point. */
function digitsOfSum(whole: number, rows: number): number {
  return whole + String(rows).length;
}

/**
 * Checks every row of the bill before any of it becomes money.
 *
 * @throws {InputError} with every fault: malformed lines, and by column what is wrong and in which rows
 */
export async function checkBill(database: BillDatabase, file: BillFile): Promise<BillShape> {
  const summary = summarySchema.parse((await database.rows(summarySql()))[0]);
  const malformed =
    file.format === "parquet" ? new Map<number, string>() : await readMalformedLines(database);
  const faults = malformedLineFaults(malformed);
  for (const [index, check] of CHECKS.entries()) {
    const count = summary[`bad_${index}`] ?? 0;
    if (count > 0) faults.push(await describeFault(database, check, count, [...malformed.keys()]));
  }
  const rows = summary["row_count"] ?? 0;
  const scale = Math.max(summary["fraction_digits"] ?? 0, MIN_SCALE);
  const digits = scale + digitsOfSum(summary["whole_digits"] ?? 1, rows);
  if (rows === 0 && faults.length === 0) faults.push({ path: "", message: "has a header and no rows" });
  if (digits > MAX_DIGITS && faults.length === 0) {
    faults.push({
      path: "BilledCost, EffectiveCost",
      message: `exact sums need ${digits} digits (${scale} after the point), a decimal has ${MAX_DIGITS}`,
    });
  }
  if (faults.length > 0) throw new InputError(file.source, faults);
  return { rows, scale };
}
