import type { FindingKind } from "../idle/idle-report.ts";
import type { Answer } from "./answer.ts";
import type { EventPlan } from "./month-events.ts";
import { type Charge, EC2, FOCUS_EC2, type Scene, type Sql } from "./scene.ts";

/** The account that they are in: nothing else of a generated month is, so nothing runs beside them but what stands here. */
export const IDLE_ACCOUNT = "222233334444";

/** A resource that is there for days of the month, a line a day; all of the month where they do not end. */
export interface IdleScene extends Scene {
  readonly resource: string;
  readonly days: { readonly first: number; readonly last?: number };
  /** A day's cost in units of 10^-10 of the currency. */
  readonly unitsPerDay: number;
  /** What `cost idle` has to take the resource's charges for; undefined where they are of use or beside it. */
  readonly found?: FindingKind;
}

interface Resident {
  readonly name: string;
  readonly resource: string;
  readonly region?: "us-east-1" | "eu-central-1" | "ap-northeast-1";
  readonly usageType: string;
  /** As AWS describes it where a bill has no usage types. */
  readonly description: string;
  readonly dollarsPerDay: number;
  readonly found?: FindingKind;
  readonly days?: IdleScene["days"];
  readonly service?: "database";
}

const UNITS_PER_DOLLAR = 1e10;

const SERVICES = {
  ec2: {
    cur: { ...EC2, product_instance_type: "cast(null as varchar)" },
    focus: { ...FOCUS_EC2, ResourceType: "'Resource'" },
  },
  database: {
    cur: {
      line_item_product_code: "'AmazonRDS'",
      product_product_name: "'Amazon Relational Database Service'",
      product_servicecode: "'AmazonRDS'",
      line_item_operation: "'CreateDBInstance:0014'",
    },
    focus: {
      ServiceName: "'Amazon Relational Database Service'",
      ServiceCategory: "'Databases'",
      ResourceType: "'DBInstance'",
    },
  },
} as const satisfies Record<string, { cur: Record<string, Sql>; focus: NonNullable<Charge["focus"]> }>;

function resident(of: Resident): IdleScene {
  const { region = "us-east-1", service = "ec2", usageType, days = { first: 1 }, found } = of;
  const unitsPerDay = Math.round(of.dollarsPerDay * UNITS_PER_DOLLAR);
  const units = String(unitsPerDay);
  const text = (value: string): Sql => `'${value}'`;
  return {
    name: of.name,
    resource: of.resource,
    days,
    unitsPerDay,
    ...(found === undefined ? {} : { found }),
    weight: 0,
    cur: [
      {
        unblended: units,
        columns: {
          ...SERVICES[service].cur,
          line_item_usage_type: text(usageType),
          line_item_resource_id: text(of.resource),
          line_item_line_item_description: text(of.description),
          line_item_availability_zone: text(`${region}a`),
          product_region_code: text(region),
        },
      },
    ],
    charges: [
      {
        bucket: "owner",
        owner: "team",
        billed: units,
        effective: units,
        focus: {
          ...SERVICES[service].focus,
          ResourceId: text(of.resource),
          ChargeDescription: text(of.description),
          AvailabilityZone: text(`${region}a`),
          RegionId: text(region),
          RegionName: text(region),
        },
      },
    ],
  };
}

function arn(service: "ec2" | "rds", region: string, resource: string): string {
  return `arn:aws:${service}:${region}:${IDLE_ACCOUNT}:${resource}`;
}

const NAT_HOURS = {
  usageType: "NatGateway-Hours",
  description: "$0.045 per NAT Gateway Hour",
  dollarsPerDay: 1.08,
};
const ADDRESS = {
  usageType: "PublicIPv4:IdleAddress",
  description: "$0.005 per Idle public IPv4 address per hour",
  dollarsPerDay: 0.12,
};
const SNAPSHOT = {
  usageType: "EBS:SnapshotUsage",
  description: "$0.05 per GB-Month of snapshot data stored",
  dollarsPerDay: 0.161290322,
};
const VOLUME = {
  usageType: "EBS:VolumeUsage.gp3",
  description: "$0.08 per GB-month of General Purpose (gp3) provisioned storage",
  dollarsPerDay: 0.258064516,
};
const DATABASE_STORAGE = {
  service: "database",
  usageType: "RDS:GP3-Storage",
  description: "$0.115 per GB-month of provisioned GP3 storage running PostgreSQL",
  dollarsPerDay: 0.370967741,
} as const;
const DATABASE_HOURS = {
  service: "database",
  usageType: "InstanceUsage:db.r6g.large",
  description: "$0.225 per RDS db.r6g.large Single-AZ instance hour (or partial hour) running PostgreSQL",
  dollarsPerDay: 5.4,
} as const;

const NAT_IN_USE = arn("ec2", "us-east-1", "natgateway/nat-0b0b");
const DATABASE_IN_USE = arn("rds", "us-east-1", "db:orders");
const DATABASE_OF_THREE_DAYS = arn("rds", "us-east-1", "db:reports");

const RESIDENTS: readonly Resident[] = [
  {
    name: "an elastic address that nothing has",
    resource: arn("ec2", "us-east-1", "elastic-ip/eipalloc-0a0a"),
    found: "idle-address",
    ...ADDRESS,
  },
  {
    name: "a public address of a network interface that nothing has, since the 10th",
    resource: arn("ec2", "us-east-1", "network-interface/eni-0a0a"),
    found: "idle-address",
    days: { first: 10 },
    ...ADDRESS,
  },
  {
    name: "a NAT gateway without bytes",
    resource: arn("ec2", "us-east-1", "natgateway/nat-0a0a"),
    found: "unused-nat-gateway",
    ...NAT_HOURS,
  },
  { name: "a NAT gateway", resource: NAT_IN_USE, ...NAT_HOURS },
  {
    name: "bytes of a NAT gateway, on one day",
    resource: NAT_IN_USE,
    usageType: "NatGateway-Bytes",
    description: "$0.045 per GB Data Processed by NAT Gateways",
    dollarsPerDay: 0.45,
    days: { first: 3, last: 3 },
  },
  { name: "a volume", resource: "vol-0b0b", ...VOLUME },
  {
    name: "an instance beside it",
    resource: "i-0b0b",
    usageType: "BoxUsage:m6i.large",
    description: "$0.096 per On Demand Linux m6i.large Instance Hour",
    dollarsPerDay: 2.304,
  },
  { name: "a snapshot beside volumes", resource: arn("ec2", "us-east-1", "snapshot/snap-0b0b"), ...SNAPSHOT },
  {
    name: "a snapshot in a region without volumes",
    resource: arn("ec2", "eu-central-1", "snapshot/snap-0a0a"),
    region: "eu-central-1",
    found: "idle-snapshot",
    ...SNAPSHOT,
  },
  {
    name: "a volume in a region without instances",
    resource: "vol-0a0a",
    region: "ap-northeast-1",
    found: "unattached-volume",
    ...VOLUME,
  },
  {
    name: "storage of a database that is stopped",
    resource: arn("rds", "us-east-1", "db:archive"),
    found: "stopped-database",
    ...DATABASE_STORAGE,
  },
  {
    name: "storage of a database that ran for three days",
    resource: DATABASE_OF_THREE_DAYS,
    found: "stopped-database",
    ...DATABASE_STORAGE,
  },
  {
    name: "hours of a database that ran for three days",
    resource: DATABASE_OF_THREE_DAYS,
    days: { first: 4, last: 6 },
    ...DATABASE_HOURS,
  },
  { name: "storage of a database that runs", resource: DATABASE_IN_USE, ...DATABASE_STORAGE },
  { name: "hours of a database that runs", resource: DATABASE_IN_USE, ...DATABASE_HOURS },
];

/** What is paid for and not used in a month, each beside one that is used. */
export const IDLE_SCENES: readonly IdleScene[] = RESIDENTS.map(resident);

function daysOf({ days: { first, last } }: IdleScene, daysOfMonth: number): number {
  return (last ?? daysOfMonth) - first + 1;
}

/** How many lines they are of a month. */
export function idleLines(daysOfMonth: number): number {
  return IDLE_SCENES.reduce((sum, scene) => sum + daysOf(scene, daysOfMonth), 0);
}

/** What `cost idle` has to find in their account, to the last digit. */
export function idleAnswer(daysOfMonth: number): NonNullable<Answer["idle"]> {
  return IDLE_SCENES.flatMap((scene) => {
    if (scene.found === undefined) return [];
    const lines = daysOf(scene, daysOfMonth);
    const units = BigInt(scene.unitsPerDay) * BigInt(lines);
    const digits = units.toString().padStart(11, "0");
    const billed = `${digits.slice(0, -10)}.${digits.slice(-10)}`;
    return [{ kind: scene.found, resource: scene.resource, account: IDLE_ACCOUNT, lines, billed }];
  });
}

/** Numbers of events that no event of chance has. */
const FIRST_EVENT = 2 ** 40;
const MOST_DAYS = 31;

/** A day of each as an event, with all that an event has; the team that has the most to clear up. */
export function idleEventsSql({
  monthStart,
  monthEnd,
  hours,
}: Pick<EventPlan, "monthStart" | "monthEnd" | "hours">): string {
  const scenes = IDLE_SCENES.map(
    ({ days: { first, last = hours / 24 } }, index) => `(${index}, ${first}, ${last})`,
  );
  const none = ["chance_a", "chance_b", "chance_c", "chance_d", "product", "cost", "paid"];
  const noParts = ["pod_a", "pod_b", "idle_a", "idle_b"];
  return `
    select
      ${FIRST_EVENT} + scene * ${MOST_DAYS} + day as i, scene, 1 as resource, false as is_late,
      ${[...none, ...noParts].map((name) => `0 as ${name}`).join(", ")},
      'platform' as team, 'platform' as pod_a_team, 'platform' as pod_b_team,
      'us-east-1' as region, 'USE1' as region_prefix, 'm6i.large' as instance_type,
      '${IDLE_ACCOUNT}' as account,
      cast(timestamp '${monthStart}' + to_days(cast(day - 1 as integer)) as timestamp) as starts_at,
      cast(timestamp '${monthStart}' + to_days(cast(day as integer)) as timestamp) as ends_at,
      timestamp '${monthStart}' as month_start, timestamp '${monthEnd}' as month_end
    from (values ${scenes.join(", ")}) as scenes(scene, first_day, last_day)
    cross join range(1, ${MOST_DAYS + 1}) as days(day)
    where day between first_day and last_day`;
}
