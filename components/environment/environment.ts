import * as pulumi from "@pulumi/pulumi";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { makeStorageClass } from "../cluster/storage-class.ts";
import {
  AwsHostPools,
  type ClusterAccess,
  type PlannedPool,
  planAwsPools,
} from "../hosts/aws/aws-host-pools.ts";
import { type Hosts, type PoolOutputs, poolOutputs } from "../hosts/hosts.ts";
import { LocalHosts, type LocalMachineOutputs } from "../hosts/local-hosts.ts";
import { Metal3Hosts } from "../hosts/metal3/metal3-hosts.ts";
import { SshHosts } from "../hosts/ssh-hosts.ts";
import { clusterProvider } from "../service/cluster-provider.ts";
import { McpService } from "../service/mcp-service.ts";
import { refuseUntagged } from "../tags/owner-tags.ts";
import { nodePools, poolsOfService } from "./cluster-faults.ts";
import type { Environment as EnvironmentSpec, HostPool, Metal3Pool } from "./environment-spec.ts";
import { ENVIRONMENT_TYPE, ownerTags, serviceNamespace } from "./environment-spec.ts";
import type { Artifact, HostArchives } from "./host-archives.ts";
import { type HostArtifacts, hostProfileOf, hostUserData } from "./host-user-data.ts";
import type { StackConfig } from "./stack-config.ts";

export interface EnvironmentArgs {
  readonly spec: EnvironmentSpec;
  readonly config: StackConfig;
  readonly archives: HostArchives;
}

/** What a stack returns, and what the cost and service commands read. */
export interface EnvironmentOutputs {
  readonly environment: string;
  readonly owner: EnvironmentSpec["owner"];
  readonly budget: EnvironmentSpec["budget"];
  readonly pools: pulumi.Output<Record<string, PoolOutputs>>;
  /** Where the service answers, as far as the engine knows it. */
  readonly serviceUrls: pulumi.Output<readonly string[]>;
  /** Machines of local pools; empty elsewhere. */
  readonly machines: pulumi.Output<readonly LocalMachineOutputs[]>;
  /** Of the environment's own cluster, for people and for stacks that name this one as their clusterStack. */
  readonly kubeconfig?: pulumi.Output<string>;
}

/**
 * One environment: its pools of hosts and the service on them, every part of it tagged with who pays. The one component
 * that a stack makes.
 *
 * Its type is `bedplate:index:...` like those of all components here, not named by folder: a component package must keep
 * its components in `index`, and a later change of type would be a change of every URN below it.
 */
export class Environment extends pulumi.ComponentResource {
  readonly outputs: EnvironmentOutputs;

  /** @throws {InputError} before anything is registered, with everything that is wrong */
  constructor(name: string, args: EnvironmentArgs, opts: pulumi.ComponentResourceOptions = {}) {
    const awsPools = planPools(args);
    super(
      ENVIRONMENT_TYPE,
      name,
      {},
      { ...opts, transforms: hasTaggable(args.spec) ? [refuseUntagged] : [] },
    );
    const local = this.#makeLocalHosts(args);
    const ssh = this.#makeSshHosts(args);
    const racked = this.#makeMetal3Hosts(name, args);
    const onAws = this.#makeAwsHosts(name, args, awsPools);
    const hosts = [...(onAws?.hosts ?? []), ...local, ...ssh, ...racked];
    const cluster = onAws?.cluster ?? givenCluster(args.config);
    const clusterUrls = this.#makeService(name, args, cluster);
    this.outputs = {
      environment: args.spec.name,
      owner: args.spec.owner,
      budget: args.spec.budget,
      pools: poolsByName(hosts),
      serviceUrls: pulumi
        .output([...clusterUrls, ...[...local, ...ssh, ...racked].map((pool) => pool.serviceUrls)])
        .apply((urls) => urls.flat()),
      machines: pulumi.output(local.map((pool) => pool.machineOutputs)).apply((lists) => lists.flat()),
      ...(onAws?.cluster === undefined ? {} : { kubeconfig: onAws.cluster.kubeconfig }),
    };
    this.registerOutputs({ ...this.outputs });
  }

  #makeAwsHosts(
    name: string,
    args: EnvironmentArgs,
    pools: readonly PlannedPool[],
  ): AwsHostPools | undefined {
    if (pools.length === 0) return undefined;
    return new AwsHostPools(
      name,
      { environment: args.spec, pools, config: args.config, tags: ownerTags(args.spec) },
      { parent: this },
    );
  }

  #makeLocalHosts(args: EnvironmentArgs): readonly LocalHosts[] {
    return args.spec.hostPools
      .filter((pool) => pool.where === "local")
      .map(
        (pool) =>
          new LocalHosts(
            pool.name,
            {
              pool,
              artifacts: artifactsOf(args, pool),
              servicePort: args.spec.service.port,
              userData: (urlOf) => hostUserData(args.spec, pool, artifactsOf(args, pool), urlOf).text,
            },
            { parent: this },
          ),
      );
  }

  #makeSshHosts(args: EnvironmentArgs): readonly SshHosts[] {
    return args.spec.hostPools
      .filter((pool) => pool.where === "ssh")
      .map(
        (pool) =>
          new SshHosts(
            pool.name,
            {
              pool,
              profile: hostProfileOf(args.spec, pool),
              artifacts: artifactsOf(args, pool),
              service: args.spec.service,
            },
            { parent: this },
          ),
      );
  }

  #makeMetal3Hosts(name: string, args: EnvironmentArgs): readonly Metal3Hosts[] {
    const pools = args.spec.hostPools.filter((pool) => pool.where === "metal3");
    const { kubeconfig, bmcCredentials: credentials } = args.config;
    if (pools.length === 0 || kubeconfig === undefined) return [];
    const provider = clusterProvider(name, kubeconfig, { parent: this });
    const { service } = args.spec;
    return pools.map(
      (pool) =>
        new Metal3Hosts(
          `${name}-${pool.name}`,
          {
            pool,
            userData: metal3UserData(args, pool),
            credentials,
            ...(service.runtime === "systemd" ? { servicePort: service.port } : {}),
            tags: ownerTags(args.spec),
            provider,
          },
          { parent: this },
        ),
    );
  }

  #makeService(
    name: string,
    args: EnvironmentArgs,
    cluster: ClusterAccess | undefined,
  ): readonly pulumi.Output<string>[] {
    const { service } = args.spec;
    if (service.runtime !== "kubernetes" || service.image === undefined || cluster === undefined) return [];
    const dependsOn = [...cluster.readyAfter];
    const provider = clusterProvider(name, cluster.kubeconfig, { parent: this, dependsOn });
    const tags = ownerTags(args.spec);
    const { keyArn } = cluster;
    if (keyArn !== undefined) makeStorageClass(name, { keyArn, tags }, { parent: this, provider });
    const spec = { ...service, image: service.image };
    const pools = poolsOfService(args.spec);
    return [
      new McpService(
        name,
        {
          namespace: serviceNamespace(args.spec),
          spec,
          taints: pools.flatMap((pool) => pool.eks.taints),
          callerCidrs: args.config.allowedCidrs ?? [],
          outbound: pools.flatMap((pool) => pool.outbound),
          hasTunedNodes: nodePools(args.spec.hostPools).length > 0,
          tags,
          provider,
        },
        { parent: this },
      ).url,
    ];
  }
}

/**
 * Does anything in the environment carry tags or labels? The check costs a call for every resource, and machines that
 * exist already, of which there may be a thousand, are no resources of an account or a cluster.
 */
function hasTaggable({ hostPools, service }: EnvironmentSpec): boolean {
  return (
    service.runtime === "kubernetes" || hostPools.some(({ where }) => where !== "ssh" && where !== "local")
  );
}

/** A cluster that others made. */
function givenCluster({ kubeconfig }: StackConfig): ClusterAccess | undefined {
  return kubeconfig === undefined ? undefined : { kubeconfig, readyAfter: [] };
}

function poolsByName(hosts: readonly Hosts[]): pulumi.Output<Record<string, PoolOutputs>> {
  const entries = hosts.map((pool) =>
    poolOutputs(pool).apply((outputs) => [pool.poolName, outputs] as const),
  );
  return pulumi.all(entries).apply((pools) => Object.fromEntries(pools));
}

/** The archives of a pool's hosts; the service's only where it runs as a unit of the host. */
function artifactsOf(args: EnvironmentArgs, pool: HostPool): HostArtifacts {
  const { architecture } = pool.needs;
  const agent = args.archives.agent[architecture];
  if (agent === undefined)
    throw new RangeError(`Cannot make pool ${pool.name}: no agent for ${architecture}`);
  return args.spec.service.runtime === "systemd" ? { agent, service: args.archives.service } : { agent };
}

/** @throws {InputError} when it is above the limit */
function metal3UserData(args: EnvironmentArgs, pool: Metal3Pool): string {
  const urlOf = ({ sha256 }: Artifact): string => `${pool.artifactsUrl}/${sha256}`;
  return hostUserData(args.spec, pool, artifactsOf(args, pool), urlOf).text;
}

/**
 * Decides what can be decided before anything is made.
 *
 * @throws {InputError} with the faults that the file alone does not show: they lie between it, the stack's settings, what
 *   was built and what can be had
 */
function planPools(args: EnvironmentArgs): readonly PlannedPool[] {
  const { spec, archives } = args;
  const faults: Fault[] = [];
  faults.push(...clusterSettingFaults(args));
  for (const [index, pool] of spec.hostPools.entries()) {
    const { architecture } = pool.needs;
    const at = `hostPools[${index}]`;
    if (archives.agent[architecture] === undefined) {
      faults.push({
        path: `${at}.needs.architecture`,
        message: `the list of archives has no agent for "${architecture}"`,
      });
    } else if (pool.where === "metal3") faults.push(...metal3PoolFaults(args, pool, at));
  }
  const planned = planAwsPools(spec, (pool) =>
    archives.agent[pool.needs.architecture] === undefined ? undefined : artifactsOf(args, pool),
  );
  faults.push(...planned.faults);
  if (faults.length > 0) throw new InputError(`environment "${spec.name}"`, faults);
  return planned.pools;
}

/** What stands between the service's cluster and the stack's settings. */
function clusterSettingFaults({ spec, config }: EnvironmentArgs): readonly Fault[] {
  if (spec.cluster === undefined) {
    if (spec.service.runtime !== "kubernetes" || config.kubeconfig !== undefined) return [];
    const message = `"kubernetes" needs a cluster: give the environment the key cluster, or ${config.words.giveCluster}`;
    return [{ path: "service.runtime", message }];
  }
  const faults: Fault[] = [];
  if (config.clusterAdministrators === undefined) {
    faults.push({
      path: "cluster",
      message: `has no administrators: ${config.words.giveAdministrators}, of the IAM role that runs pulumi first`,
    });
  }
  if (config.kubeconfig !== undefined) {
    faults.push({
      path: "cluster",
      message: `is the environment's own, and ${config.words.clusterSetting} names another: remove one`,
    });
  }
  return faults;
}

/** What a pool of racked machines lacks in the stack's settings. */
function metal3PoolFaults(args: EnvironmentArgs, pool: Metal3Pool, at: string): readonly Fault[] {
  const { spec, config } = args;
  const faults: Fault[] = [];
  if (config.kubeconfig === undefined) {
    faults.push({
      path: `${at}.where`,
      message: `"metal3" needs the cluster that runs it: ${config.words.giveCluster}`,
    });
  }
  for (const [index, host] of pool.hosts.entries()) {
    const machine = `${spec.name}-${pool.name}-${host.name}`;
    if (config.bmcCredentials.has(machine)) continue;
    faults.push({
      path: `${at}.hosts[${index}]`,
      message: config.words.accountMissing(machine),
    });
  }
  try {
    metal3UserData(args, pool);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    faults.push(...error.faults.map((fault) => ({ path: `${at}.profile`, message: fault.message })));
  }
  return faults;
}
