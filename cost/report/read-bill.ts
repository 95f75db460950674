import { open } from "node:fs/promises";
import * as z from "zod";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { type BillDatabase, readSql, sqlName, sqlText } from "./bill-database.ts";
import { type Bill, type BillFile, inFile, nameInBill } from "./bill-file.ts";
import { CUR_COLUMNS, findCurColumns } from "./cur-columns.ts";
import {
  type BillKind,
  findColumns,
  type ListColumn,
  READ_COLUMNS,
  type ReadColumn,
} from "./focus-columns.ts";

/** A header longer than this is none. */
const HEADER_LIMIT_BYTES = 1024 * 1024;

/** What was found out about a bill by its header. */
export interface OpenBill {
  readonly kind: BillKind;
  readonly unknownColumns: readonly string[];
  /** Amounts that the file holds as binary floating point. */
  readonly floatingColumns: readonly string[];
  /** Of each file, in their order. */
  readonly layouts: readonly FileLayout[];
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
    const faults = names.flatMap((name, index): Fault[] => {
      const at = `line 1, column ${index + 1}`;
      if (name === "") return [{ path: at, message: "has no name" }];
      return name.includes("\0") ? [{ path: at, message: "its name holds the character NUL" }] : [];
    });
    if (faults.length > 0) throw new InputError(file.source, faults);
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

/** A relation that a bill's SQL reads by its name. */
interface BillRelation {
  readonly name: "cur" | "bill" | "pod_line";
  readonly sql: string;
}

/**
 * The relations of a bill, each after those that it reads: `bill`; before it, for a Cost and Usage Report, its lines as
 * `cur`; and of `bill` the lines of pods.
 */
export function relationsOf(standard: BillKind["standard"], lines: string): readonly BillRelation[] {
  const bill: readonly BillRelation[] =
    standard === "CUR"
      ? [
          { name: "cur", sql: lines },
          { name: "bill", sql: readSql("cur-as-focus.sql") },
        ]
      : [{ name: "bill", sql: lines }];
  return [...bill, { name: "pod_line", sql: readSql("pod-lines.sql") }];
}

/** A bill's container: what it has, how a column of it reads as the text that a CSV file would hold, and from where. */
export interface BillTable {
  readonly names: readonly string[];
  readonly text: (name: string) => string;
  /** DuckDB's type of a column; undefined in text, where every value has to be looked at. */
  readonly type: (name: string) => string | undefined;
  /** What the type of a column leaves unreadable. */
  readonly typeFault: (name: string, mayBeMap: boolean) => Fault | undefined;
  readonly isFloating: (name: string) => boolean;
  /** What stands after FROM. */
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

/** A folder's name is no column of the bill, though DuckDB would read one out of `BILLING_PERIOD=2026-07/`. */
function parquetSql(paths: readonly string[]): string {
  return `read_parquet([${paths.join(", ")}], hive_partitioning = false)`;
}

async function parquetTable(database: BillDatabase, file: BillFile): Promise<BillTable> {
  const from = parquetSql([sqlText(file.readablePath)]);
  const described = parquetColumnsSchema.parse(await database.rows(`describe select * from ${from}`));
  const types = new Map(described.map((column) => [column.column_name, column.column_type]));
  return {
    names: [...types.keys()],
    text: (name) => parquetText(name, types.get(name) ?? ""),
    type: (name) => types.get(name) ?? "",
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
    type: () => undefined,
    typeFault: () => undefined,
    isFloating: () => false,
    strict: `${call})`,
    lenient: `${call}, store_rejects = true)`,
  };
}

/** '' and the text NULL stand for "no value", as exports write it. */
export function textOrNull(expression: string): string {
  return `nullif(nullif(trim(${expression}), ''), 'NULL')`;
}

/** `select` of columns by their names in the report, all text, "no value" as NULL. */
function selectText(columns: readonly string[], expressions: ReadonlyMap<string, string>): string {
  const selected = columns.map((column) => {
    const expression = expressions.get(column);
    return `${expression === undefined ? "cast(null as varchar)" : textOrNull(expression)} as ${column}`;
  });
  const start =
    expressions.get("ChargePeriodStart") ?? expressions.get("line_item_usage_start_date") ?? "null";
  return `select ${selected.join(", ")}, 1 as x_Lines, ${textOrNull(start)} as x_LastStart, cast(null as varchar) as x_StandsFor`;
}

function typeFaults(table: BillTable, columns: ReadonlyMap<string, string>, tags: string): Fault[] {
  return [...columns].flatMap(([column, name]) => table.typeFault(name, column === tags) ?? []);
}

/** A map of tags that have a column each, without those that a line does not have. */
function tagMapOfColumns(table: BillTable, tagColumns: ReadonlyMap<string, string>): string {
  const entries = [...tagColumns].map(
    ([key, name]) => `{'k': ${sqlText(key)}, 'v': ${textOrNull(table.text(name))}}`,
  );
  return `map_from_entries(list_filter([${entries.join(", ")}], lambda tag: tag.v is not null))`;
}

/** What a file's header says: what it is, how its columns read under the names of their standard, what is wrong. */
export interface FileLayout extends Omit<OpenBill, "layouts"> {
  /** Where the file has each column. */
  readonly columns: ReadonlyMap<string, string>;
  /** A line's tags as a map, where each tag has a column of its own. */
  readonly tagMap: string | undefined;
  readonly select: string;
  readonly table: BillTable;
  readonly faults: readonly Fault[];
}

export function layoutOf(
  table: BillTable,
  needed: readonly ReadColumn[],
  listColumn?: ListColumn,
): FileLayout {
  const cur = findCurColumns(table.names);
  const found = cur ?? findColumns(table.names, needed, listColumn);
  const tags = cur === undefined ? "Tags" : "resource_tags";
  const expressions = new Map<string, string>(
    [...found.columns].map(([column, name]) => [column, table.text(name)]),
  );
  const tagMap =
    cur === undefined || cur.tagColumns.size === 0 ? undefined : tagMapOfColumns(table, cur.tagColumns);
  if (tagMap !== undefined) expressions.set(tags, `cast(to_json(${tagMap}) as varchar)`);
  return {
    kind: found.kind,
    columns: found.columns,
    tagMap,
    unknownColumns: "unknown" in found ? found.unknown : [],
    floatingColumns: [...found.columns.values()].filter((name) => table.isFloating(name)),
    select: selectText(cur === undefined ? READ_COLUMNS : CUR_COLUMNS, expressions),
    table,
    faults: [...found.faults, ...typeFaults(table, found.columns, tags)],
  };
}

async function readLayout(
  database: BillDatabase,
  file: BillFile,
  needed: readonly ReadColumn[],
  listColumn: ListColumn | undefined,
): Promise<FileLayout> {
  if (file.format === "parquet") return layoutOf(await parquetTable(database, file), needed, listColumn);
  const layout = layoutOf(await csvTable(file), needed, listColumn);
  return { ...layout, faults: [...layout.faults, ...(await lastLineFaults(file))] };
}

/** Several files make one bill only when they are of one kind. */
function kindFaults(bill: Bill, layouts: readonly FileLayout[]): Fault[] {
  const standards = new Set(layouts.map((layout) => layout.kind.standard));
  if (standards.size < 2) return [];
  return bill.files.map((file, index) => {
    const { standard = "", version = "" } = layouts[index]?.kind ?? {};
    return { path: nameInBill(bill, file), message: `is ${standard} ${version}: a bill is of one kind` };
  });
}

function joined(layouts: readonly FileLayout[]): OpenBill | undefined {
  const newest = layouts.map((layout) => layout.kind).toSorted((a, b) => (a.version < b.version ? 1 : -1))[0];
  if (newest === undefined) return undefined;
  return {
    kind: newest,
    unknownColumns: [...new Set(layouts.flatMap((layout) => layout.unknownColumns))],
    floatingColumns: [...new Set(layouts.flatMap((layout) => layout.floatingColumns))],
    layouts,
  };
}

/** The lines of all files. Parquet files of the same columns are one table: a plan of many is large and slow to make. */
function linesOfFiles(bill: Bill, layouts: readonly FileLayout[]): string {
  const files = layouts.map((layout, index) => ({ layout, file: bill.files[index] }));
  const alike = Map.groupBy(files, ({ layout: { select, columns, table }, file }) =>
    JSON.stringify([
      select,
      [...columns.values()].map(table.type),
      file?.format === "parquet" || file?.source,
    ]),
  );
  return [...alike.values()]
    .map((same) => {
      const [first] = same;
      const paths = same.flatMap(({ file }) => (file === undefined ? [] : [sqlText(file.readablePath)]));
      const from = same.length === 1 ? first?.layout.table.strict : parquetSql(paths);
      return `${first?.layout.select} from ${from}`;
    })
    .join(" union all ");
}

/**
 * Finds out what a bill is and opens it as the view `bill`: the columns that the report reads, by their names in FOCUS.
 * The view `lenient_0` and its siblings have the columns of each file, before they mean anything.
 *
 * @throws {InputError} when it is no bill that is known here or lacks columns, with all of them
 */
export async function openBill(
  database: BillDatabase,
  bill: Bill,
  needed: readonly ReadColumn[],
  listColumn?: ListColumn,
): Promise<OpenBill> {
  await database.run(readSql("duckdb-prelude.sql"));
  const layouts: FileLayout[] = [];
  const faults: Fault[] = [];
  for (const file of bill.files) {
    const layout = await readLayout(database, file, needed, listColumn);
    layouts.push(layout);
    faults.push(...layout.faults.map((fault) => inFile(bill, file, fault)));
  }
  faults.push(...kindFaults(bill, layouts));
  const opened = joined(layouts);
  if (faults.length > 0 || opened === undefined) throw new InputError(bill.source, faults);
  for (const [index, { select, table }] of layouts.entries()) {
    await database.run(`create view lenient_${index} as ${select} from ${table.lenient}`);
  }
  const files = linesOfFiles(bill, layouts);
  for (const { name, sql } of relationsOf(opened.kind.standard, files)) {
    await database.run(`create view ${name} as ${sql}`);
  }
  return opened;
}
