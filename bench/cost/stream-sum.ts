import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import * as z from "zod";
import { AMOUNTS } from "./amounts.ts";

/**
 * The sums of `bare-sum.ts` over `amounts` by a streaming JavaScript reader: a row group at a time, so that no more than
 * one is in memory. Arguments: the bill's folder and the file to write.
 */
const [folder = "", out = ""] = process.argv.slice(2);

const rowSchema = z.object({
  line_item_line_item_type: z.string(),
  line_item_usage_start_date: z.date(),
  resource_tags: z.record(z.string(), z.string()).nullish(),
});

const sums = new Map<string, number[]>();
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".parquet"))
  .map((entry) => path.join(entry.parentPath, entry.name));
let isChecked = false;
for (const name of files) {
  const file = await asyncBufferFromFile(name);
  const metadata = await parquetMetadataAsync(file);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await parquetReadObjects({
      file,
      metadata,
      rowStart,
      rowEnd,
      columns: ["line_item_line_item_type", "line_item_usage_start_date", "resource_tags", ...AMOUNTS],
    });
    // A row's shape is the file's: the first is looked at, and the sum is compared with the others' in the end.
    if (!isChecked) rowSchema.parse(rows[0]);
    isChecked = true;
    for (const row of rows) {
      const day = (row["line_item_usage_start_date"] as Date).toISOString().slice(0, 10);
      const tags = row["resource_tags"] as Readonly<Record<string, string>> | null;
      const key = `${tags?.["user_team"]}|${day}|${row["line_item_line_item_type"]}`;
      let group = sums.get(key);
      if (group === undefined) sums.set(key, (group = AMOUNTS.map(() => 0)));
      for (const [index, amount] of AMOUNTS.entries())
        group[index] = (group[index] ?? 0) + ((row[amount] as number | null) ?? 0);
    }
    rowStart = rowEnd;
  }
}
writeFileSync(out, String([...sums.values()].reduce((sum, group) => sum + (group[0] ?? 0), 0)));
