import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { InstanceType } from "../../../cost/catalogue/catalogue.ts";
import type { AwsPool } from "../../environment/environment-spec.ts";
import { type OwnerTags, autoScalingTags, launchTemplateTags } from "../../tags/owner-tags.ts";
import type { Hosts } from "../hosts.ts";
import { placeInterfaces } from "./network-interfaces.ts";
import type { NetworkPlace } from "./network-place.ts";

export interface AwsHostsArgs {
  readonly pool: AwsPool;
  /** Types that satisfy the pool's needs, cheapest first; the first is used, the next ones too where spot is wanted. */
  readonly instanceTypes: readonly [InstanceType, ...InstanceType[]];
  readonly amiId: pulumi.Input<string>;
  readonly network: NetworkPlace;
  readonly instanceProfileArn: pulumi.Input<string>;
  readonly servicePort: number;
  /** @default - the VPC's own range */
  readonly allowedCidrs?: readonly string[];
  /** cloud-init user data, as base64. */
  readonly userData: pulumi.Input<string>;
  /** What has to be there before a host boots: its archives. */
  readonly bootsAfter: readonly pulumi.Resource[];
  readonly tags: OwnerTags;
}

/** More types make interruption rarer; beyond a handful the price of the last one is what is paid. Our choice. */
const SPOT_TYPE_COUNT = 6;

/** Name of the root device of Amazon Linux 2023. */
const ROOT_DEVICE = "/dev/xvda";

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
  readonly machineType: string;
  readonly addresses: pulumi.Output<readonly string[]>;
  readonly autoScalingGroupName: pulumi.Output<string>;

  constructor(name: string, args: AwsHostsArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:AwsHosts", name, {}, opts);
    this.poolName = args.pool.name;
    this.count = args.pool.count;
    this.machineType = args.instanceTypes[0].type;
    const firewall = this.#makeFirewall(name, args);
    const template = this.#makeTemplate(name, args, firewall.id);
    const group = this.#makeGroup(name, args, template);
    this.addresses = pulumi.output([]);
    this.autoScalingGroupName = group.name;
    this.registerOutputs({ autoScalingGroupName: group.name, machineType: this.machineType });
  }

  /** Lets in the service port, lets out HTTPS and the VPC. Name lookup, time and metadata pass no security group. */
  #makeFirewall(name: string, args: AwsHostsArgs): aws.ec2.SecurityGroup {
    const child: pulumi.CustomResourceOptions = { parent: this };
    const tags = { ...args.tags, Name: name };
    const group = new aws.ec2.SecurityGroup(
      name,
      { vpcId: args.network.vpcId, description: `Hosts of pool ${args.pool.name}`, tags },
      child,
    );
    const sources: readonly pulumi.Input<string>[] = args.allowedCidrs ?? [args.network.vpcCidr];
    for (const [index, cidrIpv4] of sources.entries()) {
      new aws.vpc.SecurityGroupIngressRule(
        `${name}-service-${index}`,
        {
          securityGroupId: group.id,
          description: "MCP service",
          ipProtocol: "tcp",
          fromPort: args.servicePort,
          toPort: args.servicePort,
          cidrIpv4,
          tags,
        },
        child,
      );
    }
    new aws.vpc.SecurityGroupEgressRule(
      `${name}-https`,
      {
        securityGroupId: group.id,
        description: "Archives, Systems Manager and HTTPS APIs",
        ipProtocol: "tcp",
        fromPort: 443,
        toPort: 443,
        cidrIpv4: "0.0.0.0/0",
        tags,
      },
      child,
    );
    new aws.vpc.SecurityGroupEgressRule(
      `${name}-vpc`,
      {
        securityGroupId: group.id,
        description: "Services in the VPC",
        ipProtocol: "-1",
        cidrIpv4: args.network.vpcCidr,
        tags,
      },
      child,
    );
    if (args.pool.needs.efaInterfaces > 0) {
      const own = { securityGroupId: group.id, referencedSecurityGroupId: group.id, ipProtocol: "-1", tags };
      const description = "EFA among the hosts of the pool";
      new aws.vpc.SecurityGroupIngressRule(`${name}-efa`, { ...own, description }, child);
      new aws.vpc.SecurityGroupEgressRule(`${name}-efa`, { ...own, description }, child);
    }
    return group;
  }

  #makeTemplate(
    name: string,
    args: AwsHostsArgs,
    securityGroupId: pulumi.Output<string>,
  ): aws.ec2.LaunchTemplate {
    const { pool } = args;
    const tags = { ...args.tags, Name: name };
    return new aws.ec2.LaunchTemplate(
      name,
      {
        description: `Hosts of pool ${pool.name}`,
        imageId: args.amiId,
        instanceType: args.instanceTypes[0].type,
        ebsOptimized: "true",
        updateDefaultVersion: true,
        userData: args.userData,
        iamInstanceProfile: { arn: args.instanceProfileArn },
        monitoring: { enabled: true },
        metadataOptions: {
          httpEndpoint: "enabled",
          httpTokens: "required",
          httpPutResponseHopLimit: 1,
          instanceMetadataTags: "enabled",
        },
        blockDeviceMappings: [
          {
            deviceName: ROOT_DEVICE,
            ebs: {
              volumeType: "gp3",
              volumeSize: pool.rootVolumeGiB,
              encrypted: "true",
              deleteOnTermination: "true",
            },
          },
        ],
        ...(pool.needs.efaInterfaces > 0
          ? {
              networkInterfaces: placeInterfaces(args.instanceTypes[0], pool.needs.efaInterfaces).map(
                (place) => ({ ...place, securityGroups: [securityGroupId], deleteOnTermination: "true" }),
              ),
            }
          : { vpcSecurityGroupIds: [securityGroupId] }),
        ...(pool.capacityReservationId === undefined
          ? {}
          : {
              capacityReservationSpecification: {
                capacityReservationTarget: { capacityReservationId: pool.capacityReservationId },
              },
            }),
        tagSpecifications: launchTemplateTags(tags),
        tags,
      },
      { parent: this },
    );
  }

  #makeGroup(name: string, args: AwsHostsArgs, template: aws.ec2.LaunchTemplate): aws.autoscaling.Group {
    const { pool } = args;
    const maxSize = pool.maxCount ?? pool.count;
    const version = template.latestVersion.apply(String);
    return new aws.autoscaling.Group(
      name,
      {
        minSize: pool.count,
        maxSize,
        desiredCapacity: pool.count,
        vpcZoneIdentifiers: args.network.subnetIds,
        healthCheckType: "EC2",
        defaultInstanceWarmup: 120,
        waitForCapacityTimeout: args.instanceTypes[0].bareMetal
          ? WAIT_FOR_CAPACITY.metal
          : WAIT_FOR_CAPACITY.vm,
        ...(pool.spot
          ? { mixedInstancesPolicy: spotPolicy(args.instanceTypes, template.id, version) }
          : { launchTemplate: { id: template.id, version } }),
        ...(pool.placement === "none" ? {} : { placementGroup: this.#makePlacementGroup(name, args).name }),
        instanceRefresh: {
          strategy: "Rolling",
          preferences: { minHealthyPercentage: pool.count > 1 ? 50 : 0, autoRollback: true },
        },
        tags: autoScalingTags({ ...args.tags, Name: name }),
      },
      {
        parent: this,
        dependsOn: [...args.bootsAfter],
        // A scaling policy owns the number between the two bounds.
        ignoreChanges: maxSize > pool.count ? ["desiredCapacity"] : [],
      },
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

function spotPolicy(
  instanceTypes: readonly InstanceType[],
  launchTemplateId: pulumi.Output<string>,
  version: pulumi.Output<string>,
) {
  return {
    launchTemplate: {
      launchTemplateSpecification: { launchTemplateId, version },
      overrides: instanceTypes.slice(0, SPOT_TYPE_COUNT).map((spec) => ({ instanceType: spec.type })),
    },
    instancesDistribution: {
      onDemandBaseCapacity: 0,
      onDemandPercentageAboveBaseCapacity: 0,
      spotAllocationStrategy: "price-capacity-optimized",
    },
  };
}
