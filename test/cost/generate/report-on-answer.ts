import { readFileSync } from "node:fs";
import path from "node:path";
import { type Answer, answerSchema } from "../../../cost/generate/answer.ts";
import { formatDecimal, parseDecimal } from "../../../cost/money/exact-decimal.ts";
import { buildCostReport, isBalanced } from "../../../cost/report/build-cost-report.ts";
import type { CostReport } from "../../../cost/report/cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";

type Row = Pick<Answer["rows"][number], "bucket" | "owner" | "because" | "billed" | "effective">;

/** Rows in one spelling and one order; what adds up to nothing may be left out. */
function comparable(rows: readonly Row[]): string[] {
  const exact = (amount: string): string => formatDecimal(parseDecimal(amount));
  return rows
    .map(({ bucket, owner, because, billed, effective }) =>
      [bucket, owner, because, exact(billed), exact(effective)].join(" | "),
    )
    .filter((row) => !row.endsWith(" | 0 | 0"))
    .toSorted((a, b) => (a < b ? -1 : 1));
}

/** What the report says of a generated bill beside what it has to say. */
export interface Told {
  readonly rows: readonly string[];
  readonly expected: readonly string[];
}

/** The report of a generated bill, balanced and of its invoice. */
export async function reportOnAnswer(
  folder: string,
  threads?: number,
): Promise<{ readonly report: CostReport; readonly told: Told }> {
  const answer = answerSchema.parse(JSON.parse(readFileSync(path.join(folder, "answer.json"), "utf8")));
  const report = await buildCostReport({ input: folder, key: reportKey("team", undefined), threads });
  const [usd, ...others] = report.currencies;
  if (usd === undefined || others.length > 0 || !isBalanced(report)) {
    throw new Error("the report of a generated bill is of one currency and balances");
  }
  const invoice = formatDecimal(parseDecimal(answer.invoice.billed));
  const rows = comparable(usd.rows);
  return {
    report,
    told: {
      rows: [`invoice ${usd.balance.bill.billed}`, ...rows],
      expected: [`invoice ${invoice}`, ...comparable(answer.rows)],
    },
  };
}
