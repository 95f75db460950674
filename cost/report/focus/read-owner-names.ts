import * as z from "zod";
import type { BillDatabase } from "../bill-database.ts";
import type { OpenBill } from "../read-bill.ts";
import { type Columns, countSql, mostCommon } from "./read-payers.ts";

/** What a bill calls its accounts or regions, by their ids. */
export type OwnerNames = ReadonlyMap<string, string>;

/** Where a bill of each standard has them, by what a report is split by. */
const NAMED: Readonly<Record<string, Readonly<Record<OpenBill["kind"]["standard"], Columns>>>> = {
  account: {
    FOCUS: { id: ["SubAccountId"], name: ["SubAccountName"] },
    CUR: { id: ["line_item_usage_account_id"], name: ["line_item_usage_account_name"] },
  },
  region: {
    FOCUS: { id: ["RegionId"], name: ["RegionName"] },
    CUR: { id: ["product_region_code", "product_region"], name: ["product_location"] },
  },
};

const lineSchema = z.object({
  id: z.string().nullable(),
  name: z.string().nullable(),
  lines: z.coerce.number(),
});

/** Names of a report's owners, where they have ids: the one that most lines of each have. */
export async function readOwnerNames(
  database: BillDatabase,
  { layouts, kind }: OpenBill,
  by: string,
): Promise<OwnerNames> {
  const columns = NAMED[by]?.[kind.standard];
  if (columns === undefined) return new Map();
  const lines: z.output<typeof lineSchema>[] = [];
  for (const layout of layouts) {
    lines.push(...z.array(lineSchema).parse(await database.rows(countSql(layout, columns))));
  }
  return new Map(
    [...Map.groupBy(lines, ({ id }) => id)].flatMap(([id, same]): [string, string][] => {
      const name = mostCommon(same, (line) => line.name);
      return id === null || name === undefined ? [] : [[id, name]];
    }),
  );
}
