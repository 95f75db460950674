import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { formatDecimal } from "../../../cost/money/exact-decimal.ts";
import { buildCostReport, isBalanced } from "../../../cost/report/build-cost-report.ts";
import { type CostReport, costReportSchema } from "../../../cost/report/cost-report.ts";
import { curColumnName } from "../../../cost/report/cur-columns.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { type CurRow, curCsv, generateCurMonth, legacyCurCsv } from "./cur-month.ts";
import { GENERATED_SCALE } from "./focus-month.ts";
import { scratchFolder } from "./scratch-folder.ts";

const write = scratchFolder();
const month = generateCurMonth(11, 600);
const csv = write("cur2.csv", curCsv(month.rows));

async function report(input: string): Promise<CostReport> {
  const built = await buildCostReport({ input, key: reportKey("team", undefined) });
  expect(costReportSchema.parse(built)).toEqual(built);
  expect(isBalanced(built)).toBe(true);
  return built;
}

function exact(units: bigint): string {
  return formatDecimal({ units, scale: GENERATED_SCALE });
}

function comparable(
  rows: readonly {
    bucket: string;
    owner: string | null;
    because: string | null;
    billed: string;
    effective: string;
    list: string | null;
  }[],
): string[] {
  return rows
    .map(({ bucket, owner, because, billed, effective, list }) =>
      [bucket, owner, because, billed, effective, list ?? "0"].join(" | "),
    )
    .toSorted((a, b) => (a < b ? -1 : 1));
}

const expected = comparable(
  month.answers.map((answer) => ({
    ...answer,
    billed: exact(answer.billed),
    effective: exact(answer.effective),
    list: exact(answer.list),
  })),
);

async function faultsOf(rows: readonly CurRow[], change = (text: string) => text): Promise<string[]> {
  const input = write("faults.csv", change(curCsv(rows)));
  const error: unknown = await report(input).catch((cause: unknown) => cause);
  if (!(error instanceof InputError)) throw new TypeError("was not refused", { cause: error });
  return error.faults.map((fault) => `${fault.path}: ${fault.message}`);
}

describe("curColumnName()", () => {
  it.each([
    ["lineItem/UnblendedCost", "line_item_unblended_cost"],
    ["savingsPlan/SavingsPlanARN", "savings_plan_savings_plan_a_r_n"],
    ["bill/BillingPeriodStartDate", "bill_billing_period_start_date"],
    ["product/region", "product_region"],
    ["Line_Item_Operation", "line_item_operation"],
  ])("%s is %s", (name, canonical) => {
    expect(curColumnName(name)).toBe(canonical);
  });
});

describe("buildCostReport() on a generated Cost and Usage Report", () => {
  it("gives every bucket, owner and reason its known amount to the last digit, and the invoice", async () => {
    const built = await report(csv);
    expect(built.source).toMatchObject({ standard: "CUR", version: "2.0", lines: month.rows.length });
    const [usd, ...others] = built.currencies;
    expect(others).toEqual([]);
    expect(comparable(usd?.rows ?? [])).toEqual(expected);
    expect(usd?.balance.bill.billed).toBe(exact(month.invoice));
  });

  it("gives the same for a legacy report and for Parquet with maps, timestamps and decimals", async () => {
    const fromCsv = await report(csv);
    const legacy = await report(write("legacy.csv", legacyCurCsv(month.rows)));
    expect(legacy.source).toMatchObject({ standard: "CUR", version: "legacy" });
    expect(comparable(legacy.currencies[0]?.rows ?? [])).toEqual(expected);

    const target = write("cur2.parquet", "");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run(
      `copy (select * replace (
         cast(line_item_unblended_cost as decimal(38, 15)) as line_item_unblended_cost,
         cast(reservation_effective_cost as double) as reservation_effective_cost,
         cast(line_item_usage_start_date as timestamp) as line_item_usage_start_date,
         cast(cast(resource_tags as json) as map(varchar, varchar)) as resource_tags)
       from read_csv('${csv}', all_varchar = true)) to '${target}' (format parquet)`,
    );
    instance.closeSync();
    const parquet = await report(target);
    expect(parquet.currencies).toEqual(fromCsv.currencies);
    expect(parquet.notes.join("\n")).toContain("reservation_effective_cost");
  });

  it("is the same to the byte on repeat and with 1 or 2 threads", async () => {
    const texts = new Set<string>();
    for (const threads of [1, 2, 1, 2]) {
      const built = await buildCostReport({ input: csv, key: reportKey("team", undefined), threads });
      texts.add(JSON.stringify(built));
    }
    expect(texts.size).toBe(1);
  });
});

describe("buildCostReport() refuses a Cost and Usage Report", () => {
  const rows = month.rows.slice(0, 12);
  function changed(changes: Readonly<Record<number, Record<string, string>>>): CurRow[] {
    return rows.map((row, index) => ({ ...row, columns: { ...row.columns, ...changes[index] } }));
  }

  it("with every fault in one go", async () => {
    const covered = rows.findIndex(
      (row) => row.columns["line_item_line_item_type"] === "SavingsPlanCoveredUsage",
    );
    expect(
      await faultsOf(
        changed({
          0: { line_item_unblended_cost: "1,5" },
          1: { line_item_line_item_type: "Mystery" },
          2: { reservation_effective_cost: "" },
          3: { line_item_usage_end_date: "2026-07-01 00:00:00" },
          [covered]: {
            savings_plan_savings_plan_effective_cost: "x",
            line_item_unblended_cost: "0.1234567890123456789",
          },
        }),
      ),
    ).toEqual([
      'line_item_line_item_type: no line item type that is known here in 1 row: row 2 "Mystery"',
      'line_item_unblended_cost: no decimal number in 1 row: row 1 "1,5"',
      'line_item_usage_end_date: usage that ends before it begins in 1 row: row 4 "2026-07-01 00:00:00"',
      `savings_plan_savings_plan_effective_cost: no decimal number in 1 row: row ${covered + 1} "x"`,
      "reservation_effective_cost: no decimal number in 1 row: row 3 has no value",
      `line_item_unblended_cost: more than 18 digits after the point, which its sums do not keep, in 1 row: row ${covered + 1} "0.1234567890123456789"`,
    ]);
  });

  it("that lacks columns, with all of them", async () => {
    expect(
      await faultsOf(rows, (text) =>
        text.replace("line_item_currency_code", "currency").replace("line_item_unblended_cost", "cost"),
      ),
    ).toEqual([
      "line_item_currency_code: the column is missing",
      "line_item_unblended_cost: the column is missing",
    ]);
  });
});
