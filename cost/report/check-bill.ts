import * as z from "zod";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { type BillDatabase, sqlText } from "./bill-database.ts";
import { type Bill, type BillFile, inFile } from "./bill-file.ts";
import { CUR_CHECKS } from "./cur-checks.ts";
import { FOCUS_CHECKS } from "./focus-checks.ts";
import type { BillKind } from "./focus-columns.ts";
import type { Check } from "./row-checks.ts";

/** What a check learns about a sound bill. */
export interface BillShape {
  /** Of each file, in their order. */
  readonly rowsOfFiles: readonly number[];
  /** Digits after the point that sums need to be exact; at least 12. */
  readonly scale: number;
}

/** DuckDB's and Trino's widest decimal. */
const MAX_DIGITS = 38;
const MIN_SCALE = 12;

/** How many rows a fault shows, and how many malformed lines are listed one by one. */
const SHOWN_ROWS = 5;
const LISTED_LINES = 20;

/** What is asked of every row, by the kind of bill; written for DuckDB's prelude. */
export const CHECKS = { FOCUS: FOCUS_CHECKS, CUR: CUR_CHECKS } as const;

const summarySchema = z.record(z.string(), z.coerce.number().nullable());

/** Everything that is asked of every row of the file, in one pass. */
export function faultCountSql(relation: string, checks: readonly Check[]): string {
  const counts = checks.map((check, index) => `count_if(${check.isBad}) as bad_${index}`);
  return `select count(*) as row_count, ${counts.join(", ")} from ${relation}`;
}

/** What exact sums over the bill's lines need; asked when every row of the file is sound. */
export const DIGITS_SQL = `select
  greatest(max(fraction_digits(BilledCost)), max(fraction_digits(EffectiveCost)), coalesce(max(fraction_digits(ListCost)), 0)) as fraction_digits,
  greatest(max(whole_digits(BilledCost)), max(whole_digits(EffectiveCost)), coalesce(max(whole_digits(ListCost)), 1)) as whole_digits
  from bill`;

const rejectsSchema = z.array(z.object({ line: z.coerce.number(), error_message: z.string() }));

/** Lines that are not RFC 4180, not UTF-8 or of another length than the header; each by its first fault. */
async function readMalformedLines(
  database: BillDatabase,
  file: BillFile,
): Promise<ReadonlyMap<number, string>> {
  if (file.format === "parquet") return new Map();
  const rejects = rejectsSchema.parse(
    await database.rows(
      `select line, error_message from reject_errors join reject_scans using (scan_id, file_id)
       where file_path = ${sqlText(file.readablePath)} order by line, column_idx`,
    ),
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
  relation: string,
  check: Check,
  count: number,
  malformedLines: readonly number[],
): Promise<Fault> {
  const shown = shownSchema.parse(
    await database.rows(
      `select row, ${check.column} as value from (select row_number() over () as row, * from ${relation})
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

/** What a file has wrong, and how many rows it has. */
async function checkFile(
  database: BillDatabase,
  file: BillFile,
  relation: string,
  checks: readonly Check[],
): Promise<{ readonly rows: number; readonly faults: readonly Fault[] }> {
  const counts = summarySchema.parse((await database.rows(faultCountSql(relation, checks)))[0]);
  const malformed = await readMalformedLines(database, file);
  const faults = malformedLineFaults(malformed);
  for (const [index, check] of checks.entries()) {
    const count = counts[`bad_${index}`] ?? 0;
    if (count > 0) faults.push(await describeFault(database, relation, check, count, [...malformed.keys()]));
  }
  return { rows: counts["row_count"] ?? 0, faults };
}

/**
 * Checks every row of every file of the bill before any of it becomes money.
 *
 * @throws {InputError} with every fault: malformed lines, and by column what is wrong and in which rows
 */
export async function checkBill(
  database: BillDatabase,
  bill: Bill,
  { standard }: BillKind,
): Promise<BillShape> {
  const faults: Fault[] = [];
  const rowsOfFiles: number[] = [];
  for (const [index, file] of bill.files.entries()) {
    const checked = await checkFile(database, file, `lenient_${index}`, CHECKS[standard]);
    faults.push(...checked.faults.map((fault) => inFile(bill, file, fault)));
    rowsOfFiles.push(checked.rows);
  }
  if (faults.length > 0) throw new InputError(bill.source, faults);
  return await shapeOf(database, bill, rowsOfFiles);
}

/** How many faults the checks of every row find in a relation that has the bill's columns as text. */
export async function countFaults(
  database: BillDatabase,
  standard: BillKind["standard"],
  relation: string,
): Promise<number> {
  const checks = CHECKS[standard];
  const counts = summarySchema.parse((await database.rows(faultCountSql(relation, checks)))[0]);
  return checks.reduce((sum, _, index) => sum + (counts[`bad_${index}`] ?? 0), 0);
}

/**
 * What exact sums over a sound bill need.
 *
 * @throws {InputError} when it has no rows, or when no decimal holds its sums
 */
export async function shapeOf(
  database: BillDatabase,
  bill: Bill,
  rowsOfFiles: readonly number[],
): Promise<BillShape> {
  const rows = rowsOfFiles.reduce((sum, count) => sum + count, 0);
  if (rows === 0) throw new InputError(bill.source, [{ path: "", message: "has a header and no rows" }]);

  const digitCounts = summarySchema.parse((await database.rows(DIGITS_SQL))[0]);
  return { rowsOfFiles, scale: scaleOf(bill.source, digitCounts, rows) };
}

/**
 * Digits after the point that sums over `rows` rows keep, by what DIGITS_SQL says of the bill.
 *
 * @throws {InputError} when no decimal holds the sums
 */
export function scaleOf(
  source: string,
  digitCounts: Readonly<Record<string, number | null>>,
  rows: number,
): number {
  const scale = Math.max(digitCounts["fraction_digits"] ?? 0, MIN_SCALE);
  const digits = scale + digitsOfSum(digitCounts["whole_digits"] ?? 1, rows);
  if (digits <= MAX_DIGITS) return scale;
  const message = `exact sums need ${digits} digits (${scale} after the point), a decimal has ${MAX_DIGITS}`;
  throw new InputError(source, [{ path: "BilledCost, EffectiveCost, ListCost", message }]);
}
