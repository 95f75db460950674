import { describe, expect, it } from "vitest";
import { allocationRulesSchema } from "../../../cost/allocation/allocation-rules.ts";
import { buildCostReport, isBalanced } from "../../../cost/report/build-cost-report.ts";
import { type CostReport, costReportSchema, type CurrencyReport } from "../../../cost/report/cost-report.ts";
import { renderPage } from "../../../cost/report/page/render-page.ts";
import { renderCsv } from "../../../cost/report/render-csv.ts";
import { renderTable } from "../../../cost/report/render-table.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { type CurRow, curCsv, generateCurMonth } from "../report/cur-month.ts";
import { type FocusRow, focusCsv, focusRow, generateMonth } from "../report/focus-month.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

const write = scratchFolder();

async function report(text: string, rules?: object, threads?: number): Promise<CostReport> {
  const data = allocationRulesSchema.parse({ apiVersion: "bedplate/v1", kind: "AllocationRules", ...rules });
  const built = await buildCostReport({
    input: write("bill.csv", text),
    key: reportKey("team", undefined),
    rules: rules === undefined ? undefined : { name: "rules.yaml", sha256: "0".repeat(64), data },
    threads,
  });
  expect(costReportSchema.parse(built)).toEqual(built);
  expect(isBalanced(built)).toBe(true);
  return built;
}

/** Effective cost by what the row is called, where it is not 0. */
function effectiveOf(currency: CurrencyReport | undefined): Record<string, string> {
  return Object.fromEntries(
    (currency?.rows ?? [])
      .map(({ bucket, owner, because, effective }) => [owner ?? because ?? bucket, effective] as const)
      .filter(([, effective]) => effective !== "0"),
  );
}

const USAGE = {
  bill_billing_period_start_date: "2026-07-01 00:00:00",
  bill_billing_period_end_date: "2026-08-01 00:00:00",
  line_item_currency_code: "USD",
  line_item_product_code: "AmazonEC2",
  line_item_usage_start_date: "2026-07-02 00:00:00",
  line_item_usage_end_date: "2026-07-02 01:00:00",
  line_item_line_item_type: "Usage",
};

function pod(team: string, resource: string, used: string, idle: string): CurRow {
  return {
    columns: {
      ...USAGE,
      line_item_product_code: "AmazonEKS",
      line_item_operation: "EKSPod-EC2",
      line_item_usage_type: `USE1-EKS-EC2-${resource}-Hours`,
      line_item_resource_id: `arn:aws:eks:us-east-1:1:pod/c/ns/${team}/uid`,
      line_item_unblended_cost: "0",
      split_line_item_parent_resource_id: "i-1",
      split_line_item_split_cost: used,
      split_line_item_unused_cost: idle,
    },
    tags: { user_team: team },
  };
}

/** A node of 10.00 whose pods have 6.5 of it; 2 are idle, 1.5 belong to no pod. */
const NODE: readonly CurRow[] = [
  {
    columns: { ...USAGE, line_item_resource_id: "i-1", line_item_unblended_cost: "10" },
    tags: { user_team: "platform" },
  },
  pod("payments", "vCPU", "3", "1"),
  pod("payments", "GB", "1", "0.25"),
  pod("search", "vCPU", "2", "0.5"),
  pod("search", "Accelerator", "0.5", "0.25"),
];

describe("idle nodes", () => {
  it.each([
    ["spread", { payments: "5.25", search: "3.25", platform: "1.5" }],
    ["shown", { payments: "4", search: "2.5", platform: "1.5", "node-idle": "2" }],
    ["kept", { payments: "4", search: "2.5", platform: "3.5" }],
    [
      { cpu: "shown", memory: "kept" },
      { payments: "4", search: "2.75", platform: "1.75", "node-idle": "1.5" },
    ],
  ])("are %j", async (nodes, expected) => {
    const [usd] = (await report(curCsv(NODE), { idle: { nodes } })).currencies;
    expect(effectiveOf(usd)).toEqual(expected);
    expect(usd?.nodes).toEqual([
      { node: "i-1", resource: "cpu", used: "5", idle: "1.5", idlePercent: "23.1" },
      { node: "i-1", resource: "gpu", used: "0.5", idle: "0.25", idlePercent: "33.3" },
      { node: "i-1", resource: "memory", used: "1", idle: "0.25", idlePercent: "20.0" },
    ]);
  });

  it("are on their pods without rules, as AWS has them, and what a shared owner's pods bear is shared with it", async () => {
    expect(effectiveOf((await report(curCsv(NODE))).currencies[0])).toEqual({
      payments: "5.25",
      search: "3.25",
      platform: "1.5",
    });
    const rules = [
      { name: "search", cost: { owners: ["search"] }, split: { by: "fixed", percents: { payments: 100 } } },
    ];
    expect(effectiveOf((await report(curCsv(NODE), { rules })).currencies[0])).toEqual({
      payments: "8.5",
      platform: "1.5",
    });
  });
});

function usage(cost: string, fields: Partial<FocusRow>): FocusRow {
  return focusRow({ BilledCost: cost, EffectiveCost: cost, ListCost: cost, ...fields });
}

const team = (name: string, more: object = {}): { Tags: string } => ({
  Tags: JSON.stringify({ team: name, ...more }),
});

describe("rules on the bill's columns", () => {
  const rows = [
    usage("40", team("payments")),
    usage("60", team("search")),
    usage("8", {
      ...team("payments", { "user:Layer": "Network" }),
      ServiceName: "Amazon Virtual Private Cloud",
    }),
    usage("4", { ServiceName: "Amazon Virtual Private Cloud" }),
    usage("2", { ServiceName: "Amazon Simple Storage Service", SubAccountId: "999", Tags: "" }),
    usage("1", { ServiceName: "AWS Support (Business)", ResourceId: "" }),
    usage("-3", { ChargeCategory: "Credit", ChargeClass: "Correction", ResourceId: "" }),
    usage("-5", { ChargeCategory: "Credit", ResourceId: "" }),
  ];

  it.each([
    [
      { tags: { layer: ["network", "dns"] } },
      { search: "64", payments: "44", "key-absent": "0", "no-tags": "6" },
    ],
    [
      { providerServices: ["amazon virtual private cloud"] },
      { search: "66", payments: "46", "no-tags": "2" },
    ],
    [
      { providerServices: ["Amazon Virtual Private Cloud"], tags: { Layer: ["network"] } },
      { search: "64", payments: "44", "no-tags": "6" },
    ],
    [{ accounts: ["999"] }, { search: "61", payments: "49", "no-tags": "4" }],
    [{ reasons: ["support", "refund"] }, { search: "59", payments: "47", "no-tags": "6" }],
  ])("%j is shared evenly", async (cost, expected) => {
    const rules = { rules: [{ name: "rule", cost, split: { by: "even", among: ["payments", "search"] } }] };
    const found = effectiveOf((await report(focusCsv(rows), rules)).currencies[0]);
    const { "key-absent": _, ...wanted } = expected as Record<string, string>;
    expect(found).toMatchObject(wanted);
    const reasons = (cost as { reasons?: string[] }).reasons ?? [];
    expect(found["refund"]).toBe(reasons.includes("refund") ? undefined : "-3");
    expect(found["credit"]).toBe("-5");
  });
});

describe("any rules on any bill", () => {
  const SPLITS = [
    { by: "even" },
    { by: "weighted" },
    { by: "fixed", percents: { payments: "33.333333", lab: "66.666667" } },
    { by: "metric", metric: "calls" },
    undefined,
  ];
  const COSTS = [
    { owners: ["platform"] },
    { reasons: ["tax", "credit", "refund"] },
    { reasons: ["unused-commitment", "unused-reservation", "node-idle"] },
    { reasons: ["support", "commitment-purchase"] },
    { reasons: ["no-tags", "key-absent", "not-taggable", "empty-value"] },
    { accounts: ["11110", "11112"] },
    { providerServices: ["AmazonEC2"], regions: ["us-east-1"] },
  ];
  const IDLE = ["shown", "spread", "kept"];

  it.each([0, 1, 2, 3, 4, 5])(
    "reconcile to the last digit and are the same with 1 and 2 threads (%i)",
    async (seed) => {
      const rules = {
        idle: { nodes: IDLE[seed % 3], reservations: IDLE[(seed + 1) % 3] },
        rules: COSTS.map((cost, index) => ({
          name: `rule ${index}`,
          cost,
          split: SPLITS[(index + seed) % SPLITS.length],
        })),
        metrics: [{ name: "calls", everyMonth: { payments: 7, search: "3.5" } }],
      };
      const text =
        seed % 2 === 0 ? focusCsv(generateMonth(seed, 120).rows) : curCsv(generateCurMonth(seed, 60).rows);
      const built = await report(text, rules, 1);
      expect(JSON.stringify(await report(text, rules, 2))).toBe(JSON.stringify(built));
      expect(built.currencies.flatMap(({ allocations }) => allocations).length).toBeGreaterThan(8);
      const [plain] = (await report(text)).currencies;
      expect(built.currencies[0]?.balance.bill).toEqual(plain?.balance.bill);
    },
  );

  it("read in every format: the balance sheet, what was moved, commitments and nodes", async () => {
    const rules = {
      rules: [
        { name: "lab, for all", cost: { owners: ["lab"] }, split: { by: "weighted" } },
        { name: "tax", cost: { reasons: ["tax"] }, split: { by: "even" } },
      ],
    };
    const built = await report(curCsv(generateCurMonth(9, 80).rows), rules);
    const table = renderTable(built);
    expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    for (const text of [table, renderPage(built), renderCsv(built)]) {
      for (const word of ["lab, for all", "difference", "sp-1"]) expect(text).toContain(word);
    }
    expect(table).toContain("The balance sheet closes: difference 0.");
    await expect(table).toMatchFileSnapshot("../../golden/cost/allocated-month.txt");
    await expect(renderCsv(built)).toMatchFileSnapshot("../../golden/cost/allocated-month.csv");
  });
});
