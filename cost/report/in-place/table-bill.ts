import { createHash } from "node:crypto";
import * as z from "zod";
import { InputError } from "../../../host-tuning/errors.ts";
import { type BillQueries, sqlName, sqlText } from "../bill-database.ts";
import { CHECKS, DIGITS_SQL, faultCountSql, scaleOf } from "../check-bill.ts";
import type { BillKind, ListColumn, ReadColumn } from "../focus-columns.ts";
import { type BillTable, type FileLayout, layoutOf, relationsOf, textOrNull } from "../read-bill.ts";
import type { Check } from "../row-checks.ts";
import type { SoundBill } from "../sound-bill.ts";
import { columnText, inEngineDialect, isFloatingType, typeFaultOf } from "./engine-dialect.ts";
import { type QueryEngine, QueryError, untilInterrupted } from "./query-engine.ts";
import { parseTableAddress, type TableAddress } from "./table-address.ts";
import {
  isPartitionColumn,
  type PartitionColumn,
  readTableParts,
  type TableParts,
} from "./table-partitions.ts";

/** How many values of a fault are shown. */
const SHOWN_VALUES = 5;

const columnsSchema = z.array(
  z.object({ column_name: z.string(), data_type: z.string(), extra_info: z.string().nullish() }),
);
const shownSchema = z.array(z.object({ value: z.string().nullable() }));
const countsSchema = z.record(z.string(), z.coerce.number().nullable());
const sumsSchema = z.array(z.record(z.string(), z.string().nullable()));

async function openEngine(address: TableAddress, signal: AbortSignal): Promise<QueryEngine> {
  if (address.engine === "trino") return await (await import("./trino-engine.ts")).openTrino(address, signal);
  // The SDK is loaded for Athena alone.
  return (await import("./athena-engine.ts")).openAthena(address, signal);
}

function nameOf({ catalog, database, table }: TableAddress): string {
  return [catalog, database, table].map(sqlName).join(".");
}

/** Columns by their names; only some engines say which are those of partitions. */
async function readColumns(
  engine: QueryEngine,
  { catalog, database, table }: TableAddress,
): Promise<z.output<typeof columnsSchema>> {
  const ask = async (columns: string): Promise<z.output<typeof columnsSchema>> =>
    columnsSchema.parse(
      await engine.rows(
        `select ${columns} from ${sqlName(catalog)}.information_schema.columns
         where table_schema = ${sqlText(database)} and table_name = ${sqlText(table)} order by ordinal_position`,
      ),
    );
  try {
    return await ask("column_name, data_type, extra_info");
  } catch (error) {
    if (!(error instanceof QueryError) || error.reason !== "COLUMN_NOT_FOUND") throw error;
    return await ask("column_name, data_type");
  }
}

interface EngineTable {
  readonly table: BillTable;
  readonly partitionColumns: readonly PartitionColumn[];
}

async function readBillTable(engine: QueryEngine, address: TableAddress): Promise<EngineTable> {
  const columns = await readColumns(engine, address);
  if (columns.length === 0) {
    const message = "there is no such table, or this user may not see it";
    throw new InputError(engine.source, [{ path: "", message }]);
  }
  const types = new Map(columns.map((column) => [column.column_name, column.data_type.toLowerCase()]));
  const typeOf = (name: string): string => types.get(name) ?? "";
  const from = nameOf(address);
  return {
    partitionColumns: columns
      .filter(({ extra_info: extra }) => extra === "partition key")
      .map(({ column_name: name }) => ({ name, type: typeOf(name) }))
      .filter(isPartitionColumn),
    table: {
      names: [...types.keys()],
      text: (name) => columnText(name, typeOf(name)),
      type: () => undefined,
      typeFault: (path, mayBeMap) => {
        const message = typeFaultOf(typeOf(path), mayBeMap);
        return message === undefined ? undefined : { path, message };
      },
      isFloating: (name) => isFloatingType(typeOf(name)),
      strict: from,
      lenient: from,
    },
  };
}

/** The month of a line's billing period, as text that may be none. */
function monthSqlOf({ columns, table }: FileLayout): string {
  const name = columns.get("BillingPeriodStart") ?? columns.get("bill_billing_period_start_date") ?? "";
  return `substr(${textOrNull(table.text(name))}, 1, 7)`;
}

/** A query with the bill's relations before it; the query's own text stays as it is. */
function withRelations(
  relations: readonly { readonly name: string; readonly sql: string }[],
  query: string,
): string {
  const named = relations.map(({ name, sql }) => `${name} as (\n${sql}\n)`).join(",\n");
  const start = /^(?:\s|--[^\n]*\n)*with\s/i.exec(query);
  return start === null ? `with ${named}\n${query}` : `with ${named},\n${query.slice(start[0].length)}`;
}

async function describeFault(
  bill: BillQueries,
  check: Check,
  count: number,
): Promise<{ path: string; message: string }> {
  const shown = shownSchema.parse(
    await bill.rows(
      `select distinct ${check.column} as value from checked where ${inEngineDialect(check.isBad)} order by 1 limit ${SHOWN_VALUES}`,
    ),
  );
  const values = shown.map(({ value }) => (value === null ? "no value" : JSON.stringify(value.slice(0, 60))));
  return {
    path: check.column,
    message: `${check.message} in ${count} ${count === 1 ? "row" : "rows"}: ${values.join(", ")}${shown.length === SHOWN_VALUES ? ", ..." : ""}`,
  };
}

/** @throws {InputError} with all that is wrong with the table's rows */
async function checkRows(engine: QueryEngine, standard: BillKind["standard"], lines: string): Promise<void> {
  const checked = [{ name: "checked", sql: lines }];
  const queries: BillQueries = { rows: (sql) => engine.rows(withRelations(checked, sql)) };
  const checks = CHECKS[standard];
  const [row] = await queries.rows(inEngineDialect(faultCountSql("checked", checks)));
  const counts = countsSchema.parse(row);
  const faults: { path: string; message: string }[] = [];
  for (const [index, check] of checks.entries()) {
    const count = counts[`bad_${index}`] ?? 0;
    if (count > 0) faults.push(await describeFault(queries, check, count));
  }
  if (faults.length > 0) throw new InputError(engine.source, faults);
}

const AMOUNTS = ["BilledCost", "EffectiveCost", "ListCost"];

/**
 * What tells a table's contents from others' as far as an engine says it: its columns, its files with their times and
 * lines, and what its amounts add up to.
 */
async function identityOf(
  bill: BillQueries,
  address: TableAddress,
  table: FileLayout["table"],
  { lines, files, where }: TableParts,
  scale: number,
): Promise<string> {
  const sums = AMOUNTS.map(
    (amount) => `cast(sum(cast(${amount} as DECIMAL(38,${scale}))) as varchar) as ${amount}`,
  );
  const rows = await bill.rows(
    `select BillingCurrency, BillingPeriodStart, ${sums.join(", ")} from bill group by 1, 2 order by 1, 2`,
  );
  const { catalog, database, table: name } = address;
  const said = {
    name: [catalog, database, name],
    columns: table.names,
    lines,
    parts: files,
    ...(where === undefined ? {} : { where }),
    sums: sumsSchema.parse(rows),
  };
  return createHash("sha256").update(JSON.stringify(said)).digest("hex");
}

function sameParts(a: TableParts, b: TableParts): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function notesOf(
  address: TableAddress,
  { files, partitions }: TableParts,
  month: string | undefined,
): readonly string[] {
  const engine = address.engine === "trino" ? "Trino" : "Athena";
  const known =
    files.length === 0
      ? "its count of lines and its sums (the table does not name its files)"
      : `the ${files.length === 1 ? "file" : `${files.length} files`} that it names, its count of lines and its sums`;
  return [
    `read in place by ${engine}: its sha256 is of ${known}, not of the files' bytes; deliveries that came twice and months delivered anew are as the table has them`,
    ...(partitions === undefined
      ? []
      : [
          `${partitions.read} of the table's ${partitions.all} partitions (by ${partitions.by}) have lines of ${month}: the others were not read, and their rows not checked`,
        ]),
  ];
}

interface OpenTable {
  readonly bill: SoundBill;
  readonly parts: TableParts;
  /** Reads the parts again, as they were read when it was opened. */
  readonly readPartsAgain: () => Promise<TableParts>;
}

async function openTable(
  engine: QueryEngine,
  address: TableAddress,
  needed: readonly ReadColumn[],
  listColumn: ListColumn | undefined,
  month: string | undefined,
): Promise<OpenTable> {
  const { table: columns, partitionColumns } = await readBillTable(engine, address);
  const layout = layoutOf(columns, needed, listColumn);
  if (layout.faults.length > 0) throw new InputError(engine.source, layout.faults);
  const { kind, table, floatingColumns } = layout;
  const isOfPartition = (name: string): boolean => partitionColumns.some((column) => column.name === name);
  const unknownColumns = layout.unknownColumns.filter((name) => !isOfPartition(name));
  const partedTable = { from: table.strict, month, monthSql: monthSqlOf(layout), partitionColumns };
  const parts = await readTableParts(engine, partedTable);
  const lines = `${layout.select} from ${table.strict}${parts.where === undefined ? "" : ` where ${parts.where}`}`;
  if (parts.lines === 0)
    throw new InputError(engine.source, [{ path: "", message: "the table has no rows" }]);
  await checkRows(engine, kind.standard, lines);
  const relations = relationsOf(kind.standard, lines);
  const queries: BillQueries = { rows: (sql) => engine.rows(withRelations(relations, sql)) };
  const digits = countsSchema.parse((await queries.rows(inEngineDialect(DIGITS_SQL)))[0]);
  const scale = scaleOf(engine.source, digits, parts.lines);
  const sha256 = await identityOf(queries, address, table, parts, scale);
  const name = [address.catalog, address.database, address.table].join(".");
  return {
    parts,
    readPartsAgain: async () => await readTableParts(engine, partedTable),
    bill: {
      given: engine.source,
      queries,
      kind,
      layouts: [layout],
      unknownColumns,
      floatingColumns,
      scale,
      source: {
        name,
        sha256,
        bytes: null,
        files: [{ name, sha256, bytes: null, format: "table", lines: parts.lines }],
        ...kind,
        lines: parts.lines,
      },
      notes: notesOf(address, parts, month),
    },
  };
}

/**
 * Opens a table of Trino or Athena as a bill: every query of a report runs there, with the bill's relations before it, and
 * only what it adds up comes here. Its rows are checked as a file's are, in one query. Of a table with partitions and for a
month only those are read that have lines of it.
 *
 * @throws {InputError} when the address is none, the engine cannot be asked or stops a query, the table is no sound bill,
 * or it changes while it is read
 */
export async function withBillTable<T>(
  input: string,
  needed: readonly ReadColumn[],
  { listColumn, month }: { readonly listColumn: ListColumn | undefined; readonly month: string | undefined },
  use: (bill: SoundBill) => Promise<T>,
): Promise<T> {
  const address = parseTableAddress(input);
  return await untilInterrupted(async (signal) => {
    const engine = await openEngine(address, signal);
    try {
      const { bill, parts, readPartsAgain } = await openTable(engine, address, needed, listColumn, month);
      const result = await use(bill);
      if (sameParts(parts, await readPartsAgain())) return result;
      const message = "changed while it was read: give it once it is written";
      throw new InputError(engine.source, [{ path: "", message }]);
    } finally {
      await engine.close();
    }
  });
}
