import type { Reason } from "../report/cost-report.ts";
import { COMMITMENT_SCENES } from "./commitment-scenes.ts";
import {
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

const NODE = "'i-0' || printf('%016x', resource)";

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
  ...COMMITMENT_SCENES,
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
