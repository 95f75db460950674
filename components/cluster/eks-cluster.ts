import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Environment } from "../environment/environment-spec.ts";
import type { OwnerTags } from "../tags/owner-tags.ts";
import type { ClusterDetails } from "../user-data/eks-user-data.ts";
import { makeClusterAddons } from "./cluster-addons.ts";
import type { ClusterSpec } from "./cluster-spec.ts";

export interface EksClusterArgs {
  /** Fixed: logs are kept under it, and nodes and people know the cluster by it. */
  readonly clusterName: string;
  readonly spec: ClusterSpec;
  readonly region: string;
  readonly partition: pulumi.Input<string>;
  readonly vpcId: pulumi.Input<string>;
  /** Who may reach the API's private address. */
  readonly vpcCidr: pulumi.Input<string>;
  readonly subnetIds: pulumi.Input<string[]>;
  /** IAM roles that administer it; the one that runs this program has to be among them. */
  readonly administrators: readonly string[];
  /** Of the key that Secrets are encrypted with in the cluster's store. */
  readonly keyArn: pulumi.Input<string>;
  readonly protection: Environment["protection"];
  readonly tags: OwnerTags;
}

/** Who did what is in the audit log; the others say why. */
const LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/**
 * The control plane of an EKS cluster. Its API is private unless the environment says otherwise; who may use it is decided
 * by access entries alone, which can be listed, and not by who made it. Add-ons that run on every node are there before
 * the first node is.
 */
export class EksCluster extends pulumi.ComponentResource {
  readonly clusterName: pulumi.Output<string>;
  /** Where a node finds it. */
  readonly details: pulumi.Output<ClusterDetails>;
  /** Of the control plane and its nodes: what has it reaches the others that have it. */
  readonly securityGroupId: pulumi.Output<string>;
  /** For people and for the engine; it holds no secret, as each asks IAM for a token with the AWS command line. */
  readonly kubeconfig: pulumi.Output<string>;
  /** What has to be there before a node can become ready. */
  readonly nodesAfter: readonly pulumi.Resource[];

  constructor(name: string, args: EksClusterArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:EksCluster", name, {}, opts);
    const { clusterName, spec, protection, tags } = args;
    const child: pulumi.CustomResourceOptions = { parent: this };
    const logs = new aws.cloudwatch.LogGroup(
      name,
      { name: `/aws/eks/${clusterName}/cluster`, retentionInDays: spec.logRetentionDays, tags },
      { parent: this, ...protection },
    );
    const role = this.#makeRole(name, args);
    const isPublic = spec.endpointAccess === "public-and-private";
    const cluster = new aws.eks.Cluster(
      name,
      {
        name: clusterName,
        version: spec.kubernetesVersion,
        roleArn: role.roleArn,
        vpcConfig: {
          subnetIds: args.subnetIds,
          securityGroupIds: [this.#makeApiFirewall(name, args).id],
          endpointPrivateAccess: true,
          endpointPublicAccess: isPublic,
          ...(isPublic ? { publicAccessCidrs: spec.publicAccessCidrs } : {}),
        },
        kubernetesNetworkConfig: { serviceIpv4Cidr: spec.serviceCidr },
        accessConfig: { authenticationMode: "API", bootstrapClusterCreatorAdminPermissions: false },
        encryptionConfig: { provider: { keyArn: args.keyArn }, resources: ["secrets"] },
        enabledClusterLogTypes: LOG_TYPES,
        // All add-ons are add-ons of EKS, with versions and settings that can be seen.
        bootstrapSelfManagedAddons: false,
        deletionProtection: protection.protect,
        // At the end of a version's support it is upgraded, and not kept for six times the price.
        upgradePolicy: { supportType: "STANDARD" },
        zonalShiftConfig: { enabled: true },
        tags,
      },
      { parent: this, protect: protection.protect, dependsOn: [logs, role.attachment] },
    );
    this.clusterName = cluster.name;
    this.securityGroupId = cluster.vpcConfig.apply((vpc) => vpc.clusterSecurityGroupId);
    this.details = pulumi
      .all([cluster.name, cluster.endpoint, cluster.certificateAuthority])
      .apply(([made, apiServerEndpoint, { data }]) => ({
        name: made,
        apiServerEndpoint,
        certificateAuthority: data,
        cidr: spec.serviceCidr,
      }));
    this.kubeconfig = this.details.apply((details) => kubeconfigOf(details, args.region));
    this.#tagSecurityGroup(name, tags);
    this.#makeAdministrators(name, args);
    const { partition } = args;
    this.nodesAfter = makeClusterAddons(
      name,
      { clusterName: cluster.name, spec, partition, tags, kind: "daemons", after: [] },
      child,
    );
    this.registerOutputs({ clusterName: this.clusterName, kubeconfig: this.kubeconfig });
  }

  #makeRole(name: string, { partition, tags }: EksClusterArgs) {
    const role = new aws.iam.Role(
      `${name}-cluster`,
      {
        description: "Control plane of an EKS cluster",
        assumeRolePolicy: JSON.stringify({
          Version: "2012-10-17",
          Statement: [
            {
              Effect: "Allow",
              Principal: { Service: "eks.amazonaws.com" },
              Action: ["sts:AssumeRole", "sts:TagSession"],
            },
          ],
        }),
        tags,
      },
      { parent: this },
    );
    const attachment = new aws.iam.RolePolicyAttachment(
      `${name}-cluster`,
      {
        role: role.name,
        policyArn: pulumi.interpolate`arn:${partition}:iam::aws:policy/AmazonEKSClusterPolicy`,
      },
      { parent: this },
    );
    return { roleArn: role.arn, attachment };
  }

  /**
   * Lets the VPC come to the API, where IAM decides who is let in: EKS' own group lets in nodes alone, and whoever runs this
   * program is none. Of the control plane only; nodes have EKS' group, and not this one.
   */
  #makeApiFirewall(
    name: string,
    { vpcId, vpcCidr, clusterName, ...args }: EksClusterArgs,
  ): aws.ec2.SecurityGroup {
    const tags = { ...args.tags, Name: `${name}-api` };
    const group = new aws.ec2.SecurityGroup(
      `${name}-api`,
      { vpcId, description: `API of cluster ${clusterName}`, tags },
      { parent: this },
    );
    new aws.vpc.SecurityGroupIngressRule(
      `${name}-api`,
      {
        securityGroupId: group.id,
        description: "Kubernetes API",
        ipProtocol: "tcp",
        fromPort: 443,
        toPort: 443,
        cidrIpv4: vpcCidr,
        tags,
      },
      { parent: this },
    );
    return group;
  }

  /** EKS makes this group itself and gives it none of the cluster's tags. */
  #tagSecurityGroup(name: string, tags: OwnerTags): void {
    for (const [key, value] of Object.entries(tags))
      new aws.ec2.Tag(
        `${name}-security-group-${key}`,
        { resourceId: this.securityGroupId, key, value },
        { parent: this },
      );
  }

  #makeAdministrators(name: string, { administrators, partition, tags }: EksClusterArgs): void {
    for (const principalArn of administrators) {
      const roleName = principalArn.split("/").at(-1) ?? principalArn;
      const entry = new aws.eks.AccessEntry(
        `${name}-administrator-${roleName}`,
        { clusterName: this.clusterName, principalArn, type: "STANDARD", tags },
        { parent: this },
      );
      new aws.eks.AccessPolicyAssociation(
        `${name}-administrator-${roleName}`,
        {
          clusterName: this.clusterName,
          principalArn: entry.principalArn,
          policyArn: pulumi.interpolate`arn:${partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`,
          accessScope: { type: "cluster" },
        },
        { parent: this },
      );
    }
  }
}

/** Nobody's token: whoever uses it gets one of their own for a quarter of an hour. */
function kubeconfigOf(
  { name, apiServerEndpoint, certificateAuthority }: ClusterDetails,
  region: string,
): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [
      {
        name,
        cluster: { server: apiServerEndpoint, "certificate-authority-data": certificateAuthority },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
    users: [
      {
        name,
        user: {
          exec: {
            apiVersion: "client.authentication.k8s.io/v1beta1",
            command: "aws",
            args: ["--region", region, "eks", "get-token", "--cluster-name", name, "--output", "json"],
            interactiveMode: "Never",
          },
        },
      },
    ],
  });
}
