import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { allocationRulesSchema } from "../../../../cost/allocation/allocation-rules.ts";
import { generateMonth } from "../../../../cost/generate/generate-month.ts";
import { MONTH_KINDS } from "../../../../cost/generate/month-kinds.ts";
import { buildCostReport, type CostReportArgs } from "../../../../cost/report/build-cost-report.ts";
import type { CostReport } from "../../../../cost/report/cost-report.ts";
import { readFocusParts } from "../../../../cost/report/focus/read-focus-parts.ts";
import { renderFocus } from "../../../../cost/report/focus/render-focus.ts";
import { reportKey } from "../../../../cost/report/report-key.ts";
import { costCommand } from "../../cost-command.ts";
import { unitsOf } from "../exact-csv-sum.ts";
import { focusCsv, focusRow } from "../focus-month.ts";
import { scratchFolder } from "../scratch-folder.ts";
import { isKnownException } from "./focus-exceptions.ts";
import { columnSum, type DatasetRow, datasetRows } from "./focus-rows.ts";
import { brokenRules } from "./focus-rules.ts";

const write = scratchFolder();
const folder = mkdtempSync(path.join(tmpdir(), "bedplate-focus-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const RULES = {
  name: "rules.yaml",
  sha256: "0".repeat(64),
  data: allocationRulesSchema.parse({
    apiVersion: "bedplate/v1",
    kind: "AllocationRules",
    rules: [
      { name: "tax by weight", cost: { reasons: ["tax", "credit", "refund"] }, split: { by: "weighted" } },
      {
        name: "rest evenly",
        cost: { reasons: ["no-tags", "key-absent", "empty-value", "not-taggable"] },
        split: { by: "even" },
      },
    ],
  }),
};

async function dataset(
  args: Omit<CostReportArgs, "key"> & { readonly by?: string },
): Promise<{ readonly report: CostReport; readonly csv: string; readonly rows: readonly DatasetRow[] }> {
  const all = { ...args, key: reportKey(args.by ?? "team", undefined) };
  const report = await buildCostReport(all);
  const csv = renderFocus(report, await readFocusParts(all, report));
  return { report, csv, rows: datasetRows(csv) };
}

function unexplained(csv: string, { source }: CostReport): readonly unknown[] {
  return brokenRules(csv).filter(({ id }) => !isKnownException(id, source.standard));
}

function generatedRows(out: string): readonly DatasetRow[] {
  return readdirSync(out, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".csv"))
    .flatMap((name) => datasetRows(readFileSync(path.join(out, name), "utf8")));
}

let made = 0;
async function generate(kind: (typeof MONTH_KINDS)[number], seed: number): Promise<string> {
  made += 1;
  const out = path.join(folder, String(made));
  await generateMonth({ kind, format: "csv", rows: 500, seed, month: "2026-02", deliveries: 1, out });
  return out;
}

describe("renderFocus()", () => {
  it("sums to the bill in every amount and keeps FOCUS 1.3, whatever the month, its kind and the rules", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...MONTH_KINDS),
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.boolean(),
        async (kind, seed, isAllocated) => {
          const out = await generate(kind, seed);
          const { report, csv, rows } = await dataset({
            input: out,
            ...(isAllocated ? { rules: RULES } : {}),
          });
          expect(unexplained(csv, report)).toEqual([]);
          const bill = report.currencies[0]?.balance.bill;
          expect(columnSum(rows, "BilledCost")).toBe(unitsOf(bill?.billed ?? ""));
          expect(columnSum(rows, "EffectiveCost")).toBe(unitsOf(bill?.effective ?? ""));
          expect(columnSum(rows, "ListCost")).toBe(unitsOf(bill?.list ?? "0"));
          expect(rows.reduce((sum, row) => sum + Number(row["x_Lines"]), 0)).toBe(
            report.currencies[0]?.balance.lines.bill,
          );
          const contracted = kind.startsWith("focus") ? generatedRows(out) : undefined;
          expect(columnSum(rows, "ContractedCost")).toBe(
            contracted === undefined ? unitsOf(bill?.list ?? "0") : columnSum(contracted, "ContractedCost"),
          );
        },
      ),
      { numRuns: 8 },
    );
  });

  it("has each owner's cost under its tag, and what is no owner's in rows of its own", async () => {
    const { report, rows } = await dataset({ input: await generate("focus-1.3", 5) });
    for (const row of report.currencies[0]?.rows ?? []) {
      const own = rows.filter(
        (one) =>
          one["x_Bucket"] === row.bucket &&
          one["x_Owner"] === (row.owner ?? "") &&
          one["x_Reason"] === (row.because ?? ""),
      );
      expect(columnSum(own, "EffectiveCost")).toBe(unitsOf(row.effective));
      expect(new Set(own.map((one) => one["Tags"]))).toEqual(
        new Set([row.owner === null ? "" : JSON.stringify({ team: row.owner })]),
      );
    }
  });

  it("is read back as the same bill of the same teams", async () => {
    const args = { input: await generate("focus-1.2", 5), key: reportKey("team", undefined) };
    const report = await buildCostReport(args);
    const csv = renderFocus(report, await readFocusParts(args, report));
    const again = await buildCostReport({ ...args, input: write("again.csv", csv) });
    expect(again.source.version).toBe("1.3");
    expect(again.currencies[0]?.balance.bill).toEqual(report.currencies[0]?.balance.bill);
    const owners = ({ currencies: [usd] }: CostReport): unknown =>
      usd?.rows
        .filter(({ bucket }) => bucket === "owner")
        .map(({ owner, billed, effective, list }) => [owner, billed, effective, list]);
    expect(owners(again)).toEqual(owners(report));
  });

  it("moves money in rows that name what moved it and add up to 0", async () => {
    const { rows } = await dataset({ input: await generate("cur2", 5), rules: RULES });
    for (const { name } of RULES.data.rules) {
      const moved = rows.filter((row) => row["AllocatedMethodId"] === name);
      expect(moved.length).toBeGreaterThan(1);
      expect(columnSum(moved, "EffectiveCost")).toBe(0n);
      const given = moved.filter((row) => row["x_Bucket"] === "owner");
      expect(given.every((row) => row["AllocatedTags"] === JSON.stringify({ team: row["x_Owner"] }))).toBe(
        true,
      );
    }
    const left = rows.filter((row) => row["x_Bucket"] === "untagged");
    expect(columnSum(left, "BilledCost")).toBe(0n);
    const ofRule = rows.filter((row) => row["x_Reason"] === "shared-rule");
    expect(new Set(ofRule.map((row) => row["AllocatedMethodId"]))).toEqual(new Set(["", "rest evenly"]));
    for (const column of ["Tags", "AllocatedTags", "AllocatedResourceId"]) {
      expect(new Set(ofRule.map((row) => row[column])), column).toEqual(new Set([""]));
    }
  });

  it("names owners that the bill names", async () => {
    const input = await generate("focus-1.2", 5);
    const bill = generatedRows(input);
    for (const [by, id, name] of [
      ["account", "SubAccountId", "SubAccountName"],
      ["region", "RegionId", "RegionName"],
    ] as const) {
      const { rows } = await dataset({ input, by });
      const owned = rows.filter((row) => row["x_Bucket"] === "owner");
      expect(owned.length).toBeGreaterThan(0);
      const named = new Map(bill.map((row) => [row[id], row[name]]));
      for (const row of owned) {
        expect([row[id], row[name]]).toEqual([row["x_Owner"], named.get(row["x_Owner"] ?? "")]);
      }
    }
  });

  it("has negotiated prices as the bill has them, and list prices where it has none", async () => {
    const bill = focusCsv([focusRow({ BilledCost: "1", EffectiveCost: "1", ListCost: "3" })]);
    const input = write(
      "negotiated.csv",
      bill.replace('"x_Operation"', '"ContractedCost"').replace(/,[^,]*\n$/, ",2\n"),
    );
    const negotiated = await dataset({ input });
    expect(negotiated.rows).toMatchObject([{ ContractedCost: "2", ListCost: "3" }]);
    const listed = await dataset({ input: write("listed.csv", bill) });
    expect(listed.rows).toMatchObject([{ ContractedCost: "3", ListCost: "3" }]);
  });

  it("never lets a spreadsheet run a name of the bill", async () => {
    const csv = focusCsv([
      focusRow({ BilledCost: "1", EffectiveCost: "1", Tags: '{"team": "=1+1"}', ServiceName: "@x" }),
    ]);
    const { rows } = await dataset({ input: write("formula.csv", csv) });
    expect(rows).toMatchObject([{ x_Owner: "'=1+1", ServiceName: "'@x", Tags: '{"team":"=1+1"}' }]);
  });

  it.each([
    ["no billing account", { BillingAccountId: "" }, "BillingAccountId: no line has a billing account"],
    ["two for a service", { BillingAccountId: "2" }, "is billed to 1, 2: FOCUS wants one account a row"],
  ])("fails on %s", async (_, second, message) => {
    const first = second.BillingAccountId === "" ? second : { BillingAccountId: "1" };
    const amounts = { BilledCost: "1", EffectiveCost: "1" };
    const csv = focusCsv([focusRow({ ...amounts, ...first }), focusRow({ ...amounts, ...second })]);
    await expect(dataset({ input: write("payer.csv", csv) })).rejects.toThrow(message);
  });
});

describe("cost report --format focus", () => {
  it("writes the dataset to the file, and nothing of a refused bill", async () => {
    const input = await generate("focus-1.1", 3);
    const out = path.join(folder, "out.csv");
    const done = await costCommand(folder, "report", "--input", input, "--format", "focus", "--out", out);
    expect(done).toMatchObject({ exitCode: 0, stdout: "" });
    const { report, csv } = await dataset({ input });
    expect(readFileSync(out, "utf8")).toBe(csv);
    expect(unexplained(csv, report)).toEqual([]);

    const bad = write("bad.csv", focusCsv([focusRow({ BilledCost: "one", EffectiveCost: "1" })]));
    const refusedOut = path.join(folder, "refused.csv");
    const refused = await costCommand(
      folder,
      "report",
      "--input",
      bad,
      "--format",
      "focus",
      "--out",
      refusedOut,
    );
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain("BilledCost: no decimal number");
    expect(readdirSync(folder)).not.toContain("refused.csv");
  });
});
