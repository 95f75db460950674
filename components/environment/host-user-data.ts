import { API_VERSION, type HostProfile } from "../../host-tuning/profile/host-profile.ts";
import { type UserData, renderUserData } from "../user-data/render-user-data.ts";
import type { Environment, HostPool } from "./environment-spec.ts";
import type { Artifact } from "./host-archives.ts";

/** The archives of one host, each with the address it is fetched from. */
export interface HostArtifacts {
  readonly agent: Artifact;
  /** Only where the service runs as a unit of the host. */
  readonly service?: Artifact;
}

/** The profile that a pool's hosts are tuned by: the pool's own, for the service as the environment runs it. */
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
  };
}

/**
 * User data of a pool's hosts: the same text wherever they stand, but for the addresses of the archives.
 *
 * @throws {InputError} when it is wrong or above the limit
 */
export function hostUserData(
  environment: Environment,
  pool: HostPool,
  artifacts: HostArtifacts,
  urlOf: (artifact: Artifact) => string,
): UserData {
  const placed = (artifact: Artifact) => ({ url: urlOf(artifact), sha256: artifact.sha256 });
  const { port, protocolEra, longestCallSeconds, allowedHosts } = environment.service;
  return renderUserData({
    profile: hostProfileOf(environment, pool),
    artifacts: {
      agent: placed(artifacts.agent),
      ...(artifacts.service === undefined ? {} : { service: placed(artifacts.service) }),
    },
    ...(artifacts.service === undefined
      ? {}
      : { service: { port, protocolEra, longestCallSeconds, allowedHosts } }),
  });
}
