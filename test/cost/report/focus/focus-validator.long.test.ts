import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { allocationRulesSchema } from "../../../../cost/allocation/allocation-rules.ts";
import { generateMonth } from "../../../../cost/generate/generate-month.ts";
import { buildCostReport } from "../../../../cost/report/build-cost-report.ts";
import { readFocusParts } from "../../../../cost/report/focus/read-focus-parts.ts";
import { renderFocus } from "../../../../cost/report/focus/render-focus.ts";
import { reportKey } from "../../../../cost/report/report-key.ts";
import {
  FOCUS_VALIDATOR,
  focusValidatorFolder,
  hasFocusValidator,
} from "../../../../tools/focus-validator/get-focus-validator.ts";
import { describeWith } from "../../../helpers/needs.ts";
import { isKnownException } from "./focus-exceptions.ts";

const VALIDATOR = {
  name: "focus-validator",
  howToGet: "node tools/focus-validator/get-focus-validator.ts, with python3.12 on PATH",
  isThere: hasFocusValidator,
};

/** What is true of AWS. It has one type of account, and no prices in another or a virtual currency. */
const CRITERIA = [
  "ACCOUNT_NAMING_SUPPORTED",
  "AVAILABILITY_ZONE_SUPPORTED",
  "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
  "CAPACITY_RESERVATION_SUPPORTED",
  "COMMITMENT_DISCOUNT_SUPPORTED",
  "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
  "NEGOTIATED_PRICING_SUPPORTED",
  "PUBLIC_PRICE_LIST_SUPPORTED",
  "REGION_SUPPORTED",
  "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
  "SUB_ACCOUNT_SUPPORTED",
  "TAGGING_SUPPORTED",
  "UNIT_PRICING_SUPPORTED",
  "USAGE_MEASUREMENT_SUPPORTED",
];

/** Columns that are not there: every rule of theirs fails. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  ChargeFrequency: "recommended: a row adds up charges of every frequency",
  InvoiceId: "recommended: a row adds up charges of several invoices",
  ServiceSubcategory: "recommended: a Cost and Usage Report and FOCUS 1.0 have none",
  PricingCurrencyContractedUnitPrice: "of virtual currencies; asked for wherever list prices are public",
  PricingCurrencyEffectiveCost: "of virtual currencies; asked for wherever list prices are public",
  PricingCurrencyListUnitPrice: "of virtual currencies; asked for wherever list prices are public",
};

/** What release 2.2.1 lays to every dataset of this kind. */
const OF_THE_VALIDATOR: Readonly<Record<string, string>> = {
  "BillingAccountId-C-002-M": "reads an account's number in CSV as a number",
  "CapacityReservationStatus-C-004-C":
    "wants a status where there is no reservation: the model's condition is inverted",
  "CommitmentDiscountStatus-C-004-C":
    "wants a status where there is no commitment: the model's condition is inverted",
  "ContractedCost-C-004-M": "is C-003-M again: takes a null for no decimal",
  "ListCost-C-004-M": "is C-003-M again: takes a null for no decimal",
  "ServiceName-C-008-C": "counts the subcategories of a service, and has no such column",
};

const RULES = allocationRulesSchema.parse({
  apiVersion: "bedplate/v1",
  kind: "AllocationRules",
  rules: [{ name: "tax", cost: { reasons: ["tax", "credit"] }, split: { by: "weighted" } }],
});

const folder = mkdtempSync(path.join(tmpdir(), "bedplate-focus-validator-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface FailedRule {
  readonly id: string;
  /** The column that it is about. */
  readonly column: string;
}

/** Rules that fail, without those that only add up others. */
async function failedRules(csv: string): Promise<readonly FailedRule[]> {
  const file = path.join(folder, "dataset.csv");
  writeFileSync(file, csv);
  const args = ["--data-file", file, "--validate-version", "1.2", "--block-download"];
  const { stdout } = await promisify(execFile)(
    FOCUS_VALIDATOR,
    [...args, "--applicability-criteria", CRITERIA.join(",")],
    { cwd: focusValidatorFolder(), timeout: 120_000, maxBuffer: 64 * 1024 * 1024 },
  ).catch((error: unknown) => {
    // It exits with 1 where a rule fails, and says which on stdout.
    if (error instanceof Error && "stdout" in error) return { stdout: String(error.stdout) };
    throw error;
  });
  expect(Number(/Pass: (\d+)/.exec(stdout)?.[1]), stdout.slice(0, 2000)).toBeGreaterThan(250);
  return [...stdout.matchAll(/^\S+ ([A-Za-z]+-[A-Z]-\d{3}-[MCO]): FAIL +(.*)$/gm)].flatMap(
    ([, id = "", message = ""]) => {
      if (/: AND failed/.test(message)) return [];
      const column = /Column '(\w+)' (?:MUST|RECOMMENDED)/.exec(message)?.[1] ?? id.split("-")[0] ?? "";
      return [{ id, column }];
    },
  );
}

function isExplained({ id, column }: FailedRule): boolean {
  return (
    Object.hasOwn(LEFT_OUT, column) ||
    Object.hasOwn(OF_THE_VALIDATOR, id) ||
    isKnownException(`CAU-${id}`, "CUR")
  );
}

describeWith([VALIDATOR], "the FinOps Foundation's rules of FOCUS 1.2", () => {
  it.each(["cur2", "focus-1.3"] as const)(
    "hold for the allocated bill of %s but for what is explained, and not for a broken one",
    async (kind) => {
      const input = path.join(folder, kind);
      const month = { kind, format: "csv", rows: 3000, seed: 5, month: "2026-02" } as const;
      await generateMonth({ ...month, deliveries: 1, out: input });
      const rules = { name: "rules.yaml", sha256: "0".repeat(64), data: RULES };
      const args = { input, key: reportKey("team", undefined), rules };
      const report = await buildCostReport(args);
      const csv = renderFocus(report, await readFocusParts(args, report));
      const failed = await failedRules(csv);
      expect(failed.filter((rule) => !isExplained(rule))).toEqual([]);
      const columns = new Set(failed.map(({ column }) => column));
      expect([...columns].filter((column) => Object.hasOwn(LEFT_OUT, column)).toSorted()).toEqual(
        Object.keys(LEFT_OUT).toSorted(),
      );

      // An unknown value of an enumeration it lets pass where another row has a known one: ours are the stricter rules.
      const broken = csv.replaceAll(",USD,", ",US,").replaceAll(",Amazon Elastic Compute Cloud,", ",,");
      expect(broken).not.toBe(csv);
      const found = (await failedRules(broken)).filter((rule) => !isExplained(rule)).map(({ id }) => id);
      expect(found).toEqual(expect.arrayContaining(["BillingCurrency-C-003-M", "ServiceName-C-003-M"]));
    },
    300_000,
  );
});
