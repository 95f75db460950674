import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { InputError } from "../../host-tuning/errors.ts";
import type { Bill } from "./bill-file.ts";

/** One row of an answer, as DuckDB's JSON form gives it: decimals and big integers are text. */
export type Row = Readonly<Record<string, unknown>>;

/** What answers queries on a bill: all that a report reads once the bill is open. */
export interface BillQueries {
  rows(sql: string): Promise<readonly Row[]>;
}

/** DuckDB in this process, open on one bill and on nothing else. */
export interface BillDatabase extends BillQueries {
  run(sql: string): Promise<void>;
}

/** A text of `sql/`, beside this file. */
export function readSql(name: string): string {
  return readFileSync(new URL(`./sql/${name}`, import.meta.url), "utf8");
}

/** SQL ends at the character NUL, for DuckDB as for all that is written in C. */
function withoutNul(text: string): string {
  if (!text.includes("\0")) return text;
  throw new InputError("a bill or a file beside it", [
    { path: JSON.stringify(text), message: "holds the character NUL, which no text of a bill has" },
  ]);
}

/**
 * A string literal that any SQL dialect reads back as `text`.
 *
 * @throws {InputError} when it holds the character NUL
 */
export function sqlText(text: string): string {
  return `'${withoutNul(text).replaceAll("'", "''")}'`;
}

/**
 * A quoted name that any SQL dialect reads back as `name`.
 *
 * @throws {InputError} when it holds the character NUL
 */
export function sqlName(name: string): string {
  return `"${withoutNul(name).replaceAll('"', '""')}"`;
}

/** How a bill is opened. */
export interface DatabaseSettings {
  /** DuckDB's own choice when undefined. */
  readonly threads?: number | undefined;
  /** Whether lines are told apart by their resources or hours, of which a large bill has millions. */
  readonly isDetailed?: boolean | undefined;
}

/** What DuckDB may take so that a whole report by owners and days stays below 512 MiB. */
const OWNERS_MEGABYTES = 320;
/** And where it has to hold such details: half of the machine, which has other work, and never more than this. */
const MOST_MEGABYTES = 4096;

/** Caps what DuckDB takes; beyond it DuckDB spills what it can to the bill's scratch folder. */
function memoryLimitMegabytes({ isDetailed }: DatabaseSettings): number {
  if (isDetailed !== true) return OWNERS_MEGABYTES;
  // 0 where nothing constrains this process, as a container's limit does.
  const bytes = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  return Math.max(OWNERS_MEGABYTES, Math.min(MOST_MEGABYTES, Math.floor(bytes / 2 / 1e6)));
}

async function openLocked(bill: Bill, settings: DatabaseSettings): Promise<DuckDBInstance> {
  const { threads } = settings;
  return await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
    memory_limit: `${memoryLimitMegabytes(settings)}MB`,
    temp_directory: bill.scratch,
    ...(threads === undefined ? {} : { threads: String(threads) }),
  });
}

/** A bill can name files in no way: after this nothing but the bill can be read, and nothing can be loosened again. */
async function lock(connection: DuckDBConnection, bill: Bill): Promise<void> {
  await connection.run("SET TimeZone = 'UTC'");
  const paths = bill.files.map((file) => sqlText(file.readablePath));
  await connection.run(`SET allowed_paths = [${paths.join(", ")}]`);
  await connection.run("SET enable_external_access = false");
  await connection.run("SET lock_configuration = true");
}

/** Errors in our SQL rather than in the bill. */
const OUR_FAULT = /^(?:Binder|Parser|Catalog|INTERNAL) Error/i;

const OUT_OF_MEMORY = /^Out of Memory Error/i;

/** What DuckDB says of a CSV file some of whose lines end with \r\n and others with \n. */
const MIXED_LINE_ENDS = /CSV Parser state machine reached an invalid state/i;

/** The first line of what DuckDB says; the rest quotes its own options. */
function firstLine(error: unknown): string {
  return error instanceof Error ? (error.message.split("\n")[0] ?? error.message) : String(error);
}

/** Opens DuckDB on `bill` for `use`. What DuckDB refuses about its files is an InputError. */
export async function withBillDatabase<T>(
  bill: Bill,
  settings: DatabaseSettings,
  use: (database: BillDatabase) => Promise<T>,
): Promise<T> {
  const instance = await openLocked(bill, settings);
  try {
    const connection = await instance.connect();
    await lock(connection, bill);
    const refuse = (cause: unknown): never => {
      if (OUR_FAULT.test(firstLine(cause))) throw cause;
      if (MIXED_LINE_ENDS.test(firstLine(cause))) {
        const message = String.raw`some lines end with \r\n and others with \n: write all with one of them`;
        throw new InputError(bill.source, [{ path: "", message }], { cause });
      }
      const message = OUT_OF_MEMORY.test(firstLine(cause))
        ? `has too many lines that are told apart for ${memoryLimitMegabytes(settings)} MB of memory: ask for one --month, or without days or resources (--resources 0 with --format html)`
        : `Cannot read: ${firstLine(cause)}`;
      throw new InputError(bill.source, [{ path: "", message }], { cause });
    };
    return await use({
      run: async (sql) => {
        await connection.run(sql).catch(refuse);
      },
      rows: async (sql) => {
        const reader = await connection.runAndReadAll(sql).catch(refuse);
        return reader.getRowObjectsJson();
      },
    });
  } finally {
    instance.closeSync();
  }
}
