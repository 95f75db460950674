import { API_VERSION, type HostProfile } from "../../host-tuning/profile/host-profile.ts";
import { drainSeconds, POOL_LABEL } from "../service/pod-spec.ts";
import { type ClusterDetails, type EksNodeInput, renderEksUserData } from "../user-data/eks-user-data.ts";
import { type UserData, type UserDataInput, renderUserData } from "../user-data/render-user-data.ts";
import { type NodePool, isNodePool } from "./cluster-faults.ts";
import { type Environment, type HostPool, ownerTags } from "./environment-spec.ts";
import type { Artifact } from "./host-archives.ts";

/** The archives of one host, each with the address it is fetched from. */
export interface HostArtifacts {
  readonly agent: Artifact;
  /** Only where the service runs as a unit of the host. */
  readonly service?: Artifact;
}

/** The profile that a pool's hosts are tuned by: the pool's own, for the service as the environment runs it, and the node. */
export function hostProfileOf(environment: Environment, pool: HostPool): HostProfile {
  return {
    ...pool.profile,
    apiVersion: API_VERSION,
    kind: "HostProfile",
    service: {
      ...pool.profile.service,
      runtime: environment.service.runtime,
      listenPorts: [...new Set([...pool.profile.service.listenPorts, environment.service.port])],
      memoryBytes: pool.profile.service.memoryBytes ?? environment.service.memoryMiB * 1024 * 1024,
    },
    // The kubelet of a node is told what is measured on it, where nodeadm looks.
    ...(isNodePool(pool) ? { kubernetes: { ...pool.profile.kubernetes, kubeletHandOver: "nodeadm" } } : {}),
  };
}

/** Labels of a pool's nodes: which pool, who pays, and what the pool names. */
export function nodeLabels(environment: Environment, pool: NodePool): Readonly<Record<string, string>> {
  return { [POOL_LABEL]: pool.name, ...ownerTags(environment), ...pool.eks.labels };
}

/**
 * User data of a pool's hosts: the same wherever they stand, but for the addresses of the archives, and for nodes what joins
 * them to their cluster.
 *
 * @param cluster of nodes; not needed for those whose group EKS manages, as it adds it
 * @throws {InputError} when it is wrong or above the limit
 */
export function hostUserData(
  environment: Environment,
  pool: HostPool,
  artifacts: HostArtifacts,
  urlOf: (artifact: Artifact) => string,
  cluster?: ClusterDetails,
): UserData {
  const placed = (artifact: Artifact) => ({ url: urlOf(artifact), sha256: artifact.sha256 });
  const { port, protocolEra, longestCallSeconds, allowedHosts, authorization } = environment.service;
  const data: UserDataInput = {
    profile: hostProfileOf(environment, pool),
    artifacts: {
      agent: placed(artifacts.agent),
      ...(artifacts.service === undefined ? {} : { service: placed(artifacts.service) }),
    },
    ...(artifacts.service === undefined
      ? {}
      : {
          service: {
            port,
            protocolEra,
            longestCallSeconds,
            allowedHosts,
            ...(authorization === undefined ? {} : { authorization }),
          },
        }),
  };
  return isNodePool(pool)
    ? renderEksUserData(data, eksNodeOf(environment, pool, cluster))
    : renderUserData(data);
}

/** EKS gives the nodes of its own groups their cluster, labels and taints. */
function eksNodeOf(
  environment: Environment,
  pool: NodePool,
  cluster: ClusterDetails | undefined,
): EksNodeInput {
  const node = { drainSeconds: drainSeconds(environment.service.longestCallSeconds) };
  if (pool.eks.nodeGroup === "managed") return { ...node, labels: {}, taints: [] };
  if (cluster === undefined)
    throw new RangeError(`Pool ${pool.name} joins its cluster by itself, and none is given`);
  return { ...node, cluster, labels: { ...nodeLabels(environment, pool) }, taints: pool.eks.taints };
}
