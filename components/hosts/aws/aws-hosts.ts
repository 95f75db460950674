import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { AwsPool, Environment } from "../../environment/environment-spec.ts";
import type { RunningHours } from "../../environment/schedule.ts";
import { autoScalingTags } from "../../tags/owner-tags.ts";
import type { Hosts } from "../hosts.ts";
import type { AwsAccount } from "./aws-account.ts";
import { makeHostFirewall } from "./host-firewall.ts";
import { type HostLaunch, type HostTemplateArgs, makeHostTemplate } from "./host-template.ts";
import type { HostTypes } from "./select-instance-types.ts";

export interface AwsHostsArgs extends Omit<HostTemplateArgs, "launch" | "securityGroupIds"> {
  readonly launch: HostLaunch;
  /** Groups that the hosts have beside their own: a cluster's. */
  readonly moreSecurityGroupIds?: readonly pulumi.Input<string>[];
  /** Of instances and of what is launched with them, beside the owner's. No security group has them. */
  readonly instanceTags?: Readonly<Record<string, string>>;
  readonly account: pulumi.Output<AwsAccount>;
  /** Undefined where the service is not a unit of the host. */
  readonly servicePort?: number;
  /** @default - the VPC's own range */
  readonly allowedCidrs?: readonly string[];
  /** @default - always */
  readonly running?: RunningHours;
  readonly protection: Environment["protection"];
  /** What has to be there before a host boots: its archives. */
  readonly bootsAfter: readonly pulumi.Resource[];
}

/** Time for a host to come up. Bare metal takes up to 20 minutes to pass its firmware; a VM 2. */
const WAIT_FOR_CAPACITY = { metal: "30m", vm: "10m" } as const;

/**
 * One pool of hosts on EC2: an Auto Scaling group over a launch template. No SSH: Systems Manager reaches the hosts.
 * A change of the template replaces the hosts one after the other (instance refresh), and goes back when they do not
 * come up.
 */
export class AwsHosts extends pulumi.ComponentResource implements Hosts {
  readonly where = "aws";
  readonly poolName: string;
  readonly count: number;
  readonly machineType: pulumi.Output<string>;
  readonly addresses: pulumi.Output<readonly string[]>;
  readonly autoScalingGroupName: pulumi.Output<string>;

  constructor(name: string, args: AwsHostsArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:AwsHosts", name, {}, opts);
    const { pool, account } = args;
    this.poolName = pool.name;
    this.count = pool.count;
    this.machineType = args.selection.apply(({ instanceTypes: [first] }) => first.type);
    const firewall = makeHostFirewall(
      name,
      {
        pool,
        vpcId: account.vpcId,
        servicePort: args.servicePort,
        serviceCidrs: args.allowedCidrs ?? [account.vpcCidr],
        tags: args.tags,
      },
      { parent: this },
    );
    const securityGroupIds = [firewall.id, ...(args.moreSecurityGroupIds ?? [])];
    const tags = { ...args.tags, ...args.instanceTags };
    const template = makeHostTemplate(name, { ...args, securityGroupIds, tags }, { parent: this });
    const group = this.#makeGroup(name, args, template);
    if (args.running !== undefined) this.#makeSchedule(name, pool, args.running, group);
    this.addresses = pulumi.output([]);
    this.autoScalingGroupName = group.name;
    this.registerOutputs({ autoScalingGroupName: group.name, machineType: this.machineType });
  }

  #makeGroup(name: string, args: AwsHostsArgs, template: aws.ec2.LaunchTemplate): aws.autoscaling.Group {
    const { pool, selection } = args;
    const version = template.latestVersion.apply(String);
    return new aws.autoscaling.Group(
      name,
      {
        ...sizeOf(pool),
        vpcZoneIdentifiers: pulumi.all([args.account, selection]).apply(subnetsOf),
        healthCheckType: "EC2",
        defaultInstanceWarmup: 120,
        waitForCapacityTimeout: selection.apply(
          ({ instanceTypes: [first] }) => WAIT_FOR_CAPACITY[first.bareMetal ? "metal" : "vm"],
        ),
        ...(pool.spot
          ? {
              mixedInstancesPolicy: spotPolicy(pool, selection, template.id, version),
              // A host that is about to be taken is replaced before it is.
              capacityRebalance: true,
            }
          : { launchTemplate: { id: template.id, version } }),
        ...(pool.placement === "none" ? {} : { placementGroup: this.#makePlacementGroup(name, args).name }),
        ...(pool.warmPool === undefined
          ? {}
          : { warmPool: { poolState: "Stopped", minSize: pool.warmPool.count } }),
        instanceRefresh: { strategy: "Rolling", preferences: { ...refreshBounds(pool), autoRollback: true } },
        tags: autoScalingTags({ ...args.tags, ...args.instanceTags, Name: name }),
      },
      {
        parent: this,
        dependsOn: [...args.bootsAfter],
        protect: args.protection.protect,
        ignoreChanges: ownedByOthers(pool, args.running),
      },
    );
  }

  /** Hosts are there in the running hours alone. Each action carries all three numbers: the group's own are ignored. */
  #makeSchedule(name: string, pool: AwsPool, running: RunningHours, group: aws.autoscaling.Group): void {
    const shared = { autoscalingGroupName: group.name, timeZone: running.timeZone };
    new aws.autoscaling.Schedule(
      `${name}-start`,
      {
        ...shared,
        ...sizeOf(pool),
        scheduledActionName: "start",
        recurrence: cronOf(running.from, running.days),
      },
      { parent: this },
    );
    new aws.autoscaling.Schedule(
      `${name}-stop`,
      {
        ...shared,
        minSize: 0,
        maxSize: 0,
        desiredCapacity: 0,
        scheduledActionName: "stop",
        recurrence: cronOf(running.to, running.days),
      },
      { parent: this },
    );
  }

  #makePlacementGroup(name: string, args: AwsHostsArgs): aws.ec2.PlacementGroup {
    return new aws.ec2.PlacementGroup(
      name,
      { strategy: args.pool.placement, tags: { ...args.tags, Name: name } },
      { parent: this },
    );
  }
}

function sizeOf(pool: AwsPool) {
  return { minSize: pool.count, maxSize: pool.maxCount ?? pool.count, desiredCapacity: pool.count };
}

/** What others than this program set on the group: a scaling policy between the bounds, the schedule all three. */
function ownedByOthers(pool: AwsPool, running: RunningHours | undefined): string[] {
  if (running !== undefined) return ["minSize", "maxSize", "desiredCapacity"];
  return (pool.maxCount ?? pool.count) > pool.count ? ["desiredCapacity"] : [];
}

/** Subnets of the zones that the hosts stand in. */
export function subnetsOf([account, { zones }]: readonly [AwsAccount, HostTypes]): string[] {
  return account.subnets.filter(({ zone }) => zones?.includes(zone) ?? true).map(({ id }) => id);
}

/**
 * A host is added before one is taken away, so that none is missing. Where capacity is bought by the piece there is no room
 * for one more: then it goes first, half of them at a time and the only one too.
 */
function refreshBounds(pool: AwsPool) {
  if (pool.capacityReservationId !== undefined || pool.capacityBlockId !== undefined) {
    return { minHealthyPercentage: pool.count > 1 ? 50 : 0 };
  }
  return {
    minHealthyPercentage: 100,
    maxHealthyPercentage: Math.max(110, Math.ceil((100 * (pool.count + 1)) / pool.count)),
  };
}

/** `07:30` on `MON-FRI` as cron says it. */
function cronOf(time: string, days: RunningHours["days"]): string {
  const [hour = "0", minute = "0"] = time.split(":");
  return `${Number(minute)} ${Number(hour)} * * ${days}`;
}

function spotPolicy(
  pool: AwsPool,
  selection: pulumi.Output<HostTypes>,
  launchTemplateId: pulumi.Output<string>,
  version: pulumi.Output<string>,
) {
  return {
    launchTemplate: {
      launchTemplateSpecification: { launchTemplateId, version },
      overrides: selection.apply(({ instanceTypes }) =>
        instanceTypes.map((spec) => ({ instanceType: spec.type })),
      ),
    },
    instancesDistribution: {
      onDemandBaseCapacity: pool.onDemandCount,
      onDemandPercentageAboveBaseCapacity: 0,
      onDemandAllocationStrategy: "prioritized",
      spotAllocationStrategy: "price-capacity-optimized",
    },
  };
}
