import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { EksCluster } from "../../cluster/eks-cluster.ts";
import { type Environment, serviceNamespace } from "../../environment/environment-spec.ts";
import type { NodePool } from "../../environment/cluster-faults.ts";
import { nodeLabels } from "../../environment/host-user-data.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";
import { AwsHosts, type AwsHostsArgs } from "../aws/aws-hosts.ts";
import { type PublishedImages, type Within, hostImage } from "../aws/host-image.ts";
import type { HostRole } from "../aws/host-role.ts";
import type { Hosts } from "../hosts.ts";
import { ManagedNodeGroup } from "./managed-node-group.ts";
import type { NodeCluster } from "./node-cluster.ts";

/** What a kubelet may do beside what every host may: say what it is, and pull images. Pods have roles of their own. */
export const NODE_POLICIES = [
  "AmazonEKSWorkerNodeMinimalPolicy",
  "AmazonEC2ContainerRegistryPullOnly",
] as const;

export interface EksNodesArgs extends Omit<AwsHostsArgs, "pool" | "launch" | "servicePort"> {
  readonly environment: Environment;
  readonly pool: NodePool;
  readonly joins: NodeCluster;
  readonly published: PublishedImages;
}

/** Makes one pool of nodes: a group that EKS manages, or an Auto Scaling group as for every other host. */
export function makeEksNodes(
  name: string,
  args: EksNodesArgs,
  opts: Within,
): Hosts & pulumi.ComponentResource {
  const { environment, pool, joins } = args;
  const { cluster, role } = joins;
  const bootsAfter = [...args.bootsAfter, ...joins.nodesAfter];
  // Who calls the pods from outside the cluster comes to an address of the node's network interface.
  const callers =
    args.allowedCidrs === undefined
      ? {}
      : { servicePort: environment.service.port, allowedCidrs: args.allowedCidrs };
  if (pool.eks.nodeGroup === "managed") {
    return new ManagedNodeGroup(
      name,
      {
        ...args,
        ...callers,
        nodes: pool.eks,
        labels: nodeLabels(environment, pool),
        clusterName: cluster.clusterName,
        clusterSecurityGroupId: cluster.securityGroupId,
        nodeRoleArn: role.roleArn,
        releaseVersion: nodeImage(name, "release_version", args, opts),
        isProtected: args.protection.protect,
        bootsAfter,
      },
      opts,
    );
  }
  return new AwsHosts(
    name,
    {
      ...args,
      ...callers,
      launch: {
        imageId: pool.image.amiId ?? nodeImage(name, "image_id", args, opts),
        instanceProfileArn: role.instanceProfileArn,
      },
      moreSecurityGroupIds: [cluster.securityGroupId],
      bootsAfter,
      // The cluster takes an instance that it does not manage for its own by this tag.
      instanceTags: { [`kubernetes.io/cluster/${serviceNamespace(environment)}`]: "owned" },
    },
    opts,
  );
}

/** Lets hosts with this role join as nodes. EKS does so by itself for the groups that it manages. */
export function makeNodeEntry(
  name: string,
  args: { readonly cluster: EksCluster; readonly role: HostRole; readonly tags: OwnerTags },
  opts: pulumi.CustomResourceOptions,
): aws.eks.AccessEntry {
  const { cluster, role, tags } = args;
  return new aws.eks.AccessEntry(
    name,
    { clusterName: cluster.clusterName, principalArn: role.roleArn, type: "EC2_LINUX", tags },
    opts,
  );
}

/** What EKS publishes of its newest image for such nodes; kept until image.asOf or the version of Kubernetes moves. */
function nodeImage(
  name: string,
  what: "image_id" | "release_version",
  { pool, joins: { kubernetesVersion }, published, tags }: EksNodesArgs,
  opts: Within,
): pulumi.Output<string> {
  const { architecture, gpus } = pool.needs;
  const variant = gpus > 0 ? "nvidia" : "standard";
  const source = `/aws/service/eks/optimized-ami/${kubernetesVersion}/amazon-linux-2023/${architecture}/${variant}/recommended/${what}`;
  return hostImage(`${name}-kubernetes-${kubernetesVersion}`, { pool, published, source, tags }, opts);
}
