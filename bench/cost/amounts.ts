/** Columns of a Cost and Usage Report that amortized cost is made of. */
export const AMOUNTS: readonly string[] = [
  "line_item_unblended_cost",
  "pricing_public_on_demand_cost",
  "reservation_effective_cost",
  "reservation_unused_amortized_upfront_fee_for_billing_period",
  "reservation_unused_recurring_fee",
  "savings_plan_savings_plan_effective_cost",
  "savings_plan_total_commitment_to_date",
  "savings_plan_used_commitment",
  "split_line_item_split_cost",
  "split_line_item_unused_cost",
];
