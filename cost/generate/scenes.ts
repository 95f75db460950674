import type { Bucket, Reason } from "../report/cost-report.ts";

/**
 * SQL over the event that a scene happens in: `cost` is its price in units of 10^-10 of the currency, `paid` the part of
 * it that a commitment asks for, `pod_a`, `pod_b`, `idle_a`, `idle_b` what its pods take; `team` and `resource` name
 * who runs what.
 */
type Sql = string;

/** Money with the place where a report has to put it, known before any bill is written. */
export interface Charge {
  readonly bucket: Bucket;
  readonly owner?: Sql;
  readonly because?: Reason;
  readonly billed?: Sql;
  readonly effective?: Sql;
  /** FOCUS columns that differ from plain usage. */
  readonly focus?: Readonly<Record<string, Sql>>;
  readonly tags?: Tags;
  /** Of the billing period, not of an hour in it. */
  readonly isOfPeriod?: true;
  /** Left out of the other standard, which has no such line. */
  readonly only?: "CUR" | "FOCUS";
}

/** Whose tags a line has: those of its resource's team, of a pod's, none of a team, or none at all. */
export type Tags = "team" | "pod_a" | "pod_b" | "without-team" | "none";

/** A line of a Cost and Usage Report: the columns that differ from plain usage. */
export interface CurLine {
  readonly unblended?: Sql;
  readonly columns: Readonly<Record<string, Sql>>;
  readonly tags?: Tags;
}

export interface Scene {
  readonly name: string;
  /** Its resource is a Kubernetes node, one of few that are there all month. */
  readonly isOnNode?: true;
  /** Of 256 events; how often each happens. */
  readonly weight: number;
  readonly cur: readonly CurLine[];
  readonly charges: readonly Charge[];
  /** Comes after the month's first delivery. */
  readonly isLate?: true;
  /** FOCUS before 1.1 cannot tell it: plain usage stands there instead. */
  readonly sinceFocus?: "1.1";
}

const SAVINGS_PLAN = "'arn:aws:savingsplans::111122223333:savingsplan/5f0c9b0e-plan-' || account";
const RESERVATION = "'arn:aws:ec2:us-east-1:' || account || ':reserved-instances/6c1d-ri'";
const NODE = "'i-0' || printf('%016x', resource)";
const NONE = "cast(null as varchar)";

const EC2 = {
  line_item_product_code: "'AmazonEC2'",
  product_product_name: "'Amazon Elastic Compute Cloud'",
  product_servicecode: "'AmazonEC2'",
  product_instance_type: "instance_type",
  line_item_operation: "'RunInstances'",
};
const FOCUS_EC2 = { ServiceName: "'Amazon Elastic Compute Cloud'", ServiceCategory: "'Compute'" };

function usageType(prefix: string): Sql {
  return `region_prefix || '-${prefix}:' || instance_type`;
}

/** What AWS sells itself is a line of no resource and of no tags. */
const WITHOUT_RESOURCE = { line_item_resource_id: NONE };
const FOCUS_WITHOUT_RESOURCE = { ResourceId: NONE, ResourceType: NONE };

const PLAIN_USAGE: Scene = {
  name: "usage on demand",
  weight: 124,
  cur: [{ unblended: "cost", columns: {} }],
  charges: [{ bucket: "owner", owner: "team", billed: "cost", effective: "cost" }],
};

function taxOrCredit(
  type: string,
  because: Reason,
  sign: "" | "-",
  more: Pick<Scene, "weight" | "isLate">,
): Scene {
  const cost = `${sign}cost`;
  return {
    name: type,
    ...more,
    cur: [
      {
        unblended: cost,
        columns: { ...WITHOUT_RESOURCE, line_item_line_item_type: `'${type}'` },
        tags: "none",
      },
    ],
    charges: [
      {
        bucket: "tax-and-credit",
        because,
        billed: cost,
        effective: cost,
        focus: {
          ...FOCUS_WITHOUT_RESOURCE,
          ChargeCategory: because === "tax" ? "'Tax'" : "'Credit'",
          ChargeClass: because === "refund" ? "'Correction'" : NONE,
        },
        tags: "none",
      },
    ],
  };
}

/** One pod's share of its instance, as split cost allocation data has it: a line per resource that it asked for. */
function podLine(pod: "pod_a" | "pod_b", idle: string, resource: string): CurLine {
  return {
    columns: {
      line_item_operation: "'EKSPod-EC2'",
      line_item_product_code: "'AmazonEKS'",
      product_product_name: "'Amazon Elastic Container Service for Kubernetes'",
      product_servicecode: "'AmazonEKS'",
      line_item_usage_type: `region_prefix || '-EKS-EC2-${resource}-Hours'`,
      line_item_resource_id: `'arn:aws:eks:' || region || ':' || account || ':pod/mcp/' || ${pod}_team || '/server-${pod}/uid'`,
      split_line_item_parent_resource_id: NODE,
      split_line_item_split_cost: `money(${pod})`,
      split_line_item_unused_cost: `money(${idle})`,
      split_line_item_net_split_cost: `money(${pod})`,
      split_line_item_net_unused_cost: `money(${idle})`,
    },
    tags: pod,
  };
}

function nodeScene(
  name: string,
  weight: number,
  node: { readonly instanceType: Sql; readonly podResource: string },
): Scene {
  const moved = "pod_a + idle_a + pod_b + idle_b";
  const instance: CurLine = {
    unblended: "cost",
    columns: {
      ...EC2,
      line_item_resource_id: NODE,
      line_item_usage_type: `region_prefix || '-BoxUsage:' || ${node.instanceType}`,
      product_instance_type: node.instanceType,
    },
  };
  return {
    name,
    weight,
    isOnNode: true,
    cur: [
      instance,
      podLine("pod_a", "idle_a", node.podResource),
      podLine("pod_b", "idle_b", node.podResource),
    ],
    charges: [
      { bucket: "owner", owner: "team", billed: "cost", effective: `cost - (${moved})`, only: "CUR" },
      { bucket: "owner", owner: "pod_a_team", effective: "pod_a + idle_a", only: "CUR" },
      { bucket: "owner", owner: "pod_b_team", effective: "pod_b + idle_b", only: "CUR" },
      // A FOCUS export of AWS has no lines of pods.
      {
        bucket: "owner",
        owner: "team",
        billed: "cost",
        effective: "cost",
        focus: { ...FOCUS_EC2, ResourceId: NODE },
        only: "FOCUS",
      },
    ],
  };
}

/** Everything that a bill holds, each with where its money has to end. */
export const SCENES: readonly Scene[] = [
  PLAIN_USAGE,
  {
    name: "a spot instance",
    weight: 14,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...EC2,
          line_item_usage_type: usageType("SpotUsage"),
          line_item_line_item_description: "instance_type || ' Linux/UNIX Spot Instance-hour'",
        },
      },
    ],
    charges: [
      {
        bucket: "owner",
        owner: "team",
        billed: "cost",
        effective: "cost",
        focus: { ...FOCUS_EC2, PricingCategory: "'Dynamic'" },
      },
    ],
  },
  {
    name: "usage without the team's tag",
    weight: 12,
    cur: [{ unblended: "cost", columns: {}, tags: "without-team" }],
    charges: [
      {
        bucket: "untagged",
        because: "key-absent",
        billed: "cost",
        effective: "cost",
        tags: "without-team",
      },
    ],
  },
  {
    name: "usage without tags",
    weight: 6,
    cur: [{ unblended: "cost", columns: {}, tags: "none" }],
    charges: [{ bucket: "untagged", because: "no-tags", billed: "cost", effective: "cost", tags: "none" }],
  },
  {
    name: "usage under a reservation",
    weight: 16,
    cur: [
      {
        columns: {
          ...EC2,
          line_item_line_item_type: "'DiscountedUsage'",
          line_item_usage_type: usageType("BoxUsage"),
          reservation_reservation_a_r_n: RESERVATION,
          reservation_effective_cost: "money(paid)",
          reservation_net_effective_cost: "money(paid)",
        },
      },
    ],
    charges: [
      {
        bucket: "owner",
        owner: "team",
        effective: "paid",
        focus: {
          ...FOCUS_EC2,
          PricingCategory: "'Committed'",
          CommitmentDiscountId: RESERVATION,
          CommitmentDiscountStatus: "'Used'",
          CommitmentDiscountType: "'Reserved'",
          CommitmentDiscountCategory: "'Usage'",
        },
      },
    ],
  },
  {
    name: "the fee of a reservation",
    weight: 2,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...EC2,
          line_item_line_item_type: "'RIFee'",
          line_item_resource_id: RESERVATION,
          reservation_reservation_a_r_n: RESERVATION,
          reservation_unused_amortized_upfront_fee_for_billing_period: "money(pod_a)",
          reservation_unused_recurring_fee: "money(idle_a)",
        },
        tags: "none",
      },
    ],
    charges: [
      {
        bucket: "shared",
        because: "commitment-purchase",
        billed: "cost",
        focus: {
          ...FOCUS_EC2,
          ChargeCategory: "'Purchase'",
          ChargeFrequency: "'Recurring'",
          ResourceId: RESERVATION,
          CommitmentDiscountId: RESERVATION,
          CommitmentDiscountType: "'Reserved'",
          CommitmentDiscountCategory: "'Usage'",
        },
        tags: "none",
      },
      {
        bucket: "unused-commitment",
        because: "unused-commitment",
        effective: "pod_a + idle_a",
        focus: {
          ...FOCUS_EC2,
          ResourceId: RESERVATION,
          CommitmentDiscountId: RESERVATION,
          CommitmentDiscountStatus: "'Unused'",
          CommitmentDiscountType: "'Reserved'",
          CommitmentDiscountCategory: "'Usage'",
        },
        tags: "none",
      },
    ],
  },
  {
    name: "a reservation paid up front",
    weight: 1,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...EC2,
          line_item_line_item_type: "'Fee'",
          line_item_resource_id: NONE,
          reservation_reservation_a_r_n: RESERVATION,
        },
        tags: "none",
      },
    ],
    charges: [
      {
        bucket: "shared",
        because: "commitment-purchase",
        billed: "cost",
        focus: {
          ...FOCUS_EC2,
          ChargeCategory: "'Purchase'",
          ChargeFrequency: "'One-Time'",
          ResourceId: RESERVATION,
          CommitmentDiscountId: RESERVATION,
          CommitmentDiscountType: "'Reserved'",
          CommitmentDiscountCategory: "'Usage'",
        },
        tags: "none",
      },
    ],
  },
  {
    name: "usage under a savings plan",
    weight: 26,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...EC2,
          line_item_line_item_type: "'SavingsPlanCoveredUsage'",
          line_item_usage_type: usageType("BoxUsage"),
          savings_plan_savings_plan_a_r_n: SAVINGS_PLAN,
          savings_plan_savings_plan_effective_cost: "money(paid)",
          savings_plan_net_savings_plan_effective_cost: "money(paid)",
        },
      },
      {
        unblended: "-cost",
        columns: {
          ...EC2,
          ...WITHOUT_RESOURCE,
          line_item_line_item_type: "'SavingsPlanNegation'",
          savings_plan_savings_plan_a_r_n: SAVINGS_PLAN,
        },
        tags: "none",
      },
    ],
    charges: [
      {
        bucket: "owner",
        owner: "team",
        effective: "paid",
        focus: {
          ...FOCUS_EC2,
          PricingCategory: "'Committed'",
          CommitmentDiscountId: SAVINGS_PLAN,
          CommitmentDiscountStatus: "'Used'",
          CommitmentDiscountType: "'Compute Savings Plan'",
          CommitmentDiscountCategory: "'Spend'",
        },
      },
      { bucket: "untagged", because: "not-taggable", only: "CUR" },
    ],
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
          line_item_line_item_type: "'SavingsPlanCoveredUsage'",
          savings_plan_savings_plan_a_r_n: SAVINGS_PLAN,
          savings_plan_savings_plan_effective_cost: "money(paid)",
        },
      },
      {
        unblended: "1 - cost",
        columns: {
          ...EC2,
          ...WITHOUT_RESOURCE,
          line_item_line_item_type: "'SavingsPlanNegation'",
          savings_plan_savings_plan_a_r_n: SAVINGS_PLAN,
        },
        tags: "none",
      },
    ],
    charges: [
      {
        bucket: "owner",
        owner: "team",
        effective: "paid",
        focus: {
          ...FOCUS_EC2,
          CommitmentDiscountId: SAVINGS_PLAN,
          CommitmentDiscountStatus: "'Used'",
          CommitmentDiscountType: "'Compute Savings Plan'",
          CommitmentDiscountCategory: "'Spend'",
        },
      },
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
          line_item_product_code: "'ComputeSavingsPlans'",
          product_product_name: "'Savings Plans for AWS Compute usage'",
          product_servicecode: "'ComputeSavingsPlans'",
          line_item_line_item_type: "'SavingsPlanRecurringFee'",
          line_item_resource_id: SAVINGS_PLAN,
          savings_plan_savings_plan_a_r_n: SAVINGS_PLAN,
          savings_plan_total_commitment_to_date: "money(cost)",
          savings_plan_used_commitment: "money(paid)",
        },
        tags: "none",
      },
    ],
    charges: [
      {
        bucket: "shared",
        because: "commitment-purchase",
        billed: "cost",
        focus: {
          ServiceName: "'Savings Plans for AWS Compute usage'",
          ChargeCategory: "'Purchase'",
          ChargeFrequency: "'Recurring'",
          ResourceId: SAVINGS_PLAN,
          CommitmentDiscountId: SAVINGS_PLAN,
          CommitmentDiscountType: "'Compute Savings Plan'",
          CommitmentDiscountCategory: "'Spend'",
        },
        tags: "none",
      },
      {
        bucket: "unused-commitment",
        because: "unused-commitment",
        effective: "cost - paid",
        focus: {
          ServiceName: "'Savings Plans for AWS Compute usage'",
          ResourceId: SAVINGS_PLAN,
          CommitmentDiscountId: SAVINGS_PLAN,
          CommitmentDiscountStatus: "'Unused'",
          CommitmentDiscountType: "'Compute Savings Plan'",
          CommitmentDiscountCategory: "'Spend'",
        },
        tags: "none",
      },
    ],
  },
  {
    name: "a savings plan paid up front",
    weight: 1,
    cur: [
      {
        unblended: "cost",
        columns: {
          line_item_product_code: "'ComputeSavingsPlans'",
          product_product_name: "'Savings Plans for AWS Compute usage'",
          product_servicecode: "'ComputeSavingsPlans'",
          line_item_line_item_type: "'SavingsPlanUpfrontFee'",
          line_item_resource_id: SAVINGS_PLAN,
          savings_plan_savings_plan_a_r_n: SAVINGS_PLAN,
        },
        tags: "none",
      },
    ],
    charges: [
      {
        bucket: "shared",
        because: "commitment-purchase",
        billed: "cost",
        focus: {
          ServiceName: "'Savings Plans for AWS Compute usage'",
          ChargeCategory: "'Purchase'",
          ChargeFrequency: "'One-Time'",
          ResourceId: SAVINGS_PLAN,
          CommitmentDiscountId: SAVINGS_PLAN,
          CommitmentDiscountType: "'Compute Savings Plan'",
          CommitmentDiscountCategory: "'Spend'",
        },
        tags: "none",
      },
    ],
  },
  nodeScene("pods of an instance", 28, { instanceType: "instance_type", podResource: "vCPU" }),
  nodeScene("pods of a GPU instance", 6, { instanceType: "'p4d.24xlarge'", podResource: "Accelerator" }),
  {
    name: "reserved capacity that nobody used",
    weight: 3,
    sinceFocus: "1.1",
    cur: [
      {
        unblended: "cost",
        columns: { ...EC2, line_item_usage_type: usageType("UnusedBox") },
      },
    ],
    charges: [
      {
        bucket: "idle",
        because: "unused-reservation",
        billed: "cost",
        effective: "cost",
        focus: {
          ...FOCUS_EC2,
          CapacityReservationId: "'cr-0' || printf('%08x', resource)",
          CapacityReservationStatus: "'Unused'",
        },
      },
    ],
  },
  taxOrCredit("Tax", "tax", "", { weight: 4 }),
  taxOrCredit("Credit", "credit", "-", { weight: 3, isLate: true }),
  taxOrCredit("Refund", "refund", "-", { weight: 2, isLate: true }),
  taxOrCredit("EdpDiscount", "credit", "-", { weight: 3 }),
  {
    name: "support",
    weight: 1,
    cur: [
      {
        unblended: "cost",
        columns: {
          ...WITHOUT_RESOURCE,
          line_item_line_item_type: "'Fee'",
          line_item_product_code: "'AWSSupportBusiness'",
          product_product_name: "'AWS Support (Business)'",
          product_servicecode: "'AWSSupportBusiness'",
        },
        tags: "none",
      },
    ],
    charges: [
      {
        bucket: "shared",
        because: "support",
        billed: "cost",
        effective: "cost",
        focus: {
          ...FOCUS_WITHOUT_RESOURCE,
          ServiceName: "'AWS Support (Business)'",
          ServiceCategory: "'Other'",
        },
        tags: "none",
      },
    ],
  },
  { ...PLAIN_USAGE, name: "usage that AWS meters late", weight: 1, isLate: true },
];
