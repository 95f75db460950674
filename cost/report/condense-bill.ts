import * as z from "zod";
import { type BillDatabase, sqlText } from "./bill-database.ts";
import type { Bill } from "./bill-file.ts";
import { type BillShape, countFaults, shapeOf } from "./check-bill.ts";
import { typedColumns } from "./condense-roles.ts";
import {
  type CondenseNeeds,
  condensedSql,
  type CondenseSource,
  groupsSql,
  nodesSql,
  taggedNodesSql,
} from "./condense-sql.ts";
import { type FileLayout, textOrNull } from "./read-bill.ts";
import { foldTagKey } from "./tag-spelling.ts";

const spellingSchema = z.array(z.object({ spelling: z.string() }));

async function readSpellings(
  database: BillDatabase,
  keys: string,
  needs: CondenseNeeds,
): Promise<readonly string[]> {
  const asked = new Set(needs.tagKeys.map(foldTagKey));
  const found = spellingSchema.parse(
    await database.rows(`select distinct unnest(keys) as spelling from (${keys}) order by spelling`),
  );
  return found.map(({ spelling }) => spelling).filter((spelling) => asked.has(foldTagKey(spelling)));
}

/** Lines in which the spellings of a tag key are looked for first; one that is only later in the bill is found too. */
const SAMPLE_LINES = 20_000;

const countSchema = z.array(z.object({ count: z.coerce.number() })).length(1);

async function readCount(database: BillDatabase, sql: string): Promise<number> {
  const [row] = countSchema.parse(await database.rows(sql));
  return row?.count ?? 0;
}

function parquetSql(paths: readonly string[]): string {
  return `read_parquet([${paths.map(sqlText).join(", ")}], hive_partitioning = false)`;
}

/** Makes `line_group` of the bill's `lines`: one pass over the files, and another over the lines that are not plain. */
async function groupLines(database: BillDatabase, source: CondenseSource, lines: number): Promise<void> {
  await database.run(`create or replace temp table line_group as ${groupsSql(source, "plain")}`);
  const plain = await readCount(database, "select coalesce(sum(x_Lines), 0) as count from line_group");
  if (plain < lines) await database.run(`insert into line_group ${groupsSql(source, "other")}`);
}

/** The same with every spelling of the asked tag keys; those that are known before are looked for first. */
async function groupLinesByTags(
  database: BillDatabase,
  source: Omit<CondenseSource, "spellings">,
  lines: number,
): Promise<CondenseSource> {
  const { from, columns, needs } = source;
  const tags = columns.found.find(({ role }) => role.kind === "tags")?.source;
  const sample = `select map_keys(${tags ?? ""}) as keys from ${from} limit ${SAMPLE_LINES}`;
  const first = {
    ...source,
    spellings: tags === undefined ? [] : await readSpellings(database, sample, needs),
  };
  await groupLines(database, first, lines);
  if (tags === undefined) return first;
  const spellings = await readSpellings(database, "select map_keys(tags) as keys from line_group", needs);
  if (spellings.length === first.spellings.length) return first;
  const all = { ...source, spellings };
  await groupLines(database, all, lines);
  return all;
}

/** Puts what was condensed in the place of a Cost and Usage Report's lines, of its nodes' tags and of its pods' lines. */
async function replaceCur(database: BillDatabase, source: CondenseSource): Promise<void> {
  await database.run("drop view cur");
  await database.run(`create temp view cur as ${condensedSql(source, "node")}`);
  await database.run("create temp table pod_line_by_node as from pod_line");
  await database.run("drop view cur");
  await database.run("drop view pod_line");
  await database.run("create temp view pod_line as from pod_line_by_node");
  await database.run("create temp view cur as from condensed");
  await database.run("drop view parent");
  await database.run(
    `create temp view parent as select ${textOrNull("node_resource")} as resource_id, node_tags as tags from node`,
  );
}

/**
 * Makes lines that are alike in all that the report asks into one, in one pass over the files, so that everything after
 * reads thousands of lines and not the millions of the bill. The relation `cur` or `bill` is that table from then on;
 * `x_Lines` says how many lines of the files one of it is.
 *
 * Only for Parquet whose amounts, times and tags are typed; what a type cannot say is asked of the lines that are left.
 *
 * @returns undefined where the bill has to be read line by line instead: its text is not typed, or something in it is odd
 * and the detailed check has to look at every line
 */
export async function condenseBill(
  database: BillDatabase,
  bill: Bill,
  layouts: readonly FileLayout[],
  needs: CondenseNeeds,
): Promise<BillShape | undefined> {
  const columns = typedColumns(layouts);
  const [first] = layouts;
  if (columns === undefined || first === undefined) return undefined;
  const { standard } = first.kind;
  const rowsOfFiles: number[] = [];
  for (const file of bill.files) {
    rowsOfFiles.push(
      await readCount(database, `select count(*) as count from ${parquetSql([file.readablePath])}`),
    );
  }
  const lines = rowsOfFiles.reduce((sum, rows) => sum + rows, 0);
  const all = { from: parquetSql(bill.files.map((file) => file.readablePath)), columns, needs };
  const nodes = nodesSql(all);
  if (nodes !== undefined) await database.run(`create temp table node as ${nodes}`);
  const source = await groupLinesByTags(database, all, lines);
  if (nodes !== undefined)
    await database.run(`create or replace temp table node as ${taggedNodesSql(source)}`);
  await database.run(`create temp table condensed as ${condensedSql(source, "tags")}`);
  const odd = await readCount(database, "select coalesce(sum(odd_lines), 0) as count from line_group");
  if (odd > 0 || (await countFaults(database, standard, "condensed")) > 0) return undefined;
  if (nodes !== undefined) await replaceCur(database, source);
  else {
    const relation = standard === "CUR" ? "cur" : "bill";
    await database.run(`drop view ${relation}`);
    await database.run(`create temp view ${relation} as from condensed`);
  }
  return await shapeOf(database, bill, rowsOfFiles);
}
