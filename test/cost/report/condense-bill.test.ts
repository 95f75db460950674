import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, describe, expect, it } from "vitest";
import { allocationRulesSchema } from "../../../cost/allocation/allocation-rules.ts";
import { UsageCollector } from "../../../cost/allocation/kubernetes-usage.ts";
import { generateMonth } from "../../../cost/generate/generate-month.ts";
import type { MonthKind } from "../../../cost/generate/month-kinds.ts";
import { ownersFileSchema } from "../../../cost/owners/owners-file.ts";
import { buildCostReport, type CostReportArgs } from "../../../cost/report/build-cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";

const folder = mkdtempSync(path.join(tmpdir(), "bedplate-condense-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FILE = { name: "file.yaml", sha256: "0".repeat(64) };
const VERSION = { apiVersion: "bedplate/v1" };

const HOUR = Date.parse("2026-02-02T00:00:00Z") / 1000;

/** Two teams' pods on one of the generated instances, all month. */
function podsOf(item: string) {
  const use = new UsageCollector();
  for (let hour = 0; hour < 24; hour += 1) {
    const at = HOUR + hour * 3600;
    use.addCapacity(item, "cpu", at, 4);
    for (const team of ["search", "payments"])
      use.addPod(item, "cpu", at, { pod: `ns/${team}`, labels: { team }, requestSeconds: 1 });
  }
  return { items: use.items(), notes: [] };
}

/** Everything that a report can ask of single lines. */
const ASKED: Readonly<Record<string, Partial<CostReportArgs>>> = {
  nothing: {},
  month: { month: "2026-02" },
  region: { key: reportKey("region", undefined) },
  days: { isDaily: true },
  resources: { resources: 3, isDaily: true },
  rules: {
    rules: {
      ...FILE,
      data: allocationRulesSchema.parse({
        ...VERSION,
        kind: "AllocationRules",
        idle: { nodes: "kept", reservations: "kept" },
        rules: [
          { name: "tax", cost: { reasons: ["tax"] }, split: { by: "even", among: ["search", "payments"] } },
          { name: "lab", cost: { tags: { Team: ["search"] }, regions: ["us-east-1"] } },
        ],
      }),
    },
  },
};

function ownersOf(account: string): Partial<CostReportArgs> {
  const data = ownersFileSchema.parse({
    ...VERSION,
    kind: "CostOwners",
    teams: [
      {
        team: "search",
        costCenters: [
          { costCenter: "1", until: "2026-02-11" },
          { costCenter: "2", from: "2026-02-11" },
        ],
      },
      { team: "payments", costCenters: [{ costCenter: "3" }] },
    ],
    accounts: [{ account, teams: [{ team: "payments" }] }],
  });
  return { key: reportKey("cost-center", undefined), owners: { ...FILE, data } };
}

/** An instance that is charged on the day that `podsOf` tells of, and that the bill itself has not split. */
async function unsplitInstance(bill: string, kind: MonthKind): Promise<string> {
  const duckdb = await DuckDBInstance.create(":memory:");
  try {
    const [resource, start, others] = {
      cur2: ["line_item_resource_id", "line_item_usage_start_date", "split_line_item_parent_resource_id"],
      legacy: ['"lineItem/ResourceId"', '"lineItem/UsageStartDate"', '"splitLineItem/ParentResourceId"'],
    }[kind as string] ?? ["ResourceId", "ChargePeriodStart", "null"];
    const reader = await (
      await duckdb.connect()
    ).runAndReadAll(
      `with line as (select ${resource} as id, ${others} as parent, ${start} as start from '${bill}/**/*.parquet')
       select regexp_extract(id, 'i-[0-9a-f]+$') as item from line
       where regexp_matches(id, '(^|/)i-[0-9a-f]+$') and cast(start as date) = date '2026-02-02'
         and id not in (select parent from line where parent is not null)
       order by item limit 1`,
    );
    const item = reader.getRowObjectsJson()[0]?.["item"];
    if (typeof item !== "string") throw new Error("no instance is charged on its own that day");
    return item;
  } finally {
    duckdb.closeSync();
  }
}

async function reportOf(input: string, asked: Partial<CostReportArgs>) {
  const { source, ...report } = await buildCostReport({
    input,
    key: reportKey("team", undefined),
    ...asked,
  });
  return { lines: source.lines, ...report, notes: report.notes.filter((note) => !note.includes("floating")) };
}

describe("condenseBill()", () => {
  it.each(["cur2", "legacy", "focus-1.0", "focus-1.3"] as const)(
    "leaves every number and note of a report on %s as it is line by line",
    async (kind) => {
      const month = { kind, rows: 3000, seed: 11, month: "2026-02", deliveries: 1 } as const;
      const typed = path.join(folder, `${kind}-parquet`);
      const text = path.join(folder, `${kind}-csv`);
      await generateMonth({ ...month, format: "parquet", out: typed });
      await generateMonth({ ...month, format: "csv", out: text });
      const { currencies } = await buildCostReport({ input: typed, key: reportKey("account", undefined) });
      const account = currencies[0]?.rows.find(({ owner }) => owner !== null)?.owner ?? "";
      const item = await unsplitInstance(typed, kind);
      const byPods = await reportOf(typed, { kubernetes: podsOf(item) });
      expect(byPods.currencies[0]?.nodes.map(({ node }) => node)).toContain(item);
      for (const asked of [...Object.values(ASKED), ownersOf(account), { kubernetes: podsOf(item) }]) {
        expect(await reportOf(typed, asked)).toEqual(await reportOf(text, asked));
      }
    },
  );

  it("adds amounts of more digits, late charges and untidy text to what it is line by line", async () => {
    const out = path.join(folder, "odd");
    const month = { kind: "cur2", rows: 3000, seed: 12, month: "2026-02", deliveries: 1 } as const;
    await generateMonth({ ...month, format: "parquet", out });
    const typed = path.join(folder, "odd-typed.parquet");
    const text = path.join(folder, "odd-text.parquet");
    const duckdb = await DuckDBInstance.create(":memory:");
    try {
      const connection = await duckdb.connect();
      // A node's too: the lines that its pods' idle part has its tags of are no longer alike.
      const retagged = `map_from_entries(list_transform(map_entries(resource_tags), lambda tag: {'k': tag.key, 'v':
        case when tag.key = 'user_team' then ['', 'NULL', ' search '][1 + number % 3] else tag.value end}))`;
      // Support is shared where it is of no resource.
      const isOdd =
        "number % 13 = 0 and not coalesce(regexp_matches(line_item_resource_id, 'i-[0-9a-f]+$'), false)";
      const resource =
        "[' NULL ', 'NULL', '', 'NULLABLE', '\u3000', '\u3000a', '~a', ' a', null][1 + (number // 13) % 9]";
      await connection.run(
        `create table line as select * replace (
           case when number % 7 = 0 and abs(line_item_unblended_cost) < 100
             then (line_item_unblended_cost * 1e13 + 123) / 1e13 else line_item_unblended_cost end as line_item_unblended_cost,
           case when number % 5 = 0 then line_item_usage_start_date - interval 40 day else line_item_usage_start_date end as line_item_usage_start_date,
           case when number % 3 = 0 then ' ' || line_item_line_item_type || ' ' else line_item_line_item_type end as line_item_line_item_type,
           case when number % 4 = 0 then ' ' || line_item_operation || ' ' else line_item_operation end as line_item_operation,
           case when ${isOdd} then ${resource} else line_item_resource_id end as line_item_resource_id,
           case when ${isOdd} then 'AWS Support' else product_product_name end as product_product_name,
           case when number % 17 = 0 then ' Refund for one-time fee for Savings Plan ID 1' else line_item_line_item_description end as line_item_line_item_description,
           case when number % 11 = 0 then ${retagged} when ${isOdd} and number % 2 = 0 then map {} else resource_tags end as resource_tags
         ) from (select *, row_number() over () as number from '${out}/**/*.parquet')`,
      );
      await connection.run(`copy (from line) to '${typed}' (format parquet)`);
      // Read line by line: an amount that is text has to be looked at.
      const asText =
        "cast(cast(cast(line_item_unblended_cost as varchar) as decimal(38, 15)) as varchar) as line_item_unblended_cost";
      await connection.run(`copy (select * replace (${asText}) from line) to '${text}' (format parquet)`);
    } finally {
      duckdb.closeSync();
    }
    for (const asked of [{}, { isDaily: true }, { resources: 5 }, ASKED["rules"] ?? {}]) {
      expect(await reportOf(typed, asked)).toEqual(await reportOf(text, asked));
    }
  });

  it("finds a spelling of the tag that no line has but one far back", async () => {
    const out = path.join(folder, "late-spelling");
    const month = { kind: "cur2", rows: 21_000, seed: 13, month: "2026-02", deliveries: 1 } as const;
    await generateMonth({ ...month, format: "parquet", out });
    const bill = path.join(folder, "late-spelling.parquet");
    const duckdb = await DuckDBInstance.create(":memory:");
    try {
      const connection = await duckdb.connect();
      const tags =
        "case when row_number() over () = 20500 then map {'aws:x': '1', 'user_TEAM': 'late'} else resource_tags end";
      await connection.run(
        `copy (select * replace (${tags} as resource_tags) from '${out}/**/*.parquet') to '${bill}' (format parquet)`,
      );
    } finally {
      duckdb.closeSync();
    }
    const { currencies } = await reportOf(bill, {});
    expect(currencies[0]?.rows.filter(({ owner }) => owner === "late").map(({ lines }) => lines)).toEqual([
      1,
    ]);
  });
});
