import * as z from "zod";
import { type BillQueries, type Row, sqlName, sqlText } from "../../cost/report/bill-database.ts";
import type { ReadColumn } from "../../cost/report/focus-columns.ts";
import { type BillRelation, type BillTable, layoutOf, relationsOf } from "../../cost/report/read-bill.ts";

const pageSchema = z.object({
  nextUri: z.string().optional(),
  columns: z.array(z.object({ name: z.string() })).optional(),
  data: z.array(z.array(z.unknown())).optional(),
  error: z.object({ message: z.string(), errorName: z.string() }).optional(),
});

/** A page is waited for no longer; Trino itself answers within seconds, with or without rows. */
const PAGE_TIMEOUT_MILLIS = 120_000;

/** A table of a Trino server. */
export interface TrinoTable {
  /** `host:port` of its client protocol. */
  readonly host: string;
  readonly catalog: string;
  readonly schema: string;
  readonly table: string;
}

/**
 * Runs one statement by Trino's client protocol (https://trino.io/docs/current/develop/client-protocol.html).
 *
 * @throws when the server refuses or fails, with what it says
 */
export async function queryTrino(host: string, sql: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let request: { url: string; body?: string } = { url: `http://${host}/v1/statement`, body: sql };
  while (true) {
    const response = await fetch(request.url, {
      method: request.body === undefined ? "GET" : "POST",
      headers: { "X-Trino-User": "bedplate", "X-Trino-Time-Zone": "UTC" },
      signal: AbortSignal.timeout(PAGE_TIMEOUT_MILLIS),
      body: request.body ?? null,
    });
    if (!response.ok) throw new Error(`Trino: ${response.status} ${await response.text()}`);
    const page = pageSchema.parse(await response.json());
    if (page.error !== undefined) throw new Error(`Trino: ${page.error.errorName}: ${page.error.message}`);
    const names = (page.columns ?? []).map(({ name }) => name);
    for (const values of page.data ?? []) {
      rows.push(Object.fromEntries(names.map((name, index) => [name, values[index]])));
    }
    if (page.nextUri === undefined) return rows;
    request = { url: page.nextUri };
  }
}

/**
 * A double as the decimal that its shortest text is. Java 17 writes some doubles with more digits than they need, so one
 * that is a number of ten digits after the point is read as that number: below 10^15 units no other decimal of as few
 * digits is the same double.
 */
function doubleText(name: string): string {
  const units = `cast(round(${name} * 1e10) as bigint)`;
  return (
    `case when abs(${name}) < 1e5 and cast(${units} as double) / 1e10 = ${name} ` +
    `then cast(cast(${units} as decimal(19, 0)) * decimal '0.0000000001' as varchar) else cast(${name} as varchar) end`
  );
}

function columnText(name: string, type: string): string {
  const column = sqlName(name);
  if (type.startsWith("varchar")) return column;
  if (type === "double") return doubleText(column);
  if (type.startsWith("map(")) return `json_format(cast(${column} as json))`;
  return `cast(${column} as varchar)`;
}

async function readBillTable({ host, catalog, schema, table }: TrinoTable): Promise<BillTable> {
  const rows = await queryTrino(
    host,
    `select column_name, data_type from ${sqlName(catalog)}.information_schema.columns
     where table_schema = ${sqlText(schema)} and table_name = ${sqlText(table)} order by ordinal_position`,
  );
  const columns = z.array(z.object({ column_name: z.string(), data_type: z.string() })).parse(rows);
  const types = new Map(columns.map((column) => [column.column_name, column.data_type]));
  const from = [catalog, schema, table].map(sqlName).join(".");
  return {
    names: [...types.keys()],
    text: (name) => columnText(name, types.get(name) ?? ""),
    type: () => undefined,
    typeFault: () => undefined,
    isFloating: (name) => types.get(name) === "double",
    strict: from,
    lenient: from,
  };
}

/** A query with the bill's relations before it; the query's own text stays as it is. */
function withRelations(relations: readonly BillRelation[], query: string): string {
  const named = relations.map(({ name, sql }) => `${name} as (\n${sql}\n)`).join(",\n");
  const start = /^(?:\s|--[^\n]*\n)*with\s/i.exec(query);
  return start === null ? `with ${named}\n${query}` : `with ${named},\n${query.slice(start[0].length)}`;
}

/** A bill in a table of Trino as the database that a report asks; `bill` and `cur` come before every query. */
export async function openTrinoBill(table: TrinoTable, needed: readonly ReadColumn[]): Promise<BillQueries> {
  const layout = layoutOf(await readBillTable(table), needed);
  if (layout.faults.length > 0) throw new Error(JSON.stringify(layout.faults));
  const relations = relationsOf(layout.kind.standard, `${layout.select} from ${layout.table.strict}`);
  return { rows: (sql) => queryTrino(table.host, withRelations(relations, sql)) };
}
