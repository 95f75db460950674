import * as z from "zod";
import { InputError } from "../../../host-tuning/errors.ts";
import { sqlName, sqlText } from "../bill-database.ts";
import { type QueryEngine, QueryError } from "./query-engine.ts";

/** A column whose value is that of a folder, so that a condition on it keeps whole files from being read. */
export interface PartitionColumn {
  readonly name: string;
  /** As information_schema gives it. */
  readonly type: string;
}

/** Types whose values a condition can name; a partition of another type is read whatever it holds. */
const NAMED_TYPE = /^(?:varchar(?:\(\d+\))?|tinyint|smallint|integer|bigint|date)$/;

export function isPartitionColumn({ type }: PartitionColumn): boolean {
  return NAMED_TYPE.test(type);
}

/** A condition on more values of a column than this is longer than it saves reading. Our choice. */
const MOST_VALUES = 100;

/** Lines of one file and one partition that are billed in one month. */
interface Part {
  readonly file: string | null;
  /** In the order of the columns. */
  readonly values: readonly (string | null)[];
  /** What the line has as the month of its billing period; sound or not. */
  readonly month: string | null;
  readonly lines: number;
}

const partsSchema = z.array(z.record(z.string(), z.union([z.string(), z.number()]).nullable()));

/** Engines name a line's file in a hidden column; a view and some connectors have none. */
const FILE_COLUMNS = ['"$path" || \' \' || cast("$file_modified_time" as varchar)', '"$path"'];

/** A table, and what is asked of it. */
interface PartedTable {
  /** What stands after FROM. */
  readonly from: string;
  /** As in 2026-07; all are read where it is undefined. */
  readonly month: string | undefined;
  /** The month of a line's billing period. */
  readonly monthSql: string;
  readonly partitionColumns: readonly PartitionColumn[];
}

/** By file, partition and month; by file alone where nothing is to be told apart, which reads no column. */
async function partsBy(engine: QueryEngine, table: PartedTable, file: string): Promise<readonly Part[]> {
  const { from, monthSql, partitionColumns } = table;
  const isByMonth = table.month !== undefined && partitionColumns.length > 0;
  const columns = isByMonth
    ? [
        ...partitionColumns.map(({ name }, index) => `cast(${sqlName(name)} as varchar) as value_${index}`),
        `${monthSql} as billing_month`,
      ]
    : [];
  const selected = [`${file} as part`, ...columns];
  const keys = selected.map((_, index) => String(index + 1)).join(", ");
  const rows = partsSchema.parse(
    await engine.rows(
      `select ${selected.join(", ")}, count(*) as line_count from ${from} group by ${keys} order by ${keys}`,
    ),
  );
  const text = (value: string | number | null | undefined): string | null =>
    value === null || value === undefined ? null : String(value);
  return rows.map((row) => ({
    file: text(row["part"]),
    values: isByMonth ? partitionColumns.map((_, index) => text(row[`value_${index}`])) : [],
    month: text(row["billing_month"]),
    lines: Number(row["line_count"]),
  }));
}

async function readParts(engine: QueryEngine, table: PartedTable): Promise<readonly Part[]> {
  for (const file of [...FILE_COLUMNS, "cast(null as varchar)"]) {
    try {
      return await partsBy(engine, table, file);
    } catch (error) {
      const hasNoColumn = error instanceof QueryError && error.reason === "COLUMN_NOT_FOUND";
      if (!hasNoColumn) throw error;
    }
  }
  throw new Error("a count of lines names no column");
}

/** What is read of a table: all of it, or the partitions that hold a month's lines. */
export interface TableParts {
  readonly lines: number;
  /** Files, and how many lines each has. */
  readonly files: readonly (readonly [file: string, lines: number])[];
  /** A condition that is true for every line of the month; undefined where all is read. */
  readonly where: string | undefined;
  /** Of how many partitions how many are read, and by which columns. */
  readonly partitions: { readonly read: number; readonly all: number; readonly by: string } | undefined;
}

function isMonth(text: string | null): boolean {
  return text !== null && /^\d{4}-\d{2}$/.test(text);
}

function isValueSql({ name, type }: PartitionColumn, values: ReadonlySet<string | null>): string {
  const literal = (value: string): string =>
    type.startsWith("varchar") ? sqlText(value) : `cast(${sqlText(value)} as ${type})`;
  const named = [...values].filter((value) => value !== null);
  const conditions = [
    ...(named.length === 0 ? [] : [`${sqlName(name)} in (${named.map(literal).join(", ")})`]),
    ...(values.has(null) ? [`${sqlName(name)} is null`] : []),
  ];
  return `(${conditions.join(" or ")})`;
}

/**
 * The partitions that have lines of the month, by each column's values alone: partitions that only share values with them
 * are read too, and no line of the month is in any other. A line that names no month may be of this one.
 */
function partsOfMonth(
  parts: readonly Part[],
  month: string,
  columns: readonly PartitionColumn[],
): Pick<TableParts, "where" | "partitions"> & { readonly parts: readonly Part[] } {
  const wanted = parts.filter((part) => part.month === month || !isMonth(part.month));
  const narrowing = columns.flatMap((column, index) => {
    const values = new Set(wanted.map((part) => part.values[index] ?? null));
    const all = new Set(parts.map((part) => part.values[index] ?? null));
    return values.size < all.size && values.size <= MOST_VALUES ? [{ column, index, values }] : [];
  });
  if (narrowing.length === 0) return { parts, where: undefined, partitions: undefined };
  const read = parts.filter((part) =>
    narrowing.every(({ index, values }) => values.has(part.values[index] ?? null)),
  );
  const partitionsOf = (some: readonly Part[]): number =>
    new Set(some.map(({ values }) => JSON.stringify(values))).size;
  return {
    parts: read,
    where: narrowing.map(({ column, values }) => isValueSql(column, values)).join(" and "),
    partitions: {
      read: partitionsOf(read),
      all: partitionsOf(parts),
      by: narrowing.map(({ column }) => column.name).join(", "),
    },
  };
}

/**
 * Reads which files a table has and, where a month is asked for and the table has partitions, which of them hold the
 * month's lines: by the lines themselves, whatever the partitions are called. It reads one column of the table.
 *
 * @throws {InputError} when no line is of the month, with the months that there are
 */
export async function readTableParts(engine: QueryEngine, table: PartedTable): Promise<TableParts> {
  const all = await readParts(engine, table);
  const { month, partitionColumns } = table;
  const isByMonth = month !== undefined && partitionColumns.length > 0;
  const months = new Set(all.map((part) => part.month));
  if (isByMonth && all.length > 0 && !months.has(month) && [...months].every(isMonth)) {
    const there = [...months].toSorted((a, b) => (String(a) < String(b) ? -1 : 1)).join(", ");
    const message = `${engine.source} has billing periods ${there}, not ${month}`;
    throw new InputError("command line", [{ path: "--month", message }]);
  }
  const { parts, where, partitions } = isByMonth
    ? partsOfMonth(all, month, partitionColumns)
    : { parts: all, where: undefined, partitions: undefined };
  const byFile = Map.groupBy(parts, ({ file }) => file);
  const linesOf = (some: readonly Part[]): number => some.reduce((sum, { lines }) => sum + lines, 0);
  return {
    lines: linesOf(parts),
    files: [...byFile].flatMap(([file, own]) => (file === null ? [] : [[file, linesOf(own)] as const])),
    where,
    partitions,
  };
}
