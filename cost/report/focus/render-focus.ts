import { InputError } from "../../../host-tuning/errors.ts";
import { addDecimals, type ExactDecimal, formatDecimal, parseDecimal } from "../../money/exact-decimal.ts";
import type { CostLine, CostReport } from "../cost-report.ts";
import { csvLine, foreignText } from "../render-csv.ts";
import { labelOf } from "../wording.ts";
import { linesByDimensions, ListCosts, refundsOf } from "./origins.ts";
import type { OwnerNames } from "./read-owner-names.ts";
import type { Payer, Payers } from "./read-payers.ts";

/**
 * Columns of FOCUS 1.3 that a report by owner cannot fill: a row adds up many resources, prices and units. They are there,
 * without a value, because the standard asks for most of them wherever a provider has such a thing.
 */
const WITHOUT_VALUE = [
  "AllocatedMethodDetails",
  "AvailabilityZone",
  "CapacityReservationId",
  "CapacityReservationStatus",
  "CommitmentDiscountCategory",
  "CommitmentDiscountId",
  "CommitmentDiscountName",
  "CommitmentDiscountQuantity",
  "CommitmentDiscountStatus",
  "CommitmentDiscountType",
  "CommitmentDiscountUnit",
  "ConsumedQuantity",
  "ConsumedUnit",
  "ContractApplied",
  "ContractedUnitPrice",
  "ListUnitPrice",
  "PricingCategory",
  "PricingQuantity",
  "PricingUnit",
  "ResourceId",
  "ResourceName",
  "ResourceType",
  "SkuId",
  "SkuMeter",
  "SkuPriceDetails",
  "SkuPriceId",
] as const;

/** Columns of FOCUS 1.3 that have a value, in its order, and own ones after them. */
const COLUMNS = [
  "AllocatedMethodId",
  "AllocatedResourceId",
  "AllocatedResourceName",
  "AllocatedTags",
  "BilledCost",
  "BillingAccountId",
  "BillingAccountName",
  "BillingCurrency",
  "BillingPeriodEnd",
  "BillingPeriodStart",
  "ChargeCategory",
  "ChargeClass",
  "ChargeDescription",
  "ChargePeriodEnd",
  "ChargePeriodStart",
  "ContractedCost",
  "EffectiveCost",
  "HostProviderName",
  "InvoiceIssuerName",
  "ListCost",
  "ProviderName",
  "PublisherName",
  "RegionId",
  "RegionName",
  "ServiceCategory",
  "ServiceName",
  "ServiceProviderName",
  "SubAccountId",
  "SubAccountName",
  "Tags",
  "x_Bucket",
  "x_Lines",
  "x_Owner",
  "x_Reason",
] as const;

type Column = (typeof COLUMNS)[number];

const HEADER = [...COLUMNS, ...WITHOUT_VALUE].toSorted((a, b) => {
  const own = (name: string): number => (name.startsWith("x_") ? 1 : 0);
  return own(a) - own(b) || (a < b ? -1 : 1);
});

/** The columns of a report that is split by a column of the bill: for the owner, and for its name where it has one. */
const OWNER_COLUMNS: Readonly<Record<string, readonly [id: Column, name?: Column]>> = {
  account: ["SubAccountId", "SubAccountName"],
  provider: ["ServiceProviderName"],
  region: ["RegionId", "RegionName"],
};

export interface FocusParts {
  readonly payers: Payers;
  /** What the bill calls the accounts or regions that are owners. */
  readonly ownerNames: OwnerNames;
  /** The same report at contracted prices; undefined where the bill names none, so that they are the list prices. */
  readonly contracted: CostReport | undefined;
}

interface Period {
  readonly start: string;
  readonly end: string;
}

function periodOf(month: string): Period {
  const start = new Date(`${month}-01T00:00:00Z`);
  const end = new Date(start);
  end.setUTCMonth(end.getUTCMonth() + 1);
  const text = (date: Date): string => date.toISOString().replace(".000Z", "Z");
  return { start: text(start), end: text(end) };
}

function sumOf(lines: readonly CostLine[], pick: (line: CostLine) => string): ExactDecimal {
  return addDecimals(lines.map((line) => parseDecimal(pick(line))));
}

function isNothing(amount: ExactDecimal | null): boolean {
  return amount === null || amount.units === 0n;
}

function payerFor(payers: Payers, service: string): Payer {
  const payer = payers.get(service) ?? payers.get(undefined);
  if (payer !== undefined) return payer;
  throw new InputError("command line", [
    {
      path: "--format",
      message: `focus needs the billing account of "${service}", and the bill has several: give each account's bill alone`,
    },
  ]);
}

/** Who has a cost; a rule that shares it out later is nobody, though the report shows it in an owner's place. */
function ownerOf({ bucket, owner, because }: CostLine): string | null {
  return bucket === "owner" || because === "shared-owner" ? owner : null;
}

function tagsOf(report: CostReport, owner: string | null): string {
  return report.tagKey === null || owner === null ? "" : JSON.stringify({ [report.tagKey]: owner });
}

function descriptionOf(line: CostLine): string {
  const what = `${line.ServiceName === "" ? line.ChargeCategory : line.ServiceName} of ${labelOf(line)}`;
  if (line.allocation === null) return what;
  return `${what}, moved by ${line.allocation}`;
}

function renderRows(report: CostReport, { payers, contracted, ownerNames }: FocusParts): readonly string[] {
  const list = new ListCosts(report);
  const negotiated = contracted === undefined ? list : new ListCosts(contracted);
  const isRefund = refundsOf(report);
  return [...linesByDimensions(report).values()].flatMap((same): string[] => {
    const [line] = same;
    if (line === undefined) return [];
    const billed = sumOf(same, ({ BilledCost }) => BilledCost);
    const effective = sumOf(same, ({ EffectiveCost }) => EffectiveCost);
    const listCost = list.of(line);
    const contractedCost = negotiated.of(line);
    const lines = same.reduce((sum, one) => sum + one.lines, 0);
    if (lines === 0 && [billed, effective, listCost, contractedCost].every(isNothing)) return [];
    const payer = payerFor(payers, line.ServiceName);
    const period = periodOf(line.BillingMonth);
    const owner = ownerOf(line);
    const ownerText = foreignText(owner ?? "");
    const isMoved = line.allocation !== null;
    const [ownerColumn, nameColumn] = OWNER_COLUMNS[report.by] ?? [];
    const ownColumns: Partial<Record<Column, string>> = {};
    if (ownerColumn !== undefined && owner !== null && !isMoved) {
      ownColumns[ownerColumn] = ownerText;
      if (nameColumn !== undefined) ownColumns[nameColumn] = foreignText(ownerNames.get(owner) ?? "");
    }
    const text = (amount: ExactDecimal | null): string => (amount === null ? "" : formatDecimal(amount));
    const row: Readonly<Record<Column, string>> = {
      AllocatedMethodId: foreignText(line.allocation ?? ""),
      AllocatedResourceId: isMoved ? ownerText : "",
      AllocatedResourceName: isMoved ? ownerText : "",
      AllocatedTags: isMoved ? tagsOf(report, owner) : "",
      BilledCost: text(billed),
      BillingAccountId: payer.billingAccountId,
      BillingAccountName: foreignText(payer.billingAccountName ?? ""),
      BillingCurrency: line.BillingCurrency,
      BillingPeriodEnd: period.end,
      BillingPeriodStart: period.start,
      ChargeCategory: line.ChargeCategory,
      ChargeClass: isRefund(line) ? "Correction" : "",
      ChargeDescription: foreignText(descriptionOf(line)),
      ChargePeriodEnd: period.end,
      ChargePeriodStart: period.start,
      ContractedCost: text(contractedCost),
      EffectiveCost: text(effective),
      HostProviderName: foreignText(payer.hostProvider),
      InvoiceIssuerName: foreignText(payer.invoiceIssuer),
      ListCost: text(listCost),
      ProviderName: foreignText(payer.provider),
      PublisherName: foreignText(payer.publisher),
      RegionId: "",
      RegionName: "",
      ServiceCategory: payer.serviceCategory,
      ServiceName: foreignText(line.ServiceName === "" ? "Not Applicable" : line.ServiceName),
      ServiceProviderName: foreignText(payer.provider),
      SubAccountId: "",
      SubAccountName: "",
      Tags: isMoved ? "" : tagsOf(report, owner),
      x_Bucket: line.bucket,
      x_Lines: String(lines),
      x_Owner: foreignText(line.owner ?? ""),
      x_Reason: line.because ?? "",
      ...ownColumns,
    };
    return [csvLine(HEADER.map((column) => (column in row ? row[column as Column] : "")))];
  });
}

/**
 * The report's lines as a FOCUS 1.3 dataset in CSV: a row per billing period, service, charge category and place, amounts
 * to the last digit of the bill, so that its sums are the bill's. What was moved is a row where it was taken, below 0, and
 * one where it went, both with the AllocatedMethodId of what moved it.
 *
 * Source: https://focus.finops.org/focus-specification/v1-3/
 *
 * @throws {InputError} when a service's billing account is not known
 */
export function renderFocus(report: CostReport, parts: FocusParts): string {
  return csvLine(HEADER) + renderRows(report, parts).join("");
}
