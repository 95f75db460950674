import type * as pulumi from "@pulumi/pulumi";
import { makeClusterAddons } from "../../cluster/cluster-addons.ts";
import type { ClusterSpec } from "../../cluster/cluster-spec.ts";
import { EksCluster } from "../../cluster/eks-cluster.ts";
import { nodePools } from "../../environment/cluster-faults.ts";
import { type Environment, serviceNamespace } from "../../environment/environment-spec.ts";
import type { AwsAccount } from "../aws/aws-account.ts";
import { HostRole, type HostRoleArgs } from "../aws/host-role.ts";
import type { Hosts } from "../hosts.ts";
import { NODE_POLICIES, makeNodeEntry } from "./eks-nodes.ts";

export interface NodeClusterArgs {
  readonly environment: Environment;
  readonly spec: ClusterSpec;
  readonly account: pulumi.Output<AwsAccount>;
  readonly administrators: readonly string[];
  /** What every role of a host is made with. */
  readonly hostRole: HostRoleArgs;
}

/** The cluster of an environment as its nodes need it. */
export interface NodeCluster {
  readonly cluster: EksCluster;
  readonly role: HostRole;
  readonly kubernetesVersion: string;
  /** What has to be there before a node boots. */
  readonly nodesAfter: readonly pulumi.Resource[];
}

/** Makes the environment's cluster up to where nodes can join it. */
export function makeNodeCluster(
  name: string,
  args: NodeClusterArgs,
  opts: pulumi.CustomResourceOptions,
): NodeCluster {
  const { environment, spec, account, hostRole } = args;
  const { keyArn, partition, region, tags } = hostRole;
  const cluster = new EksCluster(
    `${name}-cluster`,
    {
      clusterName: serviceNamespace(environment),
      spec,
      region,
      partition,
      subnetIds: account.subnets.apply((subnets) => subnets.map(({ id }) => id)),
      administrators: args.administrators,
      keyArn,
      protection: environment.protection,
      tags,
    },
    opts,
  );
  const role = new HostRole(`${name}-node`, { ...hostRole, policies: NODE_POLICIES }, opts);
  const joinsByItself = nodePools(environment.hostPools).some(({ eks }) => eks.nodeGroup === "self-managed");
  const entries = joinsByItself ? [makeNodeEntry(`${name}-node`, { cluster, role, tags }, opts)] : [];
  return {
    cluster,
    role,
    kubernetesVersion: spec.kubernetesVersion,
    nodesAfter: [...cluster.nodesAfter, ...role.attachments, ...entries],
  };
}

/** Makes the add-ons that need nodes to run on. */
export function completeNodeCluster(
  name: string,
  { cluster }: NodeCluster,
  { spec, hostRole }: Pick<NodeClusterArgs, "spec" | "hostRole">,
  nodes: readonly (Hosts & pulumi.ComponentResource)[],
  opts: pulumi.CustomResourceOptions,
): readonly pulumi.Resource[] {
  const { partition, tags } = hostRole;
  return makeClusterAddons(
    `${name}-cluster`,
    { clusterName: cluster.clusterName, spec, partition, tags, kind: "workloads" },
    { ...opts, dependsOn: [...nodes] },
  );
}
