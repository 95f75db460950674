import { readRecords, unitsOf } from "../exact-csv-sum.ts";

/** A row of a FOCUS dataset in CSV, by column; no value is "". */
export type DatasetRow = Readonly<Record<string, string>>;

export function datasetRows(csv: string): readonly DatasetRow[] {
  const [header = [], ...records] = readRecords(csv);
  return records.map((record) =>
    Object.fromEntries(header.map((column, index) => [column, record[index] ?? ""])),
  );
}

/** In units of 10^-60; a row without a value adds nothing. */
export function columnSum(rows: readonly DatasetRow[], column: string): bigint {
  return rows.reduce((sum, row) => sum + (unitsOf(row[column] === "" ? "0" : (row[column] ?? "")) ?? 0n), 0n);
}

const DECIMAL = /^-?\d+(\.\d+)?$/;
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const PRESENT = /./s;

const CATEGORIES =
  "AI and Machine Learning|Analytics|Business Applications|Compute|Databases|Developer Tools|Multicloud|Identity|" +
  "Integration|Internet of Things|Management and Governance|Media|Migration|Mobile|Networking|Security|Storage|Web|Other";

/**
 * What FOCUS 1.3 asks of a value that may not be null, as read on 2026-11-21 in the specification's columns (Cost and
 * Usage dataset); no published program checks that version.
 */
const NOT_NULL: Readonly<Record<string, RegExp>> = {
  BilledCost: DECIMAL,
  BillingAccountId: PRESENT,
  BillingCurrency: /^[A-Z]{3}$/,
  BillingPeriodEnd: UTC,
  BillingPeriodStart: UTC,
  ChargeCategory: /^(Usage|Purchase|Tax|Credit|Adjustment)$/,
  ChargePeriodEnd: UTC,
  ChargePeriodStart: UTC,
  EffectiveCost: DECIMAL,
  HostProviderName: PRESENT,
  InvoiceIssuerName: PRESENT,
  ProviderName: PRESENT,
  PublisherName: PRESENT,
  ServiceCategory: new RegExp(`^(${CATEGORIES})$`),
  ServiceName: PRESENT,
  ServiceProviderName: PRESENT,
};

/** The same of columns that may be null, or that Bedplate leaves empty where the bill has no price. */
const NULLABLE: Readonly<Record<string, RegExp>> = {
  AllocatedMethodId: PRESENT,
  AllocatedResourceId: PRESENT,
  BillingAccountName: PRESENT,
  ChargeClass: /^Correction$/,
  ChargeDescription: PRESENT,
  ContractedCost: DECIMAL,
  ListCost: DECIMAL,
  PricingQuantity: DECIMAL,
  PricingUnit: PRESENT,
};

function isJsonObject(text: string): boolean {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function rowFaults(row: DatasetRow): readonly string[] {
  const wrong = (columns: Readonly<Record<string, RegExp>>, mayBeEmpty: boolean): string[] =>
    Object.entries(columns).flatMap(([column, good]) => {
      const value = row[column];
      if (value === undefined) return [`${column}: no such column`];
      return (mayBeEmpty && value === "") || good.test(value) ? [] : [`${column}: "${value}"`];
    });
  const isAllocated = row["AllocatedMethodId"] !== "";
  const tags = ["Tags", "AllocatedTags"].filter((column) => row[column] !== "");
  return [
    ...wrong(NOT_NULL, false),
    ...wrong(NULLABLE, true),
    ...tags.filter((column) => !isJsonObject(row[column] ?? "")).map((column) => `${column}: no JSON object`),
    ...(tags.length > 1 ? ["AllocatedTags: repeats Tags"] : []),
    ...(row["AllocatedResourceId"] === row["AllocatedResourceName"]
      ? []
      : ["AllocatedResourceName: another"]),
    ...(!isAllocated && (row["AllocatedResourceId"] !== "" || row["AllocatedTags"] !== "")
      ? ["AllocatedResourceId: of a charge that is not allocated"]
      : []),
    ...((row["BillingPeriodStart"] ?? "") < (row["BillingPeriodEnd"] ?? "")
      ? []
      : ["BillingPeriodEnd: before"]),
  ];
}

/** Everything that FOCUS 1.3 asks of a dataset's rows and that they do not keep. */
export function focusFaults(rows: readonly DatasetRow[]): readonly string[] {
  return rows.flatMap((row, index) => rowFaults(row).map((fault) => `row ${index + 1}: ${fault}`));
}
