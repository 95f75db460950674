import type { Fault } from "../../host-tuning/errors.ts";

/** What a bill file is, as its columns tell. */
export type BillKind =
  | { readonly standard: "FOCUS"; readonly version: "1.0" | "1.1" | "1.2" | "1.3" }
  | { readonly standard: "CUR"; readonly version: "2.0" | "legacy" };

/** Without these no bill can be split and balanced. */
const REQUIRED = [
  "BilledCost",
  "EffectiveCost",
  "BillingCurrency",
  "BillingPeriodStart",
  "BillingPeriodEnd",
  "ChargePeriodStart",
  "ChargePeriodEnd",
  "ChargeCategory",
  "ServiceName",
] as const;

/** Read where they are there; the standard makes them conditional. */
const OPTIONAL = [
  "ChargeClass",
  "ChargeDescription",
  "CommitmentDiscountId",
  "CommitmentDiscountStatus",
  "CommitmentDiscountType",
  "CapacityReservationStatus",
  "ListCost",
  "ProviderName",
  "RegionId",
  "ResourceId",
  "SubAccountId",
  "Tags",
  "AllocatedMethodId",
  "x_UsageType",
  // What a line that was split off an instance is: its used or its idle part, of which resource and of which instance.
  "x_SplitPart",
  "x_SplitResource",
  "x_SplitParentResourceId",
  "x_SplitParentTags",
] as const;

export const READ_COLUMNS = [...REQUIRED, ...OPTIONAL] as const;

export type ReadColumn = (typeof READ_COLUMNS)[number];

/** Columns that the standard knows and that the report does not need. Others start with `x_`, or are reported. */
const OTHER_FOCUS_COLUMNS =
  "AvailabilityZone BillingAccountId BillingAccountName BillingAccountType CapacityReservationId ChargeFrequency " +
  "CommitmentDiscountCategory CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountUnit " +
  "ConsumedQuantity ConsumedUnit ContractedCost ContractedUnitPrice InvoiceId InvoiceIssuerName ListUnitPrice " +
  "PricingCategory PricingCurrency PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost " +
  "PricingCurrencyListUnitPrice PricingQuantity PricingUnit PublisherName RegionName ResourceName ResourceType " +
  "ServiceCategory ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId SubAccountName SubAccountType " +
  "AllocatedMethodDetails AllocatedResourceId AllocatedResourceName AllocatedTags ContractApplied ServiceProviderName " +
  "HostProviderName";

const KNOWN = new Set([...READ_COLUMNS, ...OTHER_FOCUS_COLUMNS.split(" ")].map((name) => name.toLowerCase()));

/** Columns that came with a version; the newest one found names the version. */
const VERSION_MARKS = [
  ["1.3", ["AllocatedMethodId", "ServiceProviderName", "ContractApplied"]],
  ["1.2", ["InvoiceId", "PricingCurrency", "BillingAccountType", "SubAccountType"]],
  ["1.1", ["CapacityReservationId", "CommitmentDiscountQuantity", "ServiceSubcategory", "SkuMeter"]],
] as const;

/** What FOCUS 1.3 calls a column that it gave up: read where a bill has no column of the old name. */
const SUCCESSORS: Readonly<Partial<Record<ReadColumn, string>>> = { ProviderName: "ServiceProviderName" };

/** A column that only this other kind of bill has, and what it is. */
const OTHER_KINDS = [
  ["costinbillingcurrency", "an Azure cost export"],
  ["metercategory", "an Azure cost export"],
  ["cost_in_micros", "a Google billing export"],
] as const;

/** The prices that a report shows beside what is paid: those for everyone, or those that were negotiated. */
export type ListColumn = "ListCost" | "ContractedCost";

/** Where the file has each column that the report reads: our name to the file's, whatever its case. */
export type ColumnMap = ReadonlyMap<ReadColumn, string>;

export interface ColumnFindings {
  readonly kind: BillKind;
  readonly columns: ColumnMap;
  /** Columns that are neither FOCUS nor marked as own with `x_`. */
  readonly unknown: readonly string[];
  readonly faults: readonly Fault[];
}

/** A column that the header has more than once. */
export function duplicateFaults(names: readonly string[]): Fault[] {
  const counts = Map.groupBy(names, (name) => name.toLowerCase());
  return [...counts.values()]
    .filter((same) => same.length > 1)
    .map((same) => ({ path: same[0] ?? "", message: `the header has this column ${same.length} times` }));
}

/** Says what kind of bill a header belongs to, and everything that is wrong with it. */
export function findColumns(
  names: readonly string[],
  needed: readonly ReadColumn[],
  listColumn: ListColumn = "ListCost",
): ColumnFindings {
  const byLowerCase = new Map(names.map((name) => [name.toLowerCase(), name]));
  const other = OTHER_KINDS.find(([column]) => byLowerCase.has(column));
  const version =
    VERSION_MARKS.find(([, marks]) => marks.some((mark) => byLowerCase.has(mark.toLowerCase())))?.[0] ??
    "1.0";
  const columns = new Map<ReadColumn, string>();
  for (const column of READ_COLUMNS) {
    const spellings = column === "ListCost" ? [listColumn] : [column, SUCCESSORS[column] ?? column];
    const name = spellings.map((one) => byLowerCase.get(one.toLowerCase())).find((one) => one !== undefined);
    if (name !== undefined) columns.set(column, name);
  }
  const missing = [...new Set([...REQUIRED, ...needed])].filter((column) => !columns.has(column));
  const faults: Fault[] = [];
  if (other !== undefined && columns.size < REQUIRED.length) {
    faults.push({ path: "", message: `is ${other[1]}; give its export as FOCUS` });
  } else if (columns.size === 0) {
    const seen = names.slice(0, 5).join(", ");
    faults.push({
      path: "",
      message: `is no FOCUS bill: none of its columns is one (${seen}${names.length > 5 ? ", ..." : ""})`,
    });
  } else {
    faults.push(...missing.map((column) => ({ path: column, message: "the column is missing" })));
  }
  faults.push(...duplicateFaults(names));
  return {
    kind: { standard: "FOCUS", version },
    columns,
    unknown: names.filter((name) => !KNOWN.has(name.toLowerCase()) && !name.toLowerCase().startsWith("x_")),
    faults,
  };
}
