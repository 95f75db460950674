import { sqlText } from "../report/bill-database.ts";
import type { FindingKind } from "./idle-report.ts";

/**
 * How a bill names a kind of charge: CUR by its usage type, a FOCUS export, which may have none, by its description.
 * Patterns of SQL's LIKE; descriptions in lower case.
 */
interface Sign {
  readonly usageTypes: readonly string[];
  readonly descriptions: readonly string[];
}

/** A resource that is charged for being there, and again for being used. */
export interface BillSigns {
  readonly kind: FindingKind;
  /** What it is charged for existing. */
  readonly being: Sign;
  /** What it is charged for being used; undefined where the charge itself says that it is not. */
  readonly use: Sign | undefined;
  readonly unusedBecause: string;
  readonly action: string;
  readonly source: string;
}

/** Volumes are told apart from others only by what runs beside them. */
export const VOLUME: Sign = {
  usageTypes: ["%EBS:Volume%"],
  descriptions: ["%provisioned storage%", "%provisioned iops%", "%general purpose%storage%"],
};

/** An instance that runs, whoever pays for it. */
export const INSTANCE: Sign = {
  usageTypes: ["%BoxUsage%", "%SpotUsage%", "%HostUsage%", "%DedicatedUsage%"],
  descriptions: ["% instance hour%", "% instance-hour%"],
};

export const BILL_SIGNS: readonly BillSigns[] = [
  {
    kind: "idle-address",
    being: {
      usageTypes: ["%PublicIPv4:IdleAddress", "%ElasticIP:IdleAddress"],
      descriptions: ["%idle public ipv4 address%", "%elastic ip address not attached%"],
    },
    use: undefined,
    unusedBecause: "AWS charges it as idle: nothing that runs had it",
    action: "release it, or attach it to what needs it",
    source: "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-ip-addressing.html",
  },
  {
    kind: "unused-load-balancer",
    being: {
      usageTypes: ["%LoadBalancerUsage"],
      descriptions: ["%loadbalancer-hour%", "%load balancer-hour%"],
    },
    use: {
      usageTypes: ["%LCUUsage", "%LoadBalancer%Bytes", "%DataProcessing-Bytes"],
      descriptions: ["%load balancer capacity unit%", "%data processed by the%balancer%"],
    },
    unusedBecause: "hours of it are charged, and no capacity units or bytes",
    action: "delete it after a look at its listeners and DNS names",
    source: "https://aws.amazon.com/elasticloadbalancing/pricing/",
  },
  {
    kind: "unused-nat-gateway",
    being: { usageTypes: ["%NatGateway-Hours"], descriptions: ["%per nat gateway hour%"] },
    use: { usageTypes: ["%NatGateway-Bytes"], descriptions: ["%data processed by nat gateway%"] },
    unusedBecause: "hours of it are charged, and no bytes through it",
    action: "delete it and its route, or keep one for all zones",
    source: "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-pricing.html",
  },
  {
    kind: "unused-endpoint",
    being: { usageTypes: ["%VpcEndpoint-Hours"], descriptions: ["%per vpc endpoint hour%"] },
    use: { usageTypes: ["%VpcEndpoint-Bytes"], descriptions: ["%data processed by vpc endpoint%"] },
    unusedBecause: "hours of it are charged, and no bytes through it",
    action: "delete it where no policy asks for it",
    source: "https://aws.amazon.com/privatelink/pricing/",
  },
];

/** SQL that is true for a line of the view `bill` with this sign; by its description only where it has no usage type. */
export function signSql({ usageTypes, descriptions }: Sign): string {
  const like = (column: string, patterns: readonly string[]): string =>
    patterns.map((pattern) => `${column} like ${sqlText(pattern)}`).join(" or ");
  return `case when x_UsageType is not null then ${like("x_UsageType", usageTypes)} else coalesce(${like("lower(ChargeDescription)", descriptions)}, false) end`;
}
