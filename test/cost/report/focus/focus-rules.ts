import { readRecords, unitsOf } from "../exact-csv-sum.ts";
import { columnSum, type DatasetRow, datasetRows } from "./focus-rows.ts";

/**
 * The rules of FOCUS 1.3 for its Cost and Usage dataset, under the ids of its requirements model: the presence of every
 * column, and the type, format, nullability, allowed values and conditions of each that Bedplate writes. Rules that no
 * program can decide from the data (what an invoice says, what a provider documents) are not here.
 *
 * Source: https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, specification/requirements_model, read on
 * 2026-11-22. Columns that 1.3 left alone have the rules of 1.2 under the same numbers.
 */

type Keyword = "MUST" | "SHOULD";

interface RowRule {
  readonly id: string;
  readonly keyword: Keyword;
  readonly column: string;
  readonly says: string;
  readonly holds: (row: DatasetRow) => boolean;
}

/** A rule on which columns there are, or on rows together: the places where it is broken. */
interface DatasetRule {
  readonly id: string;
  readonly keyword: Keyword;
  readonly faults: (columns: readonly string[], rows: readonly DatasetRow[]) => readonly string[];
}

type When = (row: DatasetRow) => boolean;

function valueOf(row: DatasetRow, column: string): string {
  return row[column] ?? "";
}

const always: When = () => true;
const not =
  (when: When): When =>
  (row) =>
    !when(row);
const is =
  (column: string, ...values: readonly string[]): When =>
  (row) =>
    values.includes(valueOf(row, column));
const isNull = (column: string): When => is(column, "");
const isAllocated: When = not(isNull("AllocatedMethodId"));
const isNewUsageOrPurchase: When = (row) =>
  is("ChargeCategory", "Usage", "Purchase")(row) && !is("ChargeClass", "Correction")(row);

/** `C-003-M` of a column under its whole name. */
function idOf(column: string, rule: string): string {
  return `CAU-${column}-${rule}`;
}

function mustBeNull(column: string, rule: string, when: When): RowRule {
  const holds = (row: DatasetRow): boolean => !when(row) || isNull(column)(row);
  return { id: idOf(column, rule), keyword: "MUST", column, says: "has to be null here", holds };
}

function mustNotBeNull(column: string, rule: string, when = always, keyword: Keyword = "MUST"): RowRule {
  const holds = (row: DatasetRow): boolean => !when(row) || !isNull(column)(row);
  return { id: idOf(column, rule), keyword, column, says: "is null", holds };
}

function matches(column: string, rule: string, says: string, isGood: (value: string) => boolean): RowRule {
  const holds = (row: DatasetRow): boolean => isNull(column)(row) || isGood(valueOf(row, column));
  return { id: idOf(column, rule), keyword: "MUST", column, says, holds };
}

function oneOf(column: string, rule: string, values: readonly string[]): RowRule {
  return matches(column, rule, `is none of ${values.join(", ")}`, (value) => values.includes(value));
}

/** A plain or E-notation number: no sign for what is above 0, none in the exponent either, no unit, no comma. */
const NUMERIC = /^-?\d+(\.\d+)?(E-?\d+)?$/;
const NUMERIC_SAYS = "is no number (NumericFormat)";

const numeric = (column: string, type = "C-001-M", format = "C-002-M"): readonly RowRule[] => [
  matches(column, type, "is no decimal", (value) => Number.isFinite(Number(value))),
  matches(column, format, NUMERIC_SAYS, (value) => NUMERIC.test(value)),
];

const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

function isUtc(value: string): boolean {
  return UTC.test(value) && new Date(value).toISOString().replace(".000Z", "Z") === value;
}

const moment = (column: string): readonly RowRule[] => [
  matches(column, "C-001-M", "is no date and time", (value) => !Number.isNaN(Date.parse(value))),
  matches(column, "C-002-M", "is no UTC time as YYYY-MM-DDTHH:mm:ssZ (DateTimeFormat)", isUtc),
  mustNotBeNull(column, "C-003-M"),
];

const endsAfter = (end: string, start: string): RowRule => ({
  id: idOf(end, "C-004-M"),
  keyword: "MUST",
  column: end,
  says: `is not after ${start}, and it is the first moment that is no more of the period`,
  holds: (row) => valueOf(row, start) < valueOf(row, end),
});

/** Every value in a CSV file is a string; what can go wrong is what it is made of. */
const text = (column: string, format = "C-002-M"): RowRule =>
  matches(
    column,
    format,
    "is no string that is kept as it is (StringHandling)",
    (value) => value.isWellFormed() && value.trim() !== "",
  );

function objectOf(value: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
      ? Object.fromEntries(Object.entries(parsed))
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const keyValue = (column: string, rule = "C-001-M"): RowRule =>
  matches(column, rule, "is no JSON object of plain values (KeyValueFormat)", (value) => {
    const object = objectOf(value);
    return (
      object !== undefined && !Object.values(object).some((one) => typeof one === "object" && one !== null)
    );
  });

function isProduct(row: DatasetRow, price: string, cost: string): boolean {
  const factors = [price, "PricingQuantity"].map((column) => valueOf(row, column));
  if (factors.includes("")) return true;
  const product = factors.reduce((all, factor) => all * Number(factor), 1);
  return Math.abs(product - Number(valueOf(row, cost))) < 1e-9;
}

const isCostOfPrice = (column: string, rule: string, price: string, cost: string): RowRule => ({
  id: idOf(column, rule),
  keyword: "MUST",
  column,
  says: `${cost} is not ${price} times PricingQuantity`,
  holds: (row) => isProduct(row, price, cost),
});

/** What has a price has a SKU, and what has no SKU price has none of its parts; a tax has neither. */
const ofSkuPrice = (column: string, tax: string, usage: string, ownRule?: string): readonly RowRule[] => [
  mustBeNull(column, tax, is("ChargeCategory", "Tax")),
  mustNotBeNull(column, usage, isNewUsageOrPurchase),
  ...(ownRule === undefined ? [] : [mustBeNull(column, ownRule, isNull("SkuPriceId"))]),
];

const notNegative = (column: string, rule: string): RowRule =>
  matches(column, rule, "is below 0", (value) => !(Number(value) < 0));

/** There with its owner column, and only there. */
const namedBy = (column: string, of: string, without: string, withOwner: string): readonly RowRule[] => [
  mustBeNull(column, without, isNull(of)),
  mustNotBeNull(column, withOwner, not(isNull(of))),
];

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf("currency"));

const CHARGE_CATEGORIES = ["Usage", "Purchase", "Tax", "Credit", "Adjustment"];

const SERVICE_CATEGORIES = [
  "AI and Machine Learning",
  "Analytics",
  "Business Applications",
  "Compute",
  "Databases",
  "Developer Tools",
  "Multicloud",
  "Identity",
  "Integration",
  "Internet of Things",
  "Management and Governance",
  "Media",
  "Migration",
  "Mobile",
  "Networking",
  "Security",
  "Storage",
  "Web",
  "Other",
];

/** FOCUS names two columns' values as a way to say "nobody": everywhere else such a text is a null that was dressed up. */
const MAY_BE_NOT_APPLICABLE = ["HostProviderName", "PublisherName"];

const NOT_APPLICABLE_COLUMNS = ["InvoiceIssuerName", "ProviderName", "ServiceName", "ServiceProviderName"];

/** What is unrelated to other charges costs the same in every way. */
const asBilled = (column: string, rule: string): RowRule => ({
  id: idOf(column, rule),
  keyword: "MUST",
  column,
  says: "of a credit is not its BilledCost",
  holds: (row) =>
    !is("ChargeCategory", "Credit")(row) ||
    isNull(column)(row) ||
    unitsOf(valueOf(row, column)) === unitsOf(valueOf(row, "BilledCost")),
});

const ROW_RULES: readonly RowRule[] = [
  text("AllocatedMethodId"),
  mustBeNull("AllocatedMethodDetails", "C-005-C", not(isAllocated)),
  mustNotBeNull("AllocatedMethodDetails", "C-006-C", isAllocated, "SHOULD"),
  text("AllocatedResourceId"),
  mustBeNull("AllocatedResourceId", "C-004-C", not(isAllocated)),
  mustNotBeNull("AllocatedResourceId", "C-006-C", (row) => isAllocated(row) && is("x_Bucket", "owner")(row)),
  mustBeNull("AllocatedResourceId", "C-005-C", (row) => is("x_Bucket", "idle", "untagged")(row)),
  text("AllocatedResourceName"),
  ...namedBy("AllocatedResourceName", "AllocatedResourceId", "C-004-C", "C-005-C"),
  keyValue("AllocatedTags"),
  mustBeNull("AllocatedTags", "C-003-C", not(isAllocated)),
  {
    id: "CAU-AllocatedTags-C-006-M",
    keyword: "MUST",
    column: "AllocatedTags",
    says: "repeats a tag of Tags",
    holds: (row) => {
      const tags = objectOf(valueOf(row, "Tags")) ?? {};
      return Object.keys(objectOf(valueOf(row, "AllocatedTags")) ?? {}).every(
        (key) => !Object.hasOwn(tags, key),
      );
    },
  },
  ...numeric("BilledCost"),
  mustNotBeNull("BilledCost", "C-003-M"),
  {
    id: "CAU-BilledCost-C-005-C",
    keyword: "MUST",
    column: "BilledCost",
    says: "is not 0, though somebody else than the service's provider is paid",
    holds: (row) =>
      valueOf(row, "ServiceProviderName") === valueOf(row, "InvoiceIssuerName") ||
      Number(valueOf(row, "BilledCost")) === 0,
  },
  mustNotBeNull("BillingAccountId", "C-001-M"),
  text("BillingAccountId", "C-003-M"),
  text("BillingAccountName"),
  mustNotBeNull("BillingAccountName", "C-003-C"),
  text("BillingCurrency"),
  matches("BillingCurrency", "C-003-M", "is no code of ISO 4217", (value) => CURRENCIES.has(value)),
  mustNotBeNull("BillingCurrency", "C-004-M"),
  ...moment("BillingPeriodEnd"),
  endsAfter("BillingPeriodEnd", "BillingPeriodStart"),
  ...moment("BillingPeriodStart"),
  ...namedBy("CapacityReservationStatus", "CapacityReservationId", "C-003-C", "C-004-C"),
  mustNotBeNull("CapacityReservationId", "C-005-C", is("x_Reason", "unused-reservation")),
  mustNotBeNull("ChargeCategory", "C-002-M"),
  oneOf("ChargeCategory", "C-003-M", CHARGE_CATEGORIES),
  oneOf("ChargeClass", "C-005-C", ["Correction"]),
  text("ChargeDescription"),
  mustNotBeNull("ChargeDescription", "C-003-O", always, "SHOULD"),
  ...moment("ChargePeriodEnd"),
  endsAfter("ChargePeriodEnd", "ChargePeriodStart"),
  ...moment("ChargePeriodStart"),
  ...namedBy("CommitmentDiscountCategory", "CommitmentDiscountId", "C-003-C", "C-004-C"),
  oneOf("CommitmentDiscountCategory", "C-005-M", ["Spend", "Usage"]),
  mustNotBeNull(
    "CommitmentDiscountId",
    "C-005-C",
    is("x_Reason", "unused-commitment", "commitment-purchase"),
  ),
  mustBeNull("CommitmentDiscountQuantity", "C-007-C", isNull("CommitmentDiscountId")),
  mustBeNull("CommitmentDiscountStatus", "C-003-C", isNull("CommitmentDiscountId")),
  oneOf("CommitmentDiscountStatus", "C-005-M", ["Used", "Unused"]),
  ...namedBy("CommitmentDiscountType", "CommitmentDiscountId", "C-004-C", "C-005-C"),
  ...namedBy("CommitmentDiscountUnit", "CommitmentDiscountQuantity", "C-005-C", "C-006-C"),
  ...numeric("ConsumedQuantity"),
  mustBeNull("ConsumedQuantity", "C-004-C", not(is("ChargeCategory", "Usage"))),
  mustNotBeNull(
    "ConsumedQuantity",
    "C-006-C",
    (row) =>
      is("ChargeCategory", "Usage")(row) &&
      isNewUsageOrPurchase(row) &&
      !is("CommitmentDiscountStatus", "Unused")(row),
  ),
  ...namedBy("ConsumedUnit", "ConsumedQuantity", "C-005-C", "C-006-C"),
  ...numeric("ContractedCost"),
  mustNotBeNull("ContractedCost", "C-003-M"),
  ...numeric("ContractedUnitPrice", "C-002-M", "C-003-M"),
  ...ofSkuPrice("ContractedUnitPrice", "C-005-C", "C-006-C"),
  notNegative("ContractedUnitPrice", "C-009-C"),
  isCostOfPrice("ContractedUnitPrice", "C-011-C", "ContractedUnitPrice", "ContractedCost"),
  asBilled("ContractedCost", "C-008-C"),
  ...numeric("EffectiveCost"),
  asBilled("EffectiveCost", "C-010-C"),
  mustNotBeNull("EffectiveCost", "C-003-M"),
  {
    id: "CAU-EffectiveCost-C-005-C",
    keyword: "MUST",
    column: "EffectiveCost",
    says: "is not 0 for a purchase",
    holds: (row) => !is("ChargeCategory", "Purchase")(row) || Number(valueOf(row, "EffectiveCost")) === 0,
  },
  text("HostProviderName"),
  mustNotBeNull("HostProviderName", "C-003-M"),
  text("InvoiceIssuerName"),
  mustNotBeNull("InvoiceIssuerName", "C-003-M"),
  ...numeric("ListCost"),
  mustNotBeNull("ListCost", "C-003-M"),
  asBilled("ListCost", "C-008-C"),
  isCostOfPrice("ListCost", "C-011-C", "ListUnitPrice", "ListCost"),
  ...numeric("ListUnitPrice"),
  ...ofSkuPrice("ListUnitPrice", "C-004-C", "C-005-C", "C-012-C"),
  notNegative("ListUnitPrice", "C-008-M"),
  ...ofSkuPrice("PricingCategory", "C-003-C", "C-004-C", "C-012-C"),
  oneOf("PricingCategory", "C-007-M", ["Standard", "Committed", "Dynamic", "Other"]),
  ...numeric("PricingQuantity"),
  ...ofSkuPrice("PricingQuantity", "C-004-C", "C-005-C", "C-011-C"),
  ...namedBy("PricingUnit", "PricingQuantity", "C-005-C", "C-006-C"),
  text("ProviderName"),
  mustNotBeNull("ProviderName", "C-003-M"),
  text("PublisherName"),
  mustNotBeNull("PublisherName", "C-003-M"),
  text("RegionId"),
  text("RegionName"),
  ...namedBy("RegionName", "RegionId", "C-004-C", "C-005-C"),
  mustBeNull("ResourceName", "C-004-C", isNull("ResourceId")),
  ...namedBy("ResourceType", "ResourceId", "C-004-C", "C-005-C"),
  mustNotBeNull("ServiceCategory", "C-002-M"),
  oneOf("ServiceCategory", "C-003-M", SERVICE_CATEGORIES),
  text("ServiceName"),
  mustNotBeNull("ServiceName", "C-003-M"),
  text("ServiceProviderName"),
  mustNotBeNull("ServiceProviderName", "C-003-M"),
  ...ofSkuPrice("SkuId", "C-004-C", "C-005-C"),
  mustBeNull("SkuMeter", "C-004-C", isNull("SkuId")),
  mustBeNull("SkuPriceDetails", "C-004-C", isNull("SkuPriceId")),
  ...ofSkuPrice("SkuPriceId", "C-004-C", "C-005-C"),
  text("SubAccountId"),
  text("SubAccountName"),
  ...namedBy("SubAccountName", "SubAccountId", "C-004-C", "C-005-C"),
  keyValue("Tags"),
  ...NOT_APPLICABLE_COLUMNS.map((column): RowRule => ({
    id: "NullHandling-A-002-M",
    keyword: "MUST",
    column,
    says: "has a text in place of a null",
    holds: not(is(column, "Not Applicable", "NULL", "null", "None")),
  })),
  ...MAY_BE_NOT_APPLICABLE.map((column): RowRule => ({
    id: "NullHandling-A-002-M",
    keyword: "MUST",
    column,
    says: "has a text in place of a null",
    holds: not(is(column, "NULL", "null", "None")),
  })),
];

/** Columns that have to be there, or should be; of providers that have such a thing, as those of AWS do. */
const PRESENCE: readonly (readonly [column: string, rule: string, keyword: Keyword])[] = [
  ["AvailabilityZone", "D-003-C", "SHOULD"],
  ["ListUnitPrice", "D-004-C", "MUST"],
  ["BillingAccountName", "D-005-M", "MUST"],
  ["BilledCost", "D-006-M", "MUST"],
  ["ChargeCategory", "D-008-M", "MUST"],
  ["BillingPeriodStart", "D-009-M", "MUST"],
  ["BillingPeriodEnd", "D-010-M", "MUST"],
  ["ConsumedQuantity", "D-011-C", "MUST"],
  ["CommitmentDiscountName", "D-012-C", "MUST"],
  ["CommitmentDiscountId", "D-013-C", "MUST"],
  ["CommitmentDiscountType", "D-014-C", "MUST"],
  ["CommitmentDiscountUnit", "D-015-C", "MUST"],
  ["CommitmentDiscountCategory", "D-016-C", "MUST"],
  ["CommitmentDiscountStatus", "D-017-C", "MUST"],
  ["CommitmentDiscountQuantity", "D-018-C", "MUST"],
  ["SubAccountId", "D-019-C", "MUST"],
  ["CapacityReservationStatus", "D-020-C", "MUST"],
  ["PublisherName", "D-021-M", "MUST"],
  ["PricingCategory", "D-022-C", "MUST"],
  ["InvoiceIssuerName", "D-023-M", "MUST"],
  ["BillingAccountId", "D-024-M", "MUST"],
  ["ChargeDescription", "D-025-M", "MUST"],
  ["ChargeClass", "D-026-M", "MUST"],
  ["ChargeFrequency", "D-027-O", "SHOULD"],
  ["ChargePeriodEnd", "D-028-M", "MUST"],
  ["SubAccountName", "D-029-C", "MUST"],
  ["ContractedCost", "D-030-M", "MUST"],
  ["EffectiveCost", "D-031-M", "MUST"],
  ["ListCost", "D-032-M", "MUST"],
  ["InvoiceId", "D-033-O", "SHOULD"],
  ["ContractedUnitPrice", "D-034-C", "MUST"],
  ["BillingCurrency", "D-035-M", "MUST"],
  ["PricingQuantity", "D-036-M", "MUST"],
  ["ChargePeriodStart", "D-037-M", "MUST"],
  ["ProviderName", "D-038-M", "MUST"],
  ["ResourceType", "D-039-C", "MUST"],
  ["ServiceCategory", "D-040-M", "MUST"],
  ["ServiceName", "D-041-M", "MUST"],
  ["ServiceSubcategory", "D-042-O", "SHOULD"],
  ["ResourceId", "D-043-C", "MUST"],
  ["ResourceName", "D-044-C", "MUST"],
  ["SkuPriceId", "D-058-C", "MUST"],
  ["SkuMeter", "D-059-C", "MUST"],
  ["SkuId", "D-060-C", "MUST"],
  ["SkuPriceDetails", "D-061-C", "MUST"],
  ["RegionName", "D-062-C", "MUST"],
  ["RegionId", "D-063-C", "MUST"],
  ["Tags", "D-064-C", "MUST"],
  ["CapacityReservationId", "D-065-C", "MUST"],
  ["ConsumedUnit", "D-066-C", "MUST"],
  ["PricingUnit", "D-068-M", "MUST"],
  ["AllocatedMethodDetails", "D-069-C", "SHOULD"],
  ["AllocatedMethodId", "D-070-C", "MUST"],
  ["AllocatedResourceId", "D-071-C", "MUST"],
  ["AllocatedResourceName", "D-072-C", "MUST"],
  ["AllocatedTags", "D-073-C", "MUST"],
  ["ContractApplied", "D-074-C", "MUST"],
  ["HostProviderName", "D-075-M", "MUST"],
  ["ServiceProviderName", "D-076-M", "MUST"],
];

const METRICS = ["BilledCost", "ContractedCost", "EffectiveCost", "ListCost"];

/** What has to be the same of an allocated charge and of the charge that it is split from. */
const ORIGIN_DIMENSIONS = ["BillingCurrency", "BillingPeriodStart", "ServiceName", "ChargeCategory"];

const SPLIT = "DataGeneratorCalculatedSplitCostAllocationHandling";

function dimensions(row: DatasetRow, columns: readonly string[]): string {
  return JSON.stringify(columns.map((column) => valueOf(row, column)));
}

const DATASET_RULES: readonly DatasetRule[] = [
  ...PRESENCE.map(([column, rule, keyword]): DatasetRule => ({
    id: `CAU-CostAndUsage-${rule}`,
    keyword,
    faults: (columns) => (columns.includes(column) ? [] : [`no column ${column}`]),
  })),
  {
    id: "ColumnHandling-A-010-M",
    keyword: "MUST",
    faults: (columns) =>
      columns
        .filter((column) => !PRESENCE.some(([known]) => known === column) && !/^x_[A-Z]/.test(column))
        .map((column) => `${column} is an own column without x_`),
  },
  {
    id: "ColumnHandling-A-013-O",
    keyword: "SHOULD",
    faults: (columns) => {
      const firstOwn = columns.findIndex((column) => column.startsWith("x_"));
      const after =
        firstOwn === -1 ? [] : columns.slice(firstOwn).filter((column) => !column.startsWith("x_"));
      return after.map((column) => `${column} is after own columns`);
    },
  },
  {
    id: "CAU-ServiceName-C-005-C",
    keyword: "MUST",
    faults: (_, rows) =>
      [...Map.groupBy(rows, (row) => valueOf(row, "ServiceName"))].flatMap(([service, same]) =>
        new Set(same.map((row) => valueOf(row, "ServiceCategory"))).size === 1
          ? []
          : [`${service} is in several categories`],
      ),
  },
  {
    // An origin stays with all its cost, and the rows of what moved it take away what they give: together it is the origin.
    id: `${SPLIT}-A-003-M`,
    keyword: "MUST",
    faults: (_, rows) =>
      [
        ...Map.groupBy(rows.filter(isAllocated), (row) =>
          dimensions(row, ["AllocatedMethodId", ...ORIGIN_DIMENSIONS]),
        ),
      ].flatMap(([group, same]) =>
        METRICS.filter((metric) => columnSum(same, metric) !== 0n).map(
          (metric) => `${metric} of ${group} changes the sum of its origins`,
        ),
      ),
  },
  {
    id: `${SPLIT}-A-004-M`,
    keyword: "MUST",
    faults: (_, rows) => {
      const origins = new Set(rows.filter(not(isAllocated)).map((row) => dimensions(row, ORIGIN_DIMENSIONS)));
      return rows
        .filter(isAllocated)
        .map((row) => dimensions(row, ORIGIN_DIMENSIONS))
        .filter((group) => !origins.has(group))
        .map((group) => `${group} is split from no charge that is there`);
    },
  },
  {
    id: `${SPLIT}-A-005-M`,
    keyword: "MUST",
    faults: (_, rows) => {
      const origins = Map.groupBy(rows.filter(not(isAllocated)), (row) => dimensions(row, ORIGIN_DIMENSIONS));
      return rows.flatMap((row, index) => {
        const from = origins.get(dimensions(row, ORIGIN_DIMENSIONS)) ?? [];
        const isTagged =
          !isAllocated(row) || from.some((one) => valueOf(one, "Tags") === valueOf(row, "Tags"));
        return isTagged ? [] : [`row ${index + 1}: Tags are those of no charge that it may be split from`];
      });
    },
  },
];

/** A rule's faults, the first few in words. */
interface BrokenRule {
  readonly id: string;
  readonly keyword: Keyword;
  readonly faults: readonly string[];
}

/** The rules of FOCUS 1.3 that a dataset in CSV breaks, in the order of their ids. */
export function brokenRules(csv: string): readonly BrokenRule[] {
  const rows = datasetRows(csv);
  const [columns = []] = readRecords(csv);
  const ofRows = ROW_RULES.map(({ id, keyword, column, says, holds }): BrokenRule => {
    const faults = rows.flatMap((row, index) =>
      holds(row) ? [] : [`row ${index + 1}: ${column} ${says}: "${valueOf(row, column)}"`],
    );
    return { id, keyword, faults };
  });
  const ofDataset = DATASET_RULES.map(({ id, keyword, faults }): BrokenRule => ({
    id,
    keyword,
    faults: faults(columns, rows),
  }));
  const all = [...ofRows, ...ofDataset];
  return [...Map.groupBy(all, ({ id }) => id)]
    .map(([id, same]) => ({
      id,
      keyword: same.some(({ keyword }) => keyword === "MUST") ? ("MUST" as const) : ("SHOULD" as const),
      faults: same.flatMap(({ faults }) => faults),
    }))
    .filter(({ faults }) => faults.length > 0)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** Ids of all rules that are checked. */
export function checkedRules(): readonly string[] {
  return [...new Set([...ROW_RULES, ...DATASET_RULES].map(({ id }) => id))].toSorted();
}
