import * as z from "zod";
import { type BillDatabase, sqlText } from "./bill-database.ts";
import type { Bill } from "./bill-file.ts";
import { type BillShape, countFaults, shapeOf } from "./check-bill.ts";
import type { Grouping } from "./condense-amounts.ts";
import { nodesSql, ownTagsSql, parentLinesSql, severalTagsSql, taggedNodesSql } from "./condense-nodes.ts";
import { columnOf, isSplitGroup, linesWithTags, typedColumns } from "./condense-roles.ts";
import { type CondenseNeeds, type CondenseSource, groupsSql, tagKeysSql } from "./condense-sql.ts";
import { condensedSql } from "./condensed-lines.ts";
import type { FileLayout } from "./read-bill.ts";
import { foldTagKey } from "./tag-spelling.ts";

const spellingSchema = z.array(z.object({ spelling: z.string() }));

/** Spellings of the asked tag keys among those of the lines that were looked at. */
async function readSpellings(database: BillDatabase, needs: CondenseNeeds): Promise<readonly string[]> {
  const asked = new Set(needs.tagKeys.map(foldTagKey));
  const found = spellingSchema.parse(
    await database.rows("select distinct unnest(keys) as spelling from tag_key_set order by spelling"),
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

/** Makes a table of groups: one pass over the files, and another over the lines that are not plain. */
async function makeGroups(
  database: BillDatabase,
  source: CondenseSource,
  grouping: Grouping,
  lines: number,
): Promise<void> {
  const table = grouping === "lines" ? "line_group" : "pod_group";
  await database.run(`create or replace temp table ${table} as ${groupsSql(source, grouping, "plain")}`);
  const each = grouping === "lines" ? "not of_node" : "of_node";
  const plain = await readCount(
    database,
    `select coalesce(sum(x_Lines), 0) as count from ${table} where ${each}`,
  );
  if (plain < lines) await database.run(`insert into ${table} ${groupsSql(source, grouping, "other")}`);
}

/** The same with every spelling of the asked tag keys; those that are known before are looked for first. */
async function groupLinesByTags(
  database: BillDatabase,
  source: Omit<CondenseSource, "spellings">,
  lines: number,
): Promise<CondenseSource> {
  const { from, columns, needs } = source;
  const tags = columnOf("tags", columns)?.source;
  if (tags === undefined) {
    const untagged = { ...source, spellings: [] };
    await makeGroups(database, untagged, "lines", lines);
    return untagged;
  }
  const keySets = (tagged: string): string =>
    `select ${tagKeysSql(tags)} as tag_keys, any_value(map_keys(${tags})) as keys from ${tagged} group by all`;
  await database.run(
    `create temp table tag_key_set as ${keySets(`(select ${tags} from ${from} limit ${SAMPLE_LINES})`)}`,
  );
  const first = { ...source, spellings: await readSpellings(database, needs) };
  await makeGroups(database, first, "lines", lines);
  const later = "select tag_keys from line_group where tag_keys not in (select tag_keys from tag_key_set)";
  if ((await readCount(database, `select count(*) as count from (${later})`)) > 0) {
    await database.run(
      `insert into tag_key_set ${keySets(`${from} where ${tagKeysSql(tags)} in (${later})`)}`,
    );
  }
  const spellings = await readSpellings(database, needs);
  if (spellings.length === first.spellings.length) return first;
  const all = { ...source, spellings };
  await makeGroups(database, all, "lines", lines);
  return all;
}

async function replaceView(database: BillDatabase, name: string, sql: string): Promise<void> {
  await database.run(`drop view ${name}`);
  await database.run(`create temp view ${name} as ${sql}`);
}

/** The lines of pods by the node that they ran on: few, where their tags are left out. */
async function makePodGroups(database: BillDatabase, source: CondenseSource): Promise<void> {
  const isPod = `not of_node and ${isSplitGroup(source.columns)}`;
  if (source.needs.podNodes) {
    await database.run(
      `create temp table pod_group as
       select line_group.* exclude (of_node), pod_node as node, stand_in, true as of_node
       from line_group left join node on pod_node = node_resource where ${isPod}`,
    );
    return;
  }
  const pods = await readCount(
    database,
    `select coalesce(sum(x_Lines), 0) as count from line_group where ${isPod}`,
  );
  await makeGroups(database, source, "pods", pods);
}

/** Puts each node's tags beside it. */
async function tagNodes(database: BillDatabase, source: CondenseSource): Promise<void> {
  if (columnOf("tags", source.columns) !== undefined) {
    await database.run(`create temp table own_tag as ${ownTagsSql(source)}`);
    const several = await readCount(database, "select count_if(has_several) as count from own_tag");
    if (several > 0) {
      await database.run(`insert into own_tag ${severalTagsSql(source)}`);
      await database.run("delete from own_tag where has_several");
    }
  }
  await database.run(`create or replace temp table node as ${taggedNodesSql(source)}`);
}

/** Puts what was condensed in the place of a Cost and Usage Report's lines, of its pods' and of their nodes. */
async function replaceCur(database: BillDatabase, source: CondenseSource): Promise<void> {
  await tagNodes(database, source);
  await makePodGroups(database, source);
  // Each node's own sums are asked for once, of no day; after that, nodes whose tags are alike are one.
  const ofMonths = { ...source, needs: { ...source.needs, days: false } };
  await replaceView(database, "cur", condensedSql(ofMonths, "pods", { eachNode: true, standsFor: "line" }));
  await database.run("create temp table pod_line_by_node as from pod_line");
  await replaceView(database, "pod_line", "from pod_line_by_node");
  const pods = condensedSql(source, "pods", {
    eachNode: source.needs.resources || source.needs.items.length > 0,
    standsFor: "pod",
  });
  await replaceView(
    database,
    "cur",
    `from condensed union all by name ${pods} union all by name ${parentLinesSql(source)}`,
  );
  await database.run("create temp table bill_of_alike as from bill");
  await replaceView(database, "bill", "from bill_of_alike");
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
  const files = parquetSql(bill.files.map((file) => file.readablePath));
  const all = { from: linesWithTags(files, first), columns, needs };
  const nodes = nodesSql(all);
  if (nodes !== undefined) await database.run(`create temp table node as ${nodes}`);
  const source = await groupLinesByTags(database, all, lines);
  await database.run(
    `create temp table condensed as ${condensedSql(source, "lines", { eachNode: true, standsFor: "line" })}`,
  );
  const odd = await readCount(
    database,
    "select coalesce(sum(odd_lines), 0) as count from line_group where not of_node",
  );
  if (odd > 0 || (await countFaults(database, standard, "condensed")) > 0) return undefined;
  if (nodes !== undefined) await replaceCur(database, source);
  else {
    await replaceView(database, standard === "CUR" ? "cur" : "bill", "from condensed");
  }
  return await shapeOf(database, bill, rowsOfFiles);
}
