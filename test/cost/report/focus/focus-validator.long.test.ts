import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { generateMonth } from "../../../../cost/generate/generate-month.ts";
import { buildCostReport } from "../../../../cost/report/build-cost-report.ts";
import { readFocusParts } from "../../../../cost/report/focus/read-focus-parts.ts";
import { renderFocus } from "../../../../cost/report/focus/render-focus.ts";
import { reportKey } from "../../../../cost/report/report-key.ts";
import { FOCUS_VALIDATOR, hasFocusValidator } from "../../../../tools/focus-validator/get-focus-validator.ts";
import { describeWith } from "../../../helpers/needs.ts";

const VALIDATOR = {
  name: "focus-validator",
  howToGet: "node tools/focus-validator/get-focus-validator.ts",
  isThere: hasFocusValidator,
};

/**
 * What release 1.0.0 says of every dataset: it asks for columns by names that FOCUS 1.0 does not have, lacks its list of
 * currencies, and reads an account's number in a CSV file as a number.
 */
const OWN_FAULTS = [
  "BillingAccountId_IsString",
  "BillingCurrency_IsCurrencyCode",
  "InvoiceIssuer_Required",
  "Provider_Required",
  "Publisher_Required",
  "ResourceID_Required",
];

/** Ours: a row adds up many prices, so it has the id of none. */
const NOT_KEPT = ["SkuPriceId_Nullable"];

const folder = mkdtempSync(path.join(tmpdir(), "bedplate-focus-validator-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function failedRules(csv: string): Promise<readonly string[]> {
  const file = path.join(folder, "dataset.csv");
  writeFileSync(file, csv);
  const args = ["--data-file", file, "--validate-version", "1.0"];
  const { stdout } = await promisify(execFile)(FOCUS_VALIDATOR, args, { timeout: 120_000 }).catch(
    (error: unknown) => {
      // It exits with 1 where a rule fails, and says which on stdout.
      if (error instanceof Error && "stdout" in error) return { stdout: String(error.stdout) };
      throw error;
    },
  );
  expect(stdout).toContain("Errors encountered:");
  return [...stdout.matchAll(/^(\w[\w.]*) failed:$/gm)].map(([, rule = ""]) => rule).toSorted();
}

describeWith([VALIDATOR], "the FinOps Foundation's rules of FOCUS 1.0", () => {
  it("hold for the allocated bill, but for the validator's own faults, and not for a broken one", async () => {
    const input = path.join(folder, "bill");
    await generateMonth({
      kind: "focus-1.3",
      format: "csv",
      rows: 3000,
      seed: 5,
      month: "2026-02",
      deliveries: 1,
      out: input,
    });
    const args = { input, key: reportKey("team", undefined) };
    const report = await buildCostReport(args);
    const csv = renderFocus(report, await readFocusParts(args, report));
    expect(await failedRules(csv)).toEqual([...OWN_FAULTS, ...NOT_KEPT]);
    const broken = csv.replaceAll(",Usage,", ",Use,").replaceAll(",Compute,", ",Computing,");
    expect(await failedRules(broken)).toEqual(
      [...OWN_FAULTS, ...NOT_KEPT, "ServiceCategory_Enum"].toSorted(),
    );
  }, 300_000);
});
