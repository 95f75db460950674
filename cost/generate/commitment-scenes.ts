import {
  type Charge,
  type CurLine,
  EC2,
  FOCUS_EC2,
  FOCUS_WITHOUT_RESOURCE,
  NONE,
  type Scene,
  type Sql,
  usageType,
  WITHOUT_RESOURCE,
} from "./scene.ts";

const SAVINGS_PLAN = "'arn:aws:savingsplans::111122223333:savingsplan/5f0c9b0e-plan-' || account";
const RESERVATION = "'arn:aws:ec2:us-east-1:' || account || ':reserved-instances/6c1d-ri'";

type Columns = Readonly<Record<string, Sql>>;

/** A commitment as the two standards name it. */
interface Commitment {
  /** Its name in a Cost and Usage Report. */
  readonly cur: Columns;
  readonly id: Sql;
  /** What AWS bills it as, in FOCUS. */
  readonly focusService: Columns;
  readonly focusDiscount: Columns;
}

const RESERVED: Commitment = {
  cur: { reservation_reservation_a_r_n: RESERVATION },
  id: RESERVATION,
  focusService: FOCUS_EC2,
  focusDiscount: {
    CommitmentDiscountId: RESERVATION,
    CommitmentDiscountType: "'Reserved'",
    CommitmentDiscountCategory: "'Usage'",
  },
};

const SAVING: Commitment = {
  cur: { savings_plan_savings_plan_a_r_n: SAVINGS_PLAN },
  id: SAVINGS_PLAN,
  focusService: { ServiceName: "'Savings Plans for AWS Compute usage'" },
  focusDiscount: {
    CommitmentDiscountId: SAVINGS_PLAN,
    CommitmentDiscountType: "'Compute Savings Plan'",
    CommitmentDiscountCategory: "'Spend'",
  },
};

/** A savings plan's own lines, which are of no instance. */
const SAVINGS_PLANS_PRODUCT = {
  line_item_product_code: "'ComputeSavingsPlans'",
  product_product_name: "'Savings Plans for AWS Compute usage'",
  product_servicecode: "'ComputeSavingsPlans'",
};

/** Usage that a commitment pays for, at what the commitment asks for it. */
function covered({ focusDiscount }: Commitment, pricing: Columns): Charge {
  return {
    bucket: "owner",
    owner: "team",
    effective: "paid",
    focus: { ...FOCUS_EC2, ...pricing, ...focusDiscount, CommitmentDiscountStatus: "'Used'" },
  };
}

/** What is billed for the commitment itself: everyone's. */
function purchase(
  { id, focusService, focusDiscount }: Commitment,
  frequency: "Recurring" | "One-Time",
): Charge {
  return {
    bucket: "shared",
    because: "commitment-purchase",
    billed: "cost",
    focus: {
      ...focusService,
      ...focusDiscount,
      ChargeCategory: "'Purchase'",
      ChargeFrequency: `'${frequency}'`,
      ResourceId: id,
    },
    tags: "none",
  };
}

function unused({ id, focusService, focusDiscount }: Commitment, effective: Sql): Charge {
  return {
    bucket: "unused-commitment",
    because: "unused-commitment",
    effective,
    focus: { ...focusService, ...focusDiscount, CommitmentDiscountStatus: "'Unused'", ResourceId: id },
    tags: "none",
  };
}

const COMMITTED = { PricingCategory: "'Committed'" };

/** The line that takes back what usage under a savings plan was listed at. */
function negation(unblended: Sql): CurLine {
  return {
    unblended,
    columns: {
      ...EC2,
      ...WITHOUT_RESOURCE,
      ...SAVING.cur,
      line_item_line_item_type: "'SavingsPlanNegation'",
    },
    tags: "none",
  };
}

/** Savings plans and reservations: what they cover, what they cost, what of them nobody used. */
export const COMMITMENT_SCENES: readonly Scene[] = [
  {
    name: "usage under a reservation",
    weight: 16,
    cur: [
      {
        columns: {
          ...EC2,
          ...RESERVED.cur,
          line_item_line_item_type: "'DiscountedUsage'",
          line_item_usage_type: usageType("BoxUsage"),
          reservation_effective_cost: "money(paid)",
          reservation_net_effective_cost: "money(paid)",
        },
      },
    ],
    charges: [covered(RESERVED, COMMITTED)],
  },
  {
    name: "the fee of a reservation",
    weight: 2,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...EC2,
          ...RESERVED.cur,
          line_item_line_item_type: "'RIFee'",
          line_item_resource_id: RESERVATION,
          reservation_unused_amortized_upfront_fee_for_billing_period: "money(pod_a)",
          reservation_unused_recurring_fee: "money(idle_a)",
        },
        tags: "none",
      },
    ],
    charges: [purchase(RESERVED, "Recurring"), unused(RESERVED, "pod_a + idle_a")],
  },
  {
    name: "a reservation paid up front",
    weight: 1,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...EC2,
          ...RESERVED.cur,
          line_item_line_item_type: "'Fee'",
          line_item_resource_id: NONE,
        },
        tags: "none",
      },
    ],
    charges: [purchase(RESERVED, "One-Time")],
  },
  {
    name: "usage under a savings plan",
    weight: 26,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...EC2,
          ...SAVING.cur,
          line_item_line_item_type: "'SavingsPlanCoveredUsage'",
          line_item_usage_type: usageType("BoxUsage"),
          savings_plan_savings_plan_effective_cost: "money(paid)",
          savings_plan_net_savings_plan_effective_cost: "money(paid)",
        },
      },
      negation("-cost"),
    ],
    charges: [covered(SAVING, COMMITTED), { bucket: "untagged", because: "not-taggable", only: "CUR" }],
  },
  {
    // AWS rounds the negation of a group, not that of each line.
    name: "a savings plan's negation that rounds",
    weight: 1,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...EC2,
          ...SAVING.cur,
          line_item_line_item_type: "'SavingsPlanCoveredUsage'",
          savings_plan_savings_plan_effective_cost: "money(paid)",
        },
      },
      negation("1 - cost"),
    ],
    charges: [
      covered(SAVING, {}),
      {
        bucket: "untagged",
        because: "not-taggable",
        billed: "1",
        focus: {
          ...FOCUS_EC2,
          ...FOCUS_WITHOUT_RESOURCE,
          ChargeCategory: "'Adjustment'",
          ChargePeriodStart: "month_start",
          ChargePeriodEnd: "month_end",
        },
        isOfPeriod: true,
        tags: "none",
      },
    ],
  },
  {
    name: "the fee of a savings plan",
    weight: 2,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...SAVINGS_PLANS_PRODUCT,
          ...SAVING.cur,
          line_item_line_item_type: "'SavingsPlanRecurringFee'",
          line_item_resource_id: SAVINGS_PLAN,
          savings_plan_total_commitment_to_date: "money(cost)",
          savings_plan_used_commitment: "money(paid)",
        },
        tags: "none",
      },
    ],
    charges: [purchase(SAVING, "Recurring"), unused(SAVING, "cost - paid")],
  },
  {
    name: "a savings plan paid up front",
    weight: 1,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...SAVINGS_PLANS_PRODUCT,
          ...SAVING.cur,
          line_item_line_item_type: "'SavingsPlanUpfrontFee'",
          line_item_resource_id: SAVINGS_PLAN,
        },
        tags: "none",
      },
    ],
    charges: [purchase(SAVING, "One-Time")],
  },
];
