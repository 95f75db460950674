import { open } from "node:fs/promises";
import * as z from "zod";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { type BillDatabase, readSql, sqlName, sqlText } from "./bill-database.ts";
import type { BillFile } from "./bill-file.ts";
import { CUR_COLUMNS, type CurFindings, findCurColumns } from "./cur-columns.ts";
import { type BillKind, findColumns, READ_COLUMNS, type ReadColumn } from "./focus-columns.ts";

/** A header longer than this is none. */
const HEADER_LIMIT_BYTES = 1024 * 1024;

/** What was found out about a bill by its header. */
export interface OpenBill {
  readonly kind: BillKind;
  readonly unknownColumns: readonly string[];
  /** Amounts that the file holds as binary floating point. */
  readonly floatingColumns: readonly string[];
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

/** A bill's container: what it has, how a column of it reads as the text that a CSV file would hold, and from where. */
interface BillTable {
  readonly names: readonly string[];
  readonly text: (name: string) => string;
  /** What the type of a column leaves unreadable. */
  readonly typeFault: (name: string, mayBeMap: boolean) => Fault | undefined;
  readonly isFloating: (name: string) => boolean;
  readonly strict: string;
  /** The same, but skips malformed lines and keeps a record of each, so that a check finds every fault in one pass. */
  readonly lenient: string;
}

function isFloatingType(type: string | undefined): boolean {
  return type === "DOUBLE" || type === "FLOAT";
}

/** Digits after the point that are kept of a binary floating-point column: what a double of up to a few hundred holds. */
export const DOUBLE_DIGITS = 15;

/**
 * The expression that gives a Parquet column as the text that a CSV file would hold. A double goes by its shortest
 * text: cast to a decimal at once it is multiplied as a double, and 145.2752496498369 becomes 145.275249649836896.
 */
function parquetText(name: string, type: string): string {
  if (type === "VARCHAR") return sqlName(name);
  if (isFloatingType(type))
    return `cast(cast(cast(${sqlName(name)} as varchar) as DECIMAL(38,${DOUBLE_DIGITS})) as varchar)`;
  if (type.startsWith("MAP(")) return `cast(to_json(${sqlName(name)}) as varchar)`;
  return `cast(${sqlName(name)} as varchar)`;
}

async function parquetTable(database: BillDatabase, file: BillFile): Promise<BillTable> {
  const from = `read_parquet(${sqlText(file.readablePath)})`;
  const described = parquetColumnsSchema.parse(await database.rows(`describe select * from ${from}`));
  const types = new Map(described.map((column) => [column.column_name, column.column_type]));
  return {
    names: [...types.keys()],
    text: (name) => parquetText(name, types.get(name) ?? ""),
    typeFault: (name, mayBeMap) => {
      const type = types.get(name) ?? "";
      const isNested = /\[\]$|^STRUCT|^UNION|^BLOB/.test(type) || (type.startsWith("MAP(") && !mayBeMap);
      return isNested
        ? { path: name, message: `is of type ${type}, which is none that a bill gives it` }
        : undefined;
    },
    isFloating: (name) => isFloatingType(types.get(name)),
    strict: from,
    lenient: from,
  };
}

/** Everything about the dialect is said, so that DuckDB guesses nothing from a sample of the file. */
function csvOptions(names: readonly string[]): string {
  const columns = names.map((name) => `${sqlText(name)}: 'VARCHAR'`).join(", ");
  return (
    `columns = {${columns}}, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', ` +
    `strict_mode = true, null_padding = false, nullstr = '', comment = ''`
  );
}

async function csvTable(file: BillFile): Promise<BillTable> {
  const names = await readCsvColumns(file);
  const call = `read_csv(${sqlText(file.readablePath)}, ${csvOptions(names)}`;
  return {
    names,
    text: sqlName,
    typeFault: () => undefined,
    isFloating: () => false,
    strict: `${call})`,
    lenient: `${call}, store_rejects = true)`,
  };
}

/** `select` of columns by their names in the report, all text, "no value" as NULL. */
function selectText(columns: readonly string[], expressions: ReadonlyMap<string, string>): string {
  const selected = columns.map((column) => {
    const expression = expressions.get(column);
    return `${expression === undefined ? "cast(null as varchar)" : `bill_text(${expression})`} as ${column}`;
  });
  return `select ${selected.join(", ")}`;
}

function typeFaults(table: BillTable, columns: ReadonlyMap<string, string>, tags: string): Fault[] {
  return [...columns].flatMap(([column, name]) => table.typeFault(name, column === tags) ?? []);
}

function floatingColumns(table: BillTable, columns: ReadonlyMap<string, string>): string[] {
  return [...columns.values()].filter((name) => table.isFloating(name));
}

function refuse(file: BillFile, faults: readonly Fault[]): void {
  if (faults.length > 0) throw new InputError(file.source, faults);
}

/** A JSON object of tags that have a column each, without those that a line does not have. */
function tagsOfColumns(table: BillTable, tagColumns: ReadonlyMap<string, string>): string {
  const entries = [...tagColumns].map(
    ([key, name]) => `{'k': ${sqlText(key)}, 'v': bill_text(${table.text(name)})}`,
  );
  return `cast(to_json(map_from_entries(list_filter([${entries.join(", ")}], lambda tag: tag.v is not null))) as varchar)`;
}

/** A Cost and Usage Report: the views `cur` and `cur_lenient` have its own columns, the view `bill` what they mean. */
async function openCur(
  database: BillDatabase,
  file: BillFile,
  table: BillTable,
  found: CurFindings,
  faults: readonly Fault[],
): Promise<OpenBill> {
  refuse(file, [...found.faults, ...typeFaults(table, found.columns, "resource_tags"), ...faults]);
  const expressions = new Map<string, string>(
    [...found.columns].map(([column, name]) => [column, table.text(name)]),
  );
  if (found.tagColumns.size > 0) expressions.set("resource_tags", tagsOfColumns(table, found.tagColumns));
  const select = selectText(CUR_COLUMNS, expressions);
  await database.run(`create view cur as ${select} from ${table.strict}`);
  await database.run(`create view cur_lenient as ${select} from ${table.lenient}`);
  await database.run(`create view bill as ${readSql("cur-as-focus.sql")}`);
  return { kind: found.kind, unknownColumns: [], floatingColumns: floatingColumns(table, found.columns) };
}

/** A FOCUS bill: the views `bill` and `bill_lenient` have the columns that the report reads. */
async function openFocus(
  database: BillDatabase,
  file: BillFile,
  table: BillTable,
  needed: readonly ReadColumn[],
  faults: readonly Fault[],
): Promise<OpenBill> {
  const found = findColumns(table.names, needed);
  refuse(file, [...found.faults, ...typeFaults(table, found.columns, "Tags"), ...faults]);
  const expressions = new Map<string, string>(
    [...found.columns].map(([column, name]) => [column, table.text(name)]),
  );
  const select = selectText(READ_COLUMNS, expressions);
  await database.run(`create view bill as ${select} from ${table.strict}`);
  await database.run(`create view bill_lenient as ${select} from ${table.lenient}`);
  return {
    kind: found.kind,
    unknownColumns: found.unknown,
    floatingColumns: floatingColumns(table, found.columns),
  };
}

/**
 * Finds out what `file` is and opens it as the view `bill`: the columns that the report reads, by their names in FOCUS.
 *
 * @throws {InputError} when it is no bill that is known here or lacks columns, with all of them
 */
export async function openBill(
  database: BillDatabase,
  file: BillFile,
  needed: readonly ReadColumn[],
): Promise<OpenBill> {
  await database.run(readSql("duckdb-prelude.sql"));
  const table = file.format === "parquet" ? await parquetTable(database, file) : await csvTable(file);
  const faults = file.format === "parquet" ? [] : await lastLineFaults(file);
  const cur = findCurColumns(table.names);
  return cur === undefined
    ? await openFocus(database, file, table, needed, faults)
    : await openCur(database, file, table, cur, faults);
}
