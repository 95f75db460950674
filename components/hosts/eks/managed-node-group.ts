import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { EksNodes } from "../../cluster/cluster-spec.ts";
import type { AwsPool } from "../../environment/environment-spec.ts";
import type { AwsAccount } from "../aws/aws-account.ts";
import { subnetsOf } from "../aws/aws-hosts.ts";
import { makeHostFirewall } from "../aws/host-firewall.ts";
import { type HostTemplateArgs, makeHostTemplate } from "../aws/host-template.ts";
import type { Hosts } from "../hosts.ts";

export interface ManagedNodeGroupArgs extends Omit<HostTemplateArgs, "launch" | "securityGroupIds"> {
  readonly nodes: EksNodes;
  /** Every label of the nodes, the pool's own among them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly account: pulumi.Output<AwsAccount>;
  readonly clusterName: pulumi.Input<string>;
  readonly clusterSecurityGroupId: pulumi.Input<string>;
  readonly nodeRoleArn: pulumi.Input<string>;
  /** Of the image, as EKS counts them: `1.35.2-20261103`. */
  readonly releaseVersion: pulumi.Input<string>;
  /** Undefined where nobody outside the cluster calls. */
  readonly servicePort?: number;
  readonly allowedCidrs?: readonly string[];
  readonly isProtected: boolean;
  /** What has to be there before a node boots. */
  readonly bootsAfter: readonly pulumi.Resource[];
}

/** As EKS writes the effects of a taint. */
const EFFECTS = {
  NoSchedule: "NO_SCHEDULE",
  PreferNoSchedule: "PREFER_NO_SCHEDULE",
  NoExecute: "NO_EXECUTE",
} as const;

/**
 * One pool of EKS nodes whose group EKS manages: a change of the template or the image replaces the nodes one after the
 * other, each drained within what the pod disruption budgets allow, and a node that is found broken is replaced.
 */
export class ManagedNodeGroup extends pulumi.ComponentResource implements Hosts {
  readonly where = "aws";
  readonly poolName: string;
  readonly count: number;
  readonly machineType: pulumi.Output<string>;
  readonly addresses: pulumi.Output<readonly string[]>;

  constructor(name: string, args: ManagedNodeGroupArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:ManagedNodeGroup", name, {}, opts);
    const { pool, account, selection, tags } = args;
    this.poolName = pool.name;
    this.count = pool.count;
    this.machineType = selection.apply(({ instanceTypes: [first] }) => first.type);
    const firewall = makeHostFirewall(
      name,
      {
        pool,
        vpcId: account.vpcId,
        servicePort: args.servicePort,
        serviceCidrs: args.allowedCidrs ?? [],
        tags,
      },
      { parent: this },
    );
    const template = makeHostTemplate(
      name,
      {
        ...args,
        launch: undefined,
        securityGroupIds: [firewall.id, args.clusterSecurityGroupId],
        ...(pool.placement === "none"
          ? {}
          : { placementGroupName: this.#makePlacementGroup(name, args).name }),
      },
      { parent: this },
    );
    const maxSize = pool.maxCount ?? pool.count;
    new aws.eks.NodeGroup(
      name,
      {
        clusterName: args.clusterName,
        nodeRoleArn: args.nodeRoleArn,
        subnetIds: pulumi.all([account, selection]).apply(subnetsOf),
        amiType: amiTypeOf(pool),
        releaseVersion: args.releaseVersion,
        launchTemplate: { id: template.id, version: template.latestVersion.apply(String) },
        capacityType: pool.spot ? "SPOT" : "ON_DEMAND",
        instanceTypes: selection.apply(({ instanceTypes }) =>
          (pool.spot ? instanceTypes : instanceTypes.slice(0, 1)).map(({ type }) => type),
        ),
        scalingConfig: { minSize: pool.count, maxSize, desiredSize: pool.count },
        updateConfig: { maxUnavailable: 1 },
        nodeRepairConfig: { enabled: true },
        labels: args.labels,
        taints: args.nodes.taints.map(({ key, value, effect }) => ({ key, value, effect: EFFECTS[effect] })),
        tags: { ...tags, Name: name },
      },
      {
        parent: this,
        dependsOn: [...args.bootsAfter],
        protect: args.isProtected,
        // A scaler owns the number between the two bounds.
        ignoreChanges: maxSize > pool.count ? ["scalingConfig.desiredSize"] : [],
      },
    );
    this.addresses = pulumi.output([]);
    this.registerOutputs({ machineType: this.machineType });
  }

  #makePlacementGroup(name: string, { pool, tags }: ManagedNodeGroupArgs): aws.ec2.PlacementGroup {
    return new aws.ec2.PlacementGroup(
      name,
      { strategy: pool.placement, tags: { ...tags, Name: name } },
      { parent: this },
    );
  }
}

function amiTypeOf({ needs }: AwsPool): string {
  const architecture = needs.architecture === "arm64" ? "ARM_64" : "x86_64";
  return `AL2023_${architecture}_${needs.gpus > 0 ? "NVIDIA" : "STANDARD"}`;
}
