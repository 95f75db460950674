import path from "node:path";
import { expect, it } from "vitest";
import { buildCostReport, isBalanced } from "../../../cost/report/build-cost-report.ts";
import { costReportSchema } from "../../../cost/report/cost-report.ts";
import { renderCsv } from "../../../cost/report/render-csv.ts";
import { renderTable } from "../../../cost/report/render-table.ts";
import { REPORT_KEYS, reportKey } from "../../../cost/report/report-key.ts";
import { describeWith, file } from "../../helpers/needs.ts";

const SAMPLE = path.resolve(import.meta.dirname, "../../../../shared/data/focus/focus-1.0-sample.csv");
const GOLDEN = path.resolve(import.meta.dirname, "../../golden/cost");

const SAMPLE_PART = file(
  SAMPLE,
  "focus-1.0-sample.csv",
  "FOCUS-Sample-Data, FOCUS-1.0/focus_sample.csv, beside the checkout",
);

describeWith([SAMPLE_PART], "the FOCUS 1.0 sample", () => {
  it("is accounted for to the last digit by every key, and every format closes", async () => {
    for (const by of REPORT_KEYS) {
      const report = await buildCostReport({ input: SAMPLE, key: reportKey(by, undefined) });
      expect(costReportSchema.parse(report)).toEqual(report);
      expect(isBalanced(report)).toBe(true);
      const [usd] = report.currencies;
      expect(usd?.balance.bill, by).toEqual({
        billed: "20.52022672899",
        effective: "14.97651418586",
        list: "20.39090575119",
        billedRounded: "20.52",
        effectiveRounded: "14.98",
        listRounded: "20.39",
      });
      expect(usd?.balance.lines).toEqual({ bill: 1000, parts: 1000 });
      expect(Object.values(usd?.balance.difference ?? {}), by).toEqual([
        "0",
        "0",
        "0",
        "0.00",
        "0.00",
        "0.00",
      ]);
    }
  });

  it("reads as the golden table by team, a tag that it lacks", async () => {
    const report = await buildCostReport({ input: SAMPLE, key: reportKey("team", undefined) });
    await expect(renderTable(report)).toMatchFileSnapshot(path.join(GOLDEN, "focus-1.0-sample.txt"));
    await expect(renderCsv(report)).toMatchFileSnapshot(path.join(GOLDEN, "focus-1.0-sample.csv"));
  });

  it("is the same to the byte on repeat and with 1, 2 or 4 threads", async () => {
    const key = reportKey("team", "application");
    const texts = new Set<string>();
    for (const threads of [undefined, 1, 2, 4, 2]) {
      texts.add(JSON.stringify(await buildCostReport({ input: SAMPLE, key, threads })));
    }
    expect(texts.size).toBe(1);
  });

  it("reports one billing period, and never a charge of another", async () => {
    const october = await buildCostReport({
      input: SAMPLE,
      key: reportKey("team", undefined),
      month: "2024-10",
    });
    expect(october.currencies[0]?.balance.bill.billed).toBe("0.24");
  });
});
