import type * as z from "zod";
import type { ClusterSpec } from "../cluster/cluster-spec.ts";
import { isMetadataRange } from "../service/network-policy.ts";
import type { AwsPool, HostPool, ServiceSpec } from "./environment-spec.ts";

type Issue = Pick<z.core.$ZodIssueCustom, "path" | "message">;

/** The parts of an environment that have to fit where its service runs on Kubernetes. */
interface ClusterParts {
  readonly region: string;
  readonly hostPools: readonly HostPool[];
  readonly service: ServiceSpec;
  readonly cluster?: ClusterSpec | undefined;
  readonly schedule: { readonly running?: unknown };
}

export type NodePool = AwsPool & { readonly eks: NonNullable<AwsPool["eks"]> };

/** The pools whose hosts are nodes of the environment's cluster. */
export function nodePools(hostPools: readonly HostPool[]): readonly NodePool[] {
  return hostPools.filter(isNodePool);
}

export function isNodePool(pool: HostPool): pool is NodePool {
  return pool.where === "aws" && pool.eks !== undefined;
}

/** The pools that the service's pods may be on: those that it names, else all nodes. */
export function poolsOfService(
  environment: Pick<ClusterParts, "hostPools" | "service">,
): readonly NodePool[] {
  const wanted = environment.service.kubernetes?.hostPools;
  return nodePools(environment.hostPools).filter(({ name }) => wanted === undefined || wanted.includes(name));
}

/** What stands between the cluster, its nodes and the service on them. */
export function clusterFaults(environment: ClusterParts): readonly Issue[] {
  const { service, cluster } = environment;
  const faults: Issue[] = [];
  const { kubernetes } = service;
  if (service.runtime !== "kubernetes") {
    const message = `needs service.runtime "kubernetes"`;
    if (kubernetes !== undefined) faults.push({ path: ["service", "kubernetes"], message });
    if (cluster !== undefined) faults.push({ path: ["cluster"], message });
  }
  if (cluster !== undefined) {
    if (environment.region === "local")
      faults.push({ path: ["cluster"], message: 'there is no EKS in region "local"' });
    const pools = nodePools(environment.hostPools);
    if (pools.length === 0)
      faults.push({ path: ["cluster"], message: "has no nodes: give a pool the key eks" });
    else if (pools.every(({ eks }) => eks.taints.some(({ effect }) => effect !== "PreferNoSchedule")))
      faults.push({
        path: ["cluster"],
        message:
          "every pool of its nodes has a taint, and name lookup tolerates none: leave one pool without",
      });
    if (cluster.endpointAccess === "public-and-private" && cluster.publicAccessCidrs.length === 0)
      faults.push({
        path: ["cluster", "publicAccessCidrs"],
        message: "a public endpoint needs at least one range",
      });
    if (cluster.endpointAccess === "private" && cluster.publicAccessCidrs.length > 0)
      faults.push({ path: ["cluster", "publicAccessCidrs"], message: "a private endpoint has none" });
  }
  for (const [index, pool] of environment.hostPools.entries()) {
    if (pool.where === "metal3" && service.runtime === "kubernetes")
      faults.push({
        path: ["service", "runtime"],
        message: `"kubernetes" has no nodes in racks: no component joins them to a cluster; use "systemd"`,
      });
    if (pool.where !== "aws" || pool.eks === undefined) continue;
    if (service.runtime !== "kubernetes")
      faults.push({ path: ["hostPools", index, "eks"], message: `needs service.runtime "kubernetes"` });
    for (const [rule, { cidr }] of pool.outbound.entries())
      if (isMetadataRange(cidr))
        faults.push({
          path: ["hostPools", index, "outbound", rule, "cidr"],
          message: "is cloud metadata, which pods are kept from",
        });
    if (cluster === undefined)
      faults.push({
        path: ["hostPools", index, "eks"],
        message: "needs the environment's cluster: set the key cluster",
      });
    if (pool.eks.nodeGroup === "managed") faults.push(...managedGroupFaults(pool, index));
    if (pool.eks.nodeGroup === "managed" && environment.schedule.running !== undefined)
      faults.push({
        path: ["schedule", "running"],
        message: `EKS keeps the nodes of pool ${pool.name} running: set its eks.nodeGroup "self-managed"`,
      });
  }
  if (kubernetes !== undefined) faults.push(...serviceFaults(environment, kubernetes));
  return faults;
}

/** What a managed node group cannot do, and a self-managed one can. */
function managedGroupFaults(pool: AwsPool, index: number): Issue[] {
  const isAsked = {
    warmPool: pool.warmPool !== undefined,
    onDemandCount: pool.onDemandCount > 0,
    capacityBlockId: pool.capacityBlockId !== undefined,
    image: pool.image.amiId !== undefined,
  };
  return Object.entries(isAsked).flatMap(([key, asked]) =>
    asked
      ? [
          {
            path: ["hostPools", index, key],
            message: `is not for a managed node group: set eks.nodeGroup "self-managed"`,
          },
        ]
      : [],
  );
}

function serviceFaults(
  environment: ClusterParts,
  kubernetes: NonNullable<ServiceSpec["kubernetes"]>,
): Issue[] {
  const { service } = environment;
  const at = ["service", "kubernetes"];
  const faults: Issue[] = [];
  const { scaling, hugepages, devices } = kubernetes;
  if (scaling !== undefined && scaling.maxReplicas < service.replicas)
    faults.push({
      path: [...at, "scaling", "maxReplicas"],
      message: `${scaling.maxReplicas} is below replicas ${service.replicas}`,
    });
  const known = nodePools(environment.hostPools).map(({ name }) => name);
  for (const [index, name] of (kubernetes.hostPools ?? []).entries())
    if (!known.includes(name))
      faults.push({
        path: [...at, "hostPools", index],
        message: `"${name}" is no pool of nodes (eks); there are ${known.join(", ") || "none"}`,
      });
  // The nodes of a cluster that others made are not known here.
  const pools = poolsOfService(environment);
  if (pools.length === 0) return faults;
  const roomy = pools.filter(({ needs }) => needs.vcpus > service.cpus);
  if (roomy.length === 0)
    faults.push({
      path: ["service", "cpus"],
      message: `${service.cpus} leave no CPU of a node for the system: ${pools.map(({ name, needs }) => `pool ${name} has ${needs.vcpus}`).join(", ")}`,
    });
  if (hugepages !== undefined && !pools.some(({ profile }) => hasPages(profile.hugepages, hugepages)))
    faults.push({
      path: [...at, "hugepages"],
      message: `no pool's profile has so many pages of ${hugepages.sizeKiB} KiB on one NUMA node: set its hugepages.perNode`,
    });
  const gpus = devices["nvidia.com/gpu"];
  if (gpus !== undefined && !pools.some(({ needs }) => needs.gpus >= gpus))
    faults.push({
      path: [...at, "devices", "nvidia.com/gpu"],
      message: `no pool of its nodes has ${gpus} GPUs`,
    });
  const efas = devices["vpc.amazonaws.com/efa"];
  if (efas !== undefined && !pools.some(({ needs }) => needs.efaInterfaces >= efas))
    faults.push({
      path: [...at, "devices", "vpc.amazonaws.com/efa"],
      message: `no pool of its nodes has ${efas} EFA interfaces`,
    });
  return faults;
}

function hasPages(
  reserved: { readonly sizeKiB: number; readonly perNode: number },
  wanted: { readonly sizeKiB: number; readonly mebibytes: number },
): boolean {
  return (
    reserved.sizeKiB === wanted.sizeKiB && reserved.perNode * reserved.sizeKiB >= wanted.mebibytes * 1024
  );
}
