import { type Check, mayBe, mustBe } from "./row-checks.ts";

/** Amounts of a Cost and Usage Report that are added up before the report is split: they have 18 digits for that. */
const CUR_AMOUNTS = [
  "reservation_unused_amortized_upfront_fee_for_billing_period",
  "reservation_unused_recurring_fee",
  "savings_plan_total_commitment_to_date",
  "savings_plan_used_commitment",
  "split_line_item_public_on_demand_split_cost",
  "split_line_item_public_on_demand_unused_cost",
  "split_line_item_split_cost",
  "split_line_item_unused_cost",
] as const;
const CUR_DIGITS = 18;

const CUR_LINE_TYPES = [
  "Usage",
  "DiscountedUsage",
  "SavingsPlanCoveredUsage",
  "SavingsPlanNegation",
  "SavingsPlanUpfrontFee",
  "SavingsPlanRecurringFee",
  "RIFee",
  "Fee",
  "Tax",
  "Credit",
  "Refund",
  "BundledDiscount",
  "Discount",
  "EdpDiscount",
  "MarketplaceDiscount",
  "PrivateRateDiscount",
  "SppDiscount",
];

function ofType(type: string, check: Check): Check {
  return { ...check, isBad: `line_item_line_item_type = '${type}' and ${check.isBad}` };
}

/** What makes a line of a Cost and Usage Report one that can be added up. */
export const CUR_CHECKS: readonly Check[] = [
  mustBe(
    "line_item_line_item_type",
    `line_item_line_item_type in (${CUR_LINE_TYPES.map((type) => `'${type}'`).join(", ")})`,
    "no line item type that is known here",
  ),
  mustBe("line_item_unblended_cost", "is_decimal(line_item_unblended_cost)", "no decimal number"),
  mustBe(
    "line_item_currency_code",
    "regexp_full_match(line_item_currency_code, '[A-Z]{3}')",
    "no currency code as in USD",
  ),
  ...(
    [
      "bill_billing_period_start_date",
      "bill_billing_period_end_date",
      "line_item_usage_start_date",
      "line_item_usage_end_date",
    ] as const
  ).map((column) => mustBe(column, `is_utc(${column})`, "no date and time in UTC")),
  {
    column: "line_item_usage_end_date",
    isBad: "coalesce(utc(line_item_usage_end_date) < utc(line_item_usage_start_date), false)",
    message: "usage that ends before it begins",
  },
  ofType(
    "SavingsPlanCoveredUsage",
    mustBe(
      "savings_plan_savings_plan_effective_cost",
      "is_decimal(savings_plan_savings_plan_effective_cost)",
      "no decimal number",
    ),
  ),
  ofType(
    "DiscountedUsage",
    mustBe("reservation_effective_cost", "is_decimal(reservation_effective_cost)", "no decimal number"),
  ),
  ...CUR_AMOUNTS.map((column) => mayBe(column, `is_decimal(${column})`, "no decimal number")),
  ...[...CUR_AMOUNTS, "line_item_unblended_cost"].map((column): Check => ({
    column,
    isBad: `coalesce(is_decimal(${column}) and fraction_digits(${column}) > ${CUR_DIGITS}, false)${
      column === "line_item_unblended_cost" ? " and line_item_line_item_type like 'SavingsPlan%'" : ""
    }`,
    message: `more than ${CUR_DIGITS} digits after the point, which its sums do not keep,`,
  })),
  mayBe("pricing_public_on_demand_cost", "is_decimal(pricing_public_on_demand_cost)", "no decimal number"),
  mayBe("resource_tags", "is_tags(resource_tags)", "no JSON object whose keys are there once"),
];
