import { writeFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";
import { Decimal } from "decimal.js";
import * as z from "zod";
import { sqlName, sqlText } from "../../cost/report/bill-database.ts";
import { CUR_COLUMNS } from "../../cost/report/cur-columns.ts";
import { AMOUNTS } from "./amounts.ts";

/**
 * The least that a report by team and day has to do, and nothing of what makes it one: DuckDB's own sum of the columns
 * that amortized cost is made of, as the doubles they are, by team, day and type of line, under the report's limit of
 * memory. With `columns` it also reads the other columns that a report reads, for the largest of each, or the length of
 * the longest: of less, as a count of values, DuckDB reads nothing where it knows that none is missing. With `amounts` it
 * reads nothing else; with `exact` it reads those columns, adds decimals in place of doubles, and tells lines apart by
 * more of what they are. None says whose a line is, checks one, or takes a pod's cost from its instance. All that it adds
 * up is given back, as DuckDB leaves out what nobody asks for; what was billed of it is written. Arguments: the bill's
 * folder, the file to write, `columns`, `amounts` or `exact`.
 */
const [folder = "", out = "", reads = ""] = process.argv.slice(2);

const instance = await DuckDBInstance.create(":memory:", { memory_limit: "512MB" });
const connection = await instance.connect();
const from = `read_parquet(${sqlText(`${folder}/**/*.parquet`)}, hive_partitioning = false)`;
const described = await connection.runAndReadAll(`describe select * from ${from}`);
const types = new Map(
  z
    .array(z.object({ column_name: z.string(), column_type: z.string() }))
    .parse(described.getRowObjectsJson())
    .map(({ column_name: name, column_type: type }) => [name, type]),
);

/** The least that has every value of a column read. */
function largestOf(name: string): string {
  const type = types.get(name) ?? "";
  if (type === "VARCHAR") return `max(strlen(${sqlName(name)}))`;
  return type.startsWith("MAP(") ? `max(cardinality(${sqlName(name)}))` : `max(${sqlName(name)})`;
}

const others =
  reads === "amounts"
    ? []
    : CUR_COLUMNS.filter((name) => types.has(name) && !AMOUNTS.includes(name)).map(largestOf);
/** Without these a sum is of several services, commitments or currencies. */
const keys =
  reads === "exact"
    ? [
        "line_item_currency_code",
        "line_item_product_code",
        "product_product_name",
        "line_item_operation",
        "reservation_reservation_a_r_n",
        "savings_plan_savings_plan_a_r_n",
      ]
    : [];
const amountOf = (name: string): string => (reads === "exact" ? `cast(${name} as decimal(18, 10))` : name);
const reader = await connection.runAndReadAll(`
  select ${[...AMOUNTS.map((name) => `sum(${amountOf(name)}) as ${name}`), ...others].join(", ")},
    map_extract_value(resource_tags, 'user_team') as team, cast(line_item_usage_start_date as date) as day,
    line_item_line_item_type as type
  from ${from}
  group by ${["team", "day", "type", ...keys].join(", ")}`);
const [billed = ""] = AMOUNTS;
const sums = z.array(z.object({ [billed]: z.coerce.string() })).parse(reader.getRowObjectsJson());
/** Exact, in whatever order the groups come. */
const Exact = Decimal.clone({ precision: 50 });
writeFileSync(out, sums.reduce((sum, group) => sum.plus(group[billed] ?? 0), new Exact(0)).toFixed());
instance.closeSync();
