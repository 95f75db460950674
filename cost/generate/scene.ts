import type { Bucket, Reason } from "../report/cost-report.ts";

/**
 * SQL over the event that a scene happens in: `cost` is its price in units of 10^-10 of the currency, `paid` the part of
 * it that a commitment asks for, `pod_a`, `pod_b`, `idle_a`, `idle_b` what its pods take; `team` and `resource` name
 * who runs what.
 */
export type Sql = string;

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

export const NONE = "cast(null as varchar)";

/** A line of an instance. */
export const EC2 = {
  line_item_product_code: "'AmazonEC2'",
  product_product_name: "'Amazon Elastic Compute Cloud'",
  product_servicecode: "'AmazonEC2'",
  product_instance_type: "instance_type",
  line_item_operation: "'RunInstances'",
};
export const FOCUS_EC2 = { ServiceName: "'Amazon Elastic Compute Cloud'", ServiceCategory: "'Compute'" };

export function usageType(prefix: string): Sql {
  return `region_prefix || '-${prefix}:' || instance_type`;
}

/** What AWS sells itself is a line of no resource and of no tags. */
export const WITHOUT_RESOURCE = { line_item_resource_id: NONE };
export const FOCUS_WITHOUT_RESOURCE = { ResourceId: NONE, ResourceType: NONE };
