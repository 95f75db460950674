import { open } from "node:fs/promises";
import * as z from "zod";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { type BillDatabase, readSql, sqlName, sqlText } from "./bill-database.ts";
import type { BillFile } from "./bill-file.ts";
import {
  type BillKind,
  type ColumnMap,
  findColumns,
  READ_COLUMNS,
  type ReadColumn,
} from "./focus-columns.ts";

/** A header longer than this is none. */
const HEADER_LIMIT_BYTES = 1024 * 1024;

/** What was found out about a bill by its header. */
export interface OpenBill {
  readonly kind: BillKind;
  readonly unknownColumns: readonly string[];
}

/** The names in the first record of a CSV text, by RFC 4180; undefined when the record does not end or is malformed. */
export function parseCsvHeader(text: string): readonly string[] | undefined {
  const names: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|\r|$)/y;
  while (true) {
    const match = field.exec(text);
    if (match === null) return undefined;
    names.push(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll('""', '"'));
    if (match[3] !== ",") return names;
  }
}

async function readCsvColumns(file: BillFile): Promise<readonly string[]> {
  const handle = await open(file.readablePath);
  try {
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(HEADER_LIMIT_BYTES),
      0,
      HEADER_LIMIT_BYTES,
      0,
    );
    const text = buffer
      .subarray(0, bytesRead)
      .toString("utf8")
      .replace(/^\uFEFF/, "");
    if (text.trim() === "") throw new InputError(file.source, [{ path: "", message: "is empty" }]);
    const names = parseCsvHeader(text);
    if (names === undefined) {
      throw new InputError(file.source, [{ path: "line 1", message: "the header's quotes do not close" }]);
    }
    return names;
  } finally {
    await handle.close();
  }
}

/**
 * A file that was cut inside its last field can look whole: `12.3` of `12.34`. So the last line must end, with a newline
 * or with the quote that closes its last field.
 */
async function lastLineFaults(file: BillFile): Promise<Fault[]> {
  const handle = await open(file.readablePath);
  try {
    const { size } = await handle.stat();
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    if (['"', "\n", "\r"].includes(buffer.toString("latin1"))) return [];
    return [
      {
        path: "",
        message:
          "the last line does not end: the file may have been cut short (if it is whole, end it with a newline)",
      },
    ];
  } finally {
    await handle.close();
  }
}

const parquetColumnsSchema = z.array(z.object({ column_name: z.string(), column_type: z.string() }));

/** The expression that gives a Parquet column as the text that a CSV file would hold. */
function parquetText(name: string, type: string): string {
  if (type === "VARCHAR") return sqlName(name);
  if (type.startsWith("MAP(")) return `cast(to_json(${sqlName(name)}) as varchar)`;
  return `cast(${sqlName(name)} as varchar)`;
}

/** Types of which only some read as text that means the same. */
function parquetTypeFaults(columns: ColumnMap, types: ReadonlyMap<string, string>): Fault[] {
  return [...columns].flatMap(([column, name]): Fault[] => {
    const type = types.get(name) ?? "";
    const isNested =
      /\[\]$|^STRUCT|^UNION|^BLOB/.test(type) || (type.startsWith("MAP(") && column !== "Tags");
    return isNested
      ? [{ path: column, message: `is of type ${type}, which is none that FOCUS gives it` }]
      : [];
  });
}

/**
 * The view `bill`: the columns that the report reads, all text, "no value" as NULL. The view `bill_lenient` is the same
 * but skips malformed lines and keeps a record of each, so that a check finds every fault in one pass.
 */
async function createBillViews(
  database: BillDatabase,
  from: { readonly strict: string; readonly lenient: string },
  expressions: ReadonlyMap<ReadColumn, string>,
): Promise<void> {
  const columns = READ_COLUMNS.map((column) => {
    const expression = expressions.get(column);
    return `${expression === undefined ? "cast(null as varchar)" : `bill_text(${expression})`} as ${column}`;
  }).join(", ");
  await database.run(`create view bill as select ${columns} from ${from.strict}`);
  await database.run(`create view bill_lenient as select ${columns} from ${from.lenient}`);
}

async function openParquet(
  database: BillDatabase,
  file: BillFile,
  needed: readonly ReadColumn[],
): Promise<OpenBill> {
  const from = `read_parquet(${sqlText(file.readablePath)})`;
  const described = parquetColumnsSchema.parse(await database.rows(`describe select * from ${from}`));
  const types = new Map(described.map((column) => [column.column_name, column.column_type]));
  const found = findColumns([...types.keys()], needed);
  const faults = [...found.faults, ...parquetTypeFaults(found.columns, types)];
  if (faults.length > 0) throw new InputError(file.source, faults);
  const expressions = new Map(
    [...found.columns].map(([column, name]) => [column, parquetText(name, types.get(name) ?? "")]),
  );
  await createBillViews(database, { strict: from, lenient: from }, expressions);
  return { kind: found.kind, unknownColumns: found.unknown };
}

/** Everything about the dialect is said, so that DuckDB guesses nothing from a sample of the file. */
function csvOptions(names: readonly string[]): string {
  const columns = names.map((name) => `${sqlText(name)}: 'VARCHAR'`).join(", ");
  return (
    `columns = {${columns}}, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', ` +
    `strict_mode = true, null_padding = false, nullstr = '', comment = ''`
  );
}

async function openCsv(
  database: BillDatabase,
  file: BillFile,
  needed: readonly ReadColumn[],
): Promise<OpenBill> {
  const names = await readCsvColumns(file);
  const found = findColumns(names, needed);
  const faults = [...found.faults, ...(await lastLineFaults(file))];
  if (faults.length > 0) throw new InputError(file.source, faults);
  const call = `read_csv(${sqlText(file.readablePath)}, ${csvOptions(names)}`;
  const expressions = new Map([...found.columns].map(([column, name]) => [column, sqlName(name)]));
  await createBillViews(
    database,
    { strict: `${call})`, lenient: `${call}, store_rejects = true)` },
    expressions,
  );
  return { kind: found.kind, unknownColumns: found.unknown };
}

/**
 * Finds out what `file` is and opens it as the views `bill` and `bill_lenient`.
 *
 * @throws {InputError} when it is no FOCUS bill or lacks columns, with all of them
 */
export async function openBill(
  database: BillDatabase,
  file: BillFile,
  needed: readonly ReadColumn[],
): Promise<OpenBill> {
  await database.run(readSql("duckdb-prelude.sql"));
  return file.format === "parquet"
    ? await openParquet(database, file, needed)
    : await openCsv(database, file, needed);
}
