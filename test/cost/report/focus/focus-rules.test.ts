import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allocationRulesSchema } from "../../../../cost/allocation/allocation-rules.ts";
import { UsageCollector } from "../../../../cost/allocation/kubernetes-usage.ts";
import { generateMonth } from "../../../../cost/generate/generate-month.ts";
import { MONTH_KINDS, type MonthKind } from "../../../../cost/generate/month-kinds.ts";
import { ownersFileSchema } from "../../../../cost/owners/owners-file.ts";
import { buildCostReport, type CostReportArgs } from "../../../../cost/report/build-cost-report.ts";
import { readFocusParts } from "../../../../cost/report/focus/read-focus-parts.ts";
import { renderFocus } from "../../../../cost/report/focus/render-focus.ts";
import { reportKey } from "../../../../cost/report/report-key.ts";
import { describeWith, file } from "../../../helpers/needs.ts";
import { focusCsv, focusRow } from "../focus-month.ts";
import { scratchFolder } from "../scratch-folder.ts";
import { isKnownException, KNOWN_EXCEPTIONS } from "./focus-exceptions.ts";
import { type DatasetRow, datasetCsv, datasetRows } from "./focus-rows.ts";
import { brokenRules, checkedRules } from "./focus-rules.ts";

const write = scratchFolder();
const folder = mkdtempSync(path.join(tmpdir(), "bedplate-focus-rules-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FILE = { name: "file.yaml", sha256: "0".repeat(64) };
const VERSION = { apiVersion: "bedplate/v1" };

const RULES = {
  ...FILE,
  data: allocationRulesSchema.parse({
    ...VERSION,
    kind: "AllocationRules",
    idle: { nodes: "kept", reservations: "spread" },
    rules: [
      { name: "search is for all", cost: { owners: ["search"] }, split: { by: "weighted" } },
      { name: "tax", cost: { reasons: ["tax", "credit", "refund"] }, split: { by: "weighted" } },
      {
        name: "rest",
        cost: { reasons: ["no-tags", "key-absent", "empty-value", "not-taggable"] },
        split: { by: "even" },
      },
    ],
  }),
};

async function month(kind: MonthKind): Promise<string> {
  const out = path.join(folder, kind);
  await generateMonth({ kind, format: "csv", rows: 1500, seed: 7, month: "2026-02", deliveries: 1, out });
  return out;
}

const months = new Map<MonthKind, Promise<string>>();
function monthOf(kind: MonthKind): Promise<string> {
  const made = months.get(kind) ?? month(kind);
  months.set(kind, made);
  return made;
}

async function dataset(input: string, asked: Partial<CostReportArgs> = {}): Promise<string> {
  const args = { input, key: reportKey("team", undefined), ...asked };
  const report = await buildCostReport(args);
  return renderFocus(report, await readFocusParts(args, report));
}

const DAY = "2026-02-02";

/** An instance of a FOCUS bill that is charged on `DAY`. */
function instanceOf(bill: string): string {
  const rows = readdirSync(bill, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".csv"))
    .flatMap((name) => datasetRows(readFileSync(path.join(bill, name), "utf8")));
  const parents = new Set(rows.map((row) => row["x_SplitParentResourceId"]));
  const ids = rows
    .filter(
      (row) => row["ChargePeriodStart"]?.startsWith(DAY) === true && !parents.has(row["ResourceId"] ?? ""),
    )
    .flatMap((row) => /(?:^|\/)(i-[0-9a-f]+)$/.exec(row["ResourceId"] ?? "")?.[1] ?? []);
  const [first] = ids.toSorted();
  if (first === undefined) throw new Error(`no instance is charged on ${DAY}`);
  return first;
}

/** Two teams' pods on an instance, which use half of it. */
function podsOn(item: string): CostReportArgs["kubernetes"] {
  const use = new UsageCollector();
  const start = Date.parse(`${DAY}T00:00:00Z`) / 1000;
  for (let hour = 0; hour < 24; hour += 1) {
    const at = start + hour * 3600;
    use.addCapacity(item, "cpu", at, 4);
    for (const team of ["search", "payments"]) {
      use.addPod(item, "cpu", at, { pod: `ns/${team}`, labels: { team }, requestSeconds: 3600 });
    }
  }
  return { items: use.items(), notes: [] };
}

const OWNERS = {
  ...FILE,
  data: ownersFileSchema.parse({
    ...VERSION,
    kind: "CostOwners",
    teams: ["search", "payments"].map((team) => ({
      team,
      costCenters: [
        { costCenter: "1", until: "2026-02-11" },
        { costCenter: "2", from: "2026-02-11" },
      ],
    })),
  }),
};

/** One dataset of everything that a report can be made of, by what it is. */
async function everyDataset(): Promise<ReadonlyMap<string, string>> {
  const all = new Map<string, string>();
  for (const kind of MONTH_KINDS) {
    const input = await monthOf(kind);
    all.set(`${kind} by team`, await dataset(input));
    all.set(`${kind} by rules`, await dataset(input, { rules: RULES }));
    for (const by of ["account", "region", "provider"]) {
      all.set(`${kind} by ${by}`, await dataset(input, { key: reportKey(by, undefined) }));
    }
  }
  const focus = await monthOf("focus-1.3");
  const kubernetes = podsOn(instanceOf(focus));
  all.set("pods", await dataset(focus, { kubernetes, rules: RULES, sharedOwners: ["payments"] }));
  const byDate = { key: reportKey("cost-center", undefined), owners: OWNERS };
  all.set("dates", await dataset(focus, byDate));
  const nameless = focusCsv([
    focusRow({ BilledCost: "1", EffectiveCost: "1", ListCost: "1", ServiceName: "", x_Operation: "Acme" }),
  ]).replace('"x_Operation"', '"BillingAccountName"');
  all.set("no service", await dataset(write("nameless.csv", nameless)));
  return all;
}

describe("cost report --format focus", () => {
  it("keeps every rule of FOCUS 1.3 but the known exceptions, and breaks each of those somewhere", async () => {
    const broken = new Set<string>();
    for (const [name, csv] of await everyDataset()) {
      for (const { id, faults } of brokenRules(csv)) {
        broken.add(id);
        const standard = name.startsWith("cur2") || name.startsWith("legacy") ? "CUR" : "FOCUS";
        expect(isKnownException(id, standard), `${name}: ${id}: ${faults.slice(0, 3).join("; ")}`).toBe(true);
      }
    }
    expect([...broken].toSorted()).toEqual(KNOWN_EXCEPTIONS);
  }, 120_000);

  it("says the same exceptions to its readers", () => {
    const docs = readFileSync(path.resolve(import.meta.dirname, "../../../../docs/chargeback.md"), "utf8");
    const ids = docs.match(/`(CAU-\w+-[CD]-\d{3}-[MCO]|\w+Handling-A-\d{3}-[MCO])`/g) ?? [];
    expect([...new Set(ids.map((id) => id.slice(1, -1)))].toSorted()).toEqual(KNOWN_EXCEPTIONS);
    expect(docs).toContain(`${checkedRules().length} rules`);
  });
});

const SAMPLE = path.resolve(import.meta.dirname, "../../../../../shared/data/focus/focus-1.0-sample.csv");
const SAMPLE_PART = file(
  SAMPLE,
  "focus-1.0-sample.csv",
  "FOCUS-Sample-Data, FOCUS-1.0/focus_sample.csv, beside the checkout",
);

/**
 * The sample's own: a credit is effective and contracted at another amount than billed, its region "global" has no name, and
 * Oracle's account has neither a name nor a contracted cost.
 */
const OF_THE_SAMPLE = [
  "CAU-BillingAccountName-C-003-C",
  "CAU-ContractedCost-C-003-M",
  "CAU-ContractedCost-C-008-C",
  "CAU-EffectiveCost-C-010-C",
  "CAU-RegionName-C-005-C",
];

describeWith([SAMPLE_PART], "the FOCUS 1.0 sample, account by account", () => {
  it("is a dataset of FOCUS 1.3 but for the known exceptions", async () => {
    const rows = datasetRows(readFileSync(SAMPLE, "utf8"));
    const accounts = [...Map.groupBy(rows, (row) => row["BillingAccountId"])];
    expect(accounts.length).toBeGreaterThan(1);
    for (const [account, same] of accounts) {
      for (const by of ["team", "account", "region"]) {
        const input = write("account.csv", datasetCsv(same));
        const unexplained = brokenRules(await dataset(input, { key: reportKey(by, undefined) })).filter(
          ({ id }) => !isKnownException(id, "FOCUS") && !OF_THE_SAMPLE.includes(id),
        );
        expect(unexplained, `${account} by ${by}`).toEqual([]);
      }
    }
  });
});

type Change = Partial<Record<string, string>>;

/** The first row that is so, with other values. */
function changed(
  rows: readonly DatasetRow[],
  isSo: (row: DatasetRow) => boolean,
  change: Change,
): readonly DatasetRow[] {
  const at = rows.findIndex(isSo);
  if (at === -1) throw new Error("no row is so");
  return rows.map((row, index): DatasetRow =>
    index === at
      ? { ...row, ...Object.fromEntries(Object.entries(change).map(([k, v]) => [k, v ?? ""])) }
      : row,
  );
}

const any = (): boolean => true;
const ofCategory =
  (category: string) =>
  (row: DatasetRow): boolean =>
    row["ChargeCategory"] === category;
const isMoved = (row: DatasetRow): boolean =>
  row["AllocatedMethodId"] !== "" && row["AllocatedResourceId"] !== "";
const isFree = (row: DatasetRow): boolean => row["BilledCost"] === "0";
const isBilled = (row: DatasetRow): boolean => row["AllocatedMethodId"] === "";

/** For each family of rules: how a row comes to break one, and which. */
const MUTATIONS: readonly (readonly [string, (row: DatasetRow) => boolean, Change, string])[] = [
  ["a null", any, { BilledCost: "" }, "CAU-BilledCost-C-003-M"],
  ["a null in a text", any, { InvoiceIssuerName: "" }, "CAU-InvoiceIssuerName-C-003-M"],
  ["a placeholder", any, { ProviderName: "Not Applicable" }, "NullHandling-A-002-M"],
  ["a blank text", any, { ChargeDescription: "  " }, "CAU-ChargeDescription-C-002-M"],
  ["an unknown category", any, { ChargeCategory: "Use" }, "CAU-ChargeCategory-C-003-M"],
  ["an unknown class", any, { ChargeClass: "Refund" }, "CAU-ChargeClass-C-005-C"],
  ["an unknown service category", any, { ServiceCategory: "Computing" }, "CAU-ServiceCategory-C-003-M"],
  ["two categories of a service", any, { ServiceCategory: "Web" }, "CAU-ServiceName-C-005-C"],
  ["a text for a number", any, { EffectiveCost: "one" }, "CAU-EffectiveCost-C-001-M"],
  ["a signed exponent", any, { ListCost: "1.5E+3" }, "CAU-ListCost-C-002-M"],
  ["a plus sign", any, { ContractedCost: "+1" }, "CAU-ContractedCost-C-002-M"],
  ["a comma in a number", any, { BilledCost: "1,000" }, "CAU-BilledCost-C-002-M"],
  ["a local time", any, { ChargePeriodStart: "2026-02-01 00:00:00" }, "CAU-ChargePeriodStart-C-002-M"],
  ["a day that is none", any, { BillingPeriodEnd: "2026-02-30T00:00:00Z" }, "CAU-BillingPeriodEnd-C-002-M"],
  [
    "a period that ends first",
    any,
    { ChargePeriodEnd: "2026-01-01T00:00:00Z" },
    "CAU-ChargePeriodEnd-C-004-M",
  ],
  ["no currency", any, { BillingCurrency: "XYZ" }, "CAU-BillingCurrency-C-003-M"],
  ["a tax of a price", ofCategory("Tax"), { SkuPriceId: "1" }, "CAU-SkuPriceId-C-004-C"],
  [
    "a tax by kind of price",
    ofCategory("Tax"),
    { PricingCategory: "Standard" },
    "CAU-PricingCategory-C-003-C",
  ],
  ["a quantity of no price", ofCategory("Usage"), { PricingQuantity: "1" }, "CAU-PricingQuantity-C-011-C"],
  ["a quantity of no unit", any, { ConsumedQuantity: "1" }, "CAU-ConsumedUnit-C-006-C"],
  [
    "consumption that is no usage",
    ofCategory("Tax"),
    { ConsumedQuantity: "1" },
    "CAU-ConsumedQuantity-C-004-C",
  ],
  ["another product", any, { ListUnitPrice: "3", PricingQuantity: "7" }, "CAU-ListCost-C-011-C"],
  ["a price below 0", any, { ContractedUnitPrice: "-1" }, "CAU-ContractedUnitPrice-C-009-C"],
  ["an effective purchase", ofCategory("Purchase"), { EffectiveCost: "9" }, "CAU-EffectiveCost-C-005-C"],
  ["a credit that costs another", ofCategory("Credit"), { EffectiveCost: "9" }, "CAU-EffectiveCost-C-010-C"],
  ["a third party's money", isFree, { BilledCost: "9" }, "CAU-BilledCost-C-005-C"],
  ["a name of no account", any, { SubAccountName: "a" }, "CAU-SubAccountName-C-004-C"],
  ["a region of no name", any, { RegionId: "us-east-1" }, "CAU-RegionName-C-005-C"],
  ["a type of no resource", any, { ResourceType: "a" }, "CAU-ResourceType-C-004-C"],
  [
    "a status of no commitment",
    any,
    { CommitmentDiscountStatus: "Used" },
    "CAU-CommitmentDiscountStatus-C-003-C",
  ],
  [
    "a commitment of no category",
    any,
    { CommitmentDiscountId: "a" },
    "CAU-CommitmentDiscountCategory-C-004-C",
  ],
  ["tags that are a list", any, { Tags: "[]" }, "CAU-Tags-C-001-M"],
  ["a tag that is an object", any, { Tags: '{"a":{}}' }, "CAU-Tags-C-001-M"],
  ["allocated tags of no allocation", isBilled, { AllocatedTags: "{}" }, "CAU-AllocatedTags-C-003-C"],
  [
    "an allocated resource of none",
    isBilled,
    { AllocatedResourceId: "a" },
    "CAU-AllocatedResourceId-C-004-C",
  ],
  [
    "an allocated resource of no name",
    isMoved,
    { AllocatedResourceName: "" },
    "CAU-AllocatedResourceName-C-005-C",
  ],
  ["a tag twice", isMoved, { Tags: '{"team":"a"}' }, "CAU-AllocatedTags-C-006-M"],
  [
    "allocated cost that does not add up",
    isMoved,
    { BilledCost: "9" },
    "DataGeneratorCalculatedSplitCostAllocationHandling-A-003-M",
  ],
  [
    "allocated cost of no origin",
    isMoved,
    { ServiceName: "another" },
    "DataGeneratorCalculatedSplitCostAllocationHandling-A-004-M",
  ],
];

describe("the rules of FOCUS 1.3", () => {
  let good = "";
  beforeAll(async () => {
    good = await dataset(await monthOf("focus-1.3"), { rules: RULES });
  });

  it.each(MUTATIONS)("fail on %s", (_, isSo, change, rule) => {
    const before = brokenRules(good).find(({ id }) => id === rule)?.faults.length ?? 0;
    const after = brokenRules(datasetCsv(changed(datasetRows(good), isSo, change)));
    expect(after.find(({ id }) => id === rule)?.faults.length ?? 0).toBeGreaterThan(before);
  });

  it("fail on every column that is missing or has a name of its own", () => {
    const rows = datasetRows(good);
    const [first = {}] = rows;
    const without = (column: string): readonly DatasetRow[] =>
      rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => name !== column)));
    const before = new Set(brokenRules(good).map(({ id }) => id));
    for (const column of Object.keys(first).filter((name) => !name.startsWith("x_"))) {
      const now = brokenRules(datasetCsv(without(column))).filter(({ id }) => !before.has(id));
      expect(
        now.flatMap(({ faults }) => faults),
        column,
      ).toContain(`no column ${column}`);
    }
    const renamed = rows.map(({ x_Owner: owner = "", ...row }) => ({ ...row, Owner: owner }));
    expect(brokenRules(datasetCsv(renamed)).map(({ id }) => id)).toEqual(
      expect.arrayContaining(["ColumnHandling-A-010-M", "ColumnHandling-A-013-O"]),
    );
  });
});
