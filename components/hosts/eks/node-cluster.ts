import * as pulumi from "@pulumi/pulumi";
import { makeClusterAddons } from "../../cluster/cluster-addons.ts";
import type { ClusterSpec } from "../../cluster/cluster-spec.ts";
import { EksCluster } from "../../cluster/eks-cluster.ts";
import { nodePools } from "../../environment/cluster-faults.ts";
import { type Environment, serviceNamespace } from "../../environment/environment-spec.ts";
import type { AwsAccount, Subnet } from "../aws/aws-account.ts";
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
      vpcId: account.vpcId,
      vpcCidr: account.vpcCidr,
      subnetIds: account.subnets.apply(subnetsOfControlPlane),
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

/** @throws {pulumi.RunError} where they lie in one zone: EKS stands in two at least */
function subnetsOfControlPlane(subnets: readonly Subnet[]): string[] {
  const zones = new Set(subnets.map(({ zone }) => zone));
  if (zones.size < 2) {
    throw new pulumi.RunError(
      `Cannot make an EKS cluster in ${[...zones].join() || "no zone"}: it stands in two zones at least; name subnets of both in subnetIds`,
    );
  }
  return subnets.map(({ id }) => id);
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
    { clusterName: cluster.clusterName, spec, partition, tags, kind: "workloads", after: nodes },
    opts,
  );
}
