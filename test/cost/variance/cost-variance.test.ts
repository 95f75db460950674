import { describe, expect, it } from "vitest";
import { environmentSchema } from "../../../components/environment/environment-spec.ts";
import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { buildCostEstimate } from "../../../cost/estimate/build-cost-estimate.ts";
import type { CostEstimate } from "../../../cost/estimate/cost-estimate.ts";
import { buildCostReport } from "../../../cost/report/build-cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { buildCostVariance } from "../../../cost/variance/build-cost-variance.ts";
import { costVarianceSchema } from "../../../cost/variance/cost-variance.ts";
import { renderVarianceTable } from "../../../cost/variance/run-variance.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { type CurRow, curCsv } from "../report/cur-month.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

const write = scratchFolder();

function estimate(name: string): CostEstimate {
  const environment = environmentSchema.parse({
    apiVersion: "bedplate/v1",
    kind: "Environment",
    name,
    region: "us-east-1",
    owner: { team: "payments", costCenter: "CC-7", service: "mcp-tools" },
    hostPools: [{ name: "web", where: "aws", count: 1, needs: { vcpus: 2, memoryGiB: 4 } }],
    service: { runtime: "systemd" },
    budget: { currency: "USD", perMonth: "60.00" },
  });
  return buildCostEstimate(environment, loadCatalogue("us-east-1"), "environment");
}

function usage(environment: string | undefined, cost: string, month = "2026-07"): CurRow {
  return {
    columns: {
      bill_billing_period_start_date: `${month}-01 00:00:00`,
      bill_billing_period_end_date: `${month}-31 00:00:00`,
      line_item_currency_code: "USD",
      line_item_line_item_type: "Usage",
      line_item_product_code: "AmazonEC2",
      line_item_resource_id: "i-1",
      line_item_unblended_cost: cost,
      line_item_usage_start_date: `${month}-02 00:00:00`,
      line_item_usage_end_date: `${month}-02 01:00:00`,
    },
    tags: environment === undefined ? {} : { user_environment: environment },
  };
}

async function reportOf(rows: readonly CurRow[], month?: string) {
  const input = write("bill.csv", curCsv(rows));
  return await buildCostReport({ input, key: reportKey("environment", undefined), month });
}

function faultOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error.faults.map((fault) => fault.message).join("; ");
    throw error;
  }
  throw new TypeError("was not refused");
}

describe("buildCostVariance()", () => {
  it("puts estimate, actual and budget of each environment in one row, and the rest of the bill beside them", async () => {
    const rows = [usage("dev", "50.005"), usage("Dev", "20"), usage("prod", "12.345"), usage(undefined, "1")];
    const variance = buildCostVariance(await reportOf(rows), [estimate("dev"), estimate("qa")]);
    expect(costVarianceSchema.parse(variance)).toEqual(variance);
    expect(variance.rows).toMatchObject([
      {
        environment: "dev",
        team: "payments",
        estimated: "55.85",
        actual: "70.01",
        variance: "14.16",
        variancePercent: "25.4",
        overBudget: "10.01",
      },
      {
        environment: "qa",
        estimated: "55.85",
        actual: "0.00",
        variance: "-55.85",
        variancePercent: "-100.0",
        overBudget: "-60.00",
      },
    ]);
    expect([variance.rest, variance.bill]).toEqual(["13.34", "83.35"]);
    expect(variance.notes).toEqual([
      "the bill has charges to 2026-07-02 only; an estimate is for the whole month",
      "the estimate of dev, qa is without its unpriced lines, the bill is not",
      'the bill has nothing tagged qa: is the tag "environment" activated for cost allocation?',
    ]);
    const table = renderVarianceTable(variance);
    expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(table).toMatch(/dev +55\.85 +55\.85 +70\.01 +14\.16 +25\.4 +60\.00 +10\.01/);
  });

  it("asks for a month where the bill has several, and never converts a currency", async () => {
    const rows = [usage("dev", "1"), usage("dev", "2", "2026-08")];
    const both = await reportOf(rows);
    expect(faultOf(() => buildCostVariance(both, [estimate("dev")]))).toBe(
      "the bill has the billing periods 2026-07 to 2026-08: name one",
    );
    const august = buildCostVariance(await reportOf(rows, "2026-08"), [estimate("dev")]);
    expect(august).toMatchObject({ month: "2026-08", bill: "2.00" });
    const euro = { ...estimate("dev"), currency: "EUR" };
    expect(faultOf(() => buildCostVariance(both, [euro]))).toBe(
      "the bill is in USD, the environments in EUR: nothing is converted",
    );
  });
});
