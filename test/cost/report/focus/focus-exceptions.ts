/**
 * Rules of FOCUS 1.3 that the allocated bill does not keep, each with the reason; docs/chargeback.md has the same ones
 * for readers. A rule that is here and that no dataset of the tests breaks has to go.
 */
const MANY_PRICES = "a row adds up many resources and prices, and has none of them";
const MANY_COMMITMENTS = "a row adds up all commitments or reservations of a service";
const NOT_IN_BILL = "the bill does not say it, and it is not made up";

const OF_EVERY_BILL: Readonly<Record<string, string>> = {
  "CAU-AllocatedMethodDetails-C-006-C": "recommended: the report's JSON has the shares of each rule",
  "CAU-BilledCost-C-005-C":
    "names are the bill's: AWS is invoiced by Amazon Web Services, Inc., which is no third party",
  "CAU-CapacityReservationId-C-005-C": MANY_COMMITMENTS,
  "CAU-CommitmentDiscountId-C-005-C": MANY_COMMITMENTS,
  "CAU-ConsumedQuantity-C-006-C": MANY_PRICES,
  "CAU-ContractedUnitPrice-C-006-C": MANY_PRICES,
  "CAU-CostAndUsage-D-027-O": "recommended: a row adds up charges of every frequency",
  "CAU-CostAndUsage-D-033-O": "recommended: a row adds up charges of several invoices",
  "CAU-CostAndUsage-D-042-O": "recommended: a Cost and Usage Report and FOCUS 1.0 have no subcategories",
  "CAU-ListUnitPrice-C-005-C": MANY_PRICES,
  "CAU-PricingCategory-C-004-C": MANY_PRICES,
  "CAU-PricingQuantity-C-005-C": MANY_PRICES,
  "CAU-SkuId-C-005-C": MANY_PRICES,
  "CAU-SkuPriceId-C-005-C": MANY_PRICES,
  "DataGeneratorCalculatedSplitCostAllocationHandling-A-005-M":
    "what was moved of several owners' charges at once has the tags of none",
  "NullHandling-A-002-M": "ServiceName may not be null, and charges of no service have no other name",
};

/** Of a Cost and Usage Report only: a bill in FOCUS says it. */
const OF_A_CUR: Readonly<Record<string, string>> = {
  "CAU-BillingAccountName-C-003-C": NOT_IN_BILL,
  "CAU-ContractedCost-C-003-M": NOT_IN_BILL,
  "CAU-ContractedCost-C-008-C": "a Cost and Usage Report has 0 as the list price of credits",
  "CAU-EffectiveCost-C-005-C": "support is a purchase that covers no later charge",
  "CAU-ListCost-C-003-M": NOT_IN_BILL,
  "CAU-ListCost-C-008-C": "a Cost and Usage Report has 0 as the list price of credits",
  "CAU-RegionName-C-005-C": NOT_IN_BILL,
  "CAU-SubAccountName-C-005-C": NOT_IN_BILL,
};

export const KNOWN_EXCEPTIONS = Object.keys({ ...OF_EVERY_BILL, ...OF_A_CUR }).toSorted();

export function isKnownException(id: string, standard: "FOCUS" | "CUR"): boolean {
  return Object.hasOwn(OF_EVERY_BILL, id) || (standard === "CUR" && Object.hasOwn(OF_A_CUR, id));
}
