import { describe, expect, it } from "vitest";
import { buildCostReport } from "../../../cost/report/build-cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { focusCsv, focusRow } from "./focus-month.ts";
import { scratchFolder } from "./scratch-folder.ts";

const write = scratchFolder();
const CSV = focusCsv([
  focusRow({ BilledCost: "1", EffectiveCost: "2", ProviderName: "AWS" }),
  focusRow({ BilledCost: "3", EffectiveCost: "4", ProviderName: "Oracle" }),
]);

async function byProvider(csv: string): Promise<unknown> {
  const report = await buildCostReport({
    input: write("bill.csv", csv),
    key: reportKey("provider", undefined),
  });
  expect(report.notes.filter((note) => note.includes("does not know"))).toEqual([]);
  return {
    version: report.source.version,
    rows: report.currencies[0]?.rows.map((row) => [row.owner, row.effective]),
  };
}

describe("a FOCUS 1.3 bill", () => {
  it("is split by provider by its new column, where the old one is gone", async () => {
    const rows = [
      ["Oracle", "4"],
      ["AWS", "2"],
    ];
    expect(await byProvider(CSV.replace("ProviderName", "ServiceProviderName"))).toEqual({
      version: "1.3",
      rows,
    });
    expect(await byProvider(CSV)).toEqual({ version: "1.2", rows });
  });

  it("fails where it has neither", async () => {
    const input = write("neither.csv", CSV.replace("ProviderName", "x_Provider"));
    await expect(buildCostReport({ input, key: reportKey("provider", undefined) })).rejects.toThrow(
      "ProviderName: the column is missing",
    );
  });
});
