import { writeFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";
import { sqlText } from "../../cost/report/bill-database.ts";

/**
 * The least that a report by team and day has to do, and nothing of what makes it one: DuckDB's own sum of the columns
 * that amortized cost is made of, as the doubles they are, under the report's limit of memory. Writes the sum of what
 * was billed. Arguments: the bill's folder and the file to write.
 */
const [folder = "", out = ""] = process.argv.slice(2);

const AMOUNTS = [
  "line_item_unblended_cost",
  "pricing_public_on_demand_cost",
  "reservation_effective_cost",
  "reservation_unused_amortized_upfront_fee_for_billing_period",
  "reservation_unused_recurring_fee",
  "savings_plan_savings_plan_effective_cost",
  "savings_plan_total_commitment_to_date",
  "savings_plan_used_commitment",
  "split_line_item_split_cost",
  "split_line_item_unused_cost",
];

const instance = await DuckDBInstance.create(":memory:", { memory_limit: "512MB" });
const connection = await instance.connect();
const reader = await connection.runAndReadAll(`
  select sum(billed) from (
    select map_extract_value(resource_tags, 'user_team') as team, cast(line_item_usage_start_date as date) as day,
      line_item_line_item_type, ${AMOUNTS.map((name, index) => `sum(${name}) as ${index === 0 ? "billed" : `amount_${index}`}`).join(", ")}
    from read_parquet(${sqlText(`${folder}/**/*.parquet`)}, hive_partitioning = false)
    group by all
  )`);
writeFileSync(out, String(reader.getRows()[0]?.[0]));
instance.closeSync();
