import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { type Catalogue, loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { type Fault, InputError } from "../../../host-tuning/errors.ts";
import type { ClusterSpec } from "../../cluster/cluster-spec.ts";
import { isNodePool } from "../../environment/cluster-faults.ts";
import { type AwsPool, type Environment, serviceNamespace } from "../../environment/environment-spec.ts";
import type { Artifact } from "../../environment/host-archives.ts";
import { type HostArtifacts, hostUserData } from "../../environment/host-user-data.ts";
import type { StackConfig } from "../../environment/stack-config.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";
import type { ClusterDetails } from "../../user-data/eks-user-data.ts";
import { makeEksNodes } from "../eks/eks-nodes.ts";
import { completeNodeCluster, makeNodeCluster } from "../eks/node-cluster.ts";
import type { Hosts } from "../hosts.ts";
import { ArtifactBucket, artifactKey } from "./artifact-bucket.ts";
import { type AwsAccount, readAwsAccount } from "./aws-account.ts";
import { AwsHosts } from "./aws-hosts.ts";
import { EnvironmentKey } from "./environment-key.ts";
import { PublishedImages, type Within, hostImage } from "./host-image.ts";
import { HostRole, type HostRoleArgs } from "./host-role.ts";
import { type LiveInstanceType, confirmLeaders, offeredIn } from "./live-instance-types.ts";
import { LogBucket } from "./log-bucket.ts";
import {
  type HostTypes,
  describeSelection,
  selectInstanceTypes,
  usedTypeCount,
} from "./select-instance-types.ts";

/** A pool with all that was decided for it before anything is made. */
export interface PlannedPool {
  readonly pool: AwsPool;
  /** Its place in the environment's file: `hostPools[0]`. */
  readonly at: string;
  readonly artifacts: HostArtifacts;
}

export interface AwsHostPoolsArgs {
  readonly environment: Environment;
  readonly pools: readonly PlannedPool[];
  readonly config: StackConfig;
  readonly tags: OwnerTags;
}

/** Longest name a bucket can have: stands for the real one until the engine knows it. */
const LONGEST_BUCKET_NAME = "b".repeat(63);

/** A cluster's own certificate, of 1.1 KiB; half as much again. A multiple of four, as base64 is. */
const CERTIFICATE_BASE64_LENGTH = 2200;

/** What all pools are made from. */
interface Shared {
  readonly args: AwsHostPoolsArgs;
  readonly account: pulumi.Output<AwsAccount>;
  /** What the account can have. Behind a function: an output's value is searched at each thing that is made from it. */
  readonly offered: pulumi.Output<() => Catalogue>;
  readonly published: PublishedImages;
  readonly bucket: ArtifactBucket;
  readonly hostRole: HostRoleArgs;
  readonly within: Within;
}

/** A cluster that its environment made, for what runs on it. */
export interface ClusterAccess {
  readonly kubeconfig: pulumi.Output<string>;
  /** What its volumes are encrypted with; undefined where others see to that. */
  readonly keyArn?: pulumi.Input<string>;
  /** What has to be there before a pod can run: administrators, nodes, name lookup. */
  readonly readyAfter: readonly pulumi.Resource[];
}

/** All AWS pools of an environment, and what they share: key, buckets, role, cluster and the place in the network. */
export class AwsHostPools extends pulumi.ComponentResource {
  readonly hosts: readonly Hosts[];
  /** Undefined where the environment has no cluster of its own. */
  readonly cluster: ClusterAccess | undefined;
  /** EC2's word on each type that was asked about: pools of like needs have the same leaders. */
  readonly #described = new Map<string, Promise<LiveInstanceType>>();

  constructor(name: string, args: AwsHostPoolsArgs, opts: pulumi.ComponentResourceOptions) {
    super("bedplate:index:AwsHostPools", name, {}, opts);
    const { tags, config } = args;
    const { region, protection, cluster: spec } = args.environment;
    const provider = new aws.Provider(
      name,
      {
        region,
        defaultTags: { tags },
        ...(config.accountId === undefined ? {} : { allowedAccountIds: [config.accountId] }),
      },
      { parent: this },
    );
    const within = { parent: this, provider };
    const account = readAwsAccount(config, within);
    const { accountId, partition } = account;
    const key = new EnvironmentKey(name, { accountId, partition, region, protection, tags }, within);
    const logs = new LogBucket(`${name}-logs`, { accountId, protection, tags }, within);
    const bucket = new ArtifactBucket(
      `${name}-artifacts`,
      {
        artifacts: distinct(args.pools.flatMap((planned) => Object.values(planned.artifacts))),
        keyArn: key.arn,
        logBucketName: logs.bucketName,
        protection,
        tags,
      },
      within,
    );
    const hostRole = { bucketArn: bucket.arn, keyArn: key.arn, partition, region, tags };
    const offered = account.apply((found) => {
      const catalogue = offeredIn(loadCatalogue(region), found);
      return () => catalogue;
    });
    const published = new PublishedImages(within);
    const shared = { args, account, offered, published, bucket, hostRole, within };
    const nodes = spec === undefined ? undefined : this.#makeCluster(name, spec, shared);
    this.hosts = [...this.#makePlainHosts(name, shared), ...(nodes?.hosts ?? [])];
    this.cluster = nodes?.access;
    this.registerOutputs({ artifactBucket: bucket.bucketName });
  }

  #makePlainHosts(name: string, shared: Shared): readonly Hosts[] {
    const { args, published, hostRole, within } = shared;
    const { environment, config, tags } = args;
    const pools = args.pools.filter(({ pool }) => !isNodePool(pool));
    if (pools.length === 0) return [];
    const { instanceProfileArn } = new HostRole(`${name}-host`, hostRole, within);
    const { runtime, port } = environment.service;
    return pools.map((planned) => {
      const { pool } = planned;
      const hostsName = `${name}-${pool.name}`;
      const imageId = hostImage(hostsName, { pool, published, amiId: config.amiId, tags }, within);
      return new AwsHosts(
        hostsName,
        {
          ...this.#commonOf(planned, shared),
          pool,
          launch: { imageId, instanceProfileArn },
          ...(runtime === "systemd" ? { servicePort: port } : {}),
        },
        within,
      );
    });
  }

  #makeCluster(
    name: string,
    spec: ClusterSpec,
    shared: Shared,
  ): { readonly hosts: readonly Hosts[]; readonly access: ClusterAccess } {
    const { args, account, published, hostRole, within } = shared;
    const { environment } = args;
    const administrators = args.config.clusterAdministrators ?? [];
    const clusterArgs = { environment, spec, account, administrators, hostRole };
    const joins = makeNodeCluster(name, clusterArgs, within);
    const hosts = args.pools.flatMap((planned) => {
      const { pool } = planned;
      if (!isNodePool(pool)) return [];
      const common = this.#commonOf(planned, shared, joins.cluster.details);
      return [
        makeEksNodes(`${name}-${pool.name}`, { ...common, environment, pool, joins, published }, within),
      ];
    });
    const addons = completeNodeCluster(name, joins, clusterArgs, hosts, within);
    const { cluster } = joins;
    return {
      hosts,
      access: {
        kubeconfig: cluster.kubeconfig,
        keyArn: hostRole.keyArn,
        readyAfter: [cluster, ...hosts, ...addons],
      },
    };
  }

  /** What every pool of hosts is made with, whatever joins or serves. */
  #commonOf(planned: PlannedPool, shared: Shared, cluster?: pulumi.Output<ClusterDetails>) {
    const { args, account, offered, bucket, hostRole, within } = shared;
    const { environment, config, tags } = args;
    const { schedule, protection } = environment;
    const { pool, artifacts } = planned;
    return {
      account,
      selection: offered.apply((catalogueOf) => this.#select(planned, catalogueOf(), within)),
      keyArn: hostRole.keyArn,
      ...(config.allowedCidrs === undefined ? {} : { allowedCidrs: config.allowedCidrs }),
      ...(schedule.running === undefined ? {} : { running: schedule.running }),
      protection,
      userData: pulumi
        .all([bucket.bucketName, cluster])
        .apply(
          ([bucketName, details]) =>
            hostUserData(environment, pool, artifacts, s3UrlIn(bucketName), details).encoded,
        ),
      bootsAfter: bucket.objects,
      tags,
    };
  }

  /**
   * The pool's types as the account can have them now: offered in its zones, and confirmed by EC2.
   *
   * @throws {pulumi.RunError} when there is none, with every reason
   */
  async #select(
    { pool, at }: PlannedPool,
    offered: Catalogue,
    opts: pulumi.InvokeOptions,
  ): Promise<HostTypes> {
    const { catalogue, differences } = await confirmLeaders(
      pool,
      offered,
      usedTypeCount(pool),
      (instanceType) => this.#describe(instanceType, opts),
    );
    for (const difference of differences) await pulumi.log.warn(`pool ${pool.name}: ${difference}`, this);
    const selection = selectInstanceTypes(pool, at, catalogue);
    if ("faults" in selection) {
      throw new pulumi.RunError(new InputError(`pool "${pool.name}"`, selection.faults).message);
    }
    await pulumi.log.info(`pool ${pool.name}: ${describeSelection(selection)}`, this);
    // The reasons have been told. An output of them would be a thousand types, searched at each thing made from it.
    const { choice: _, ...types } = selection;
    return types;
  }

  #describe(instanceType: string, opts: pulumi.InvokeOptions): Promise<LiveInstanceType> {
    const described = this.#described.get(instanceType) ?? aws.ec2.getInstanceType({ instanceType }, opts);
    this.#described.set(instanceType, described);
    return described;
  }
}

/**
 * Decides every AWS pool of an environment, or says what stands against it: needs that no type meets, settings that
 * exclude each other, user data above the limit even before the bucket's name is known. A pool without archives is left
 * out: the caller says so.
 */
export function planAwsPools(
  environment: Environment,
  artifactsOf: (pool: AwsPool) => HostArtifacts | undefined,
): { readonly pools: readonly PlannedPool[]; readonly faults: readonly Fault[] } {
  const pools: PlannedPool[] = [];
  const faults: Fault[] = [];
  if (environment.region === "local") return { pools, faults };
  const catalogue = loadCatalogue(environment.region);
  for (const [index, pool] of environment.hostPools.entries()) {
    if (pool.where !== "aws") continue;
    const at = `hostPools[${index}]`;
    const selection = selectInstanceTypes(pool, at, catalogue);
    const artifacts = artifactsOf(pool);
    faults.push(...("faults" in selection ? selection.faults : []));
    if (artifacts === undefined) continue;
    faults.push(...userDataFaults(environment, pool, artifacts, at));
    if ("choice" in selection) pools.push({ pool, at, artifacts });
  }
  return { pools, faults };
}

function userDataFaults(
  environment: Environment,
  pool: AwsPool,
  artifacts: HostArtifacts,
  at: string,
): readonly Fault[] {
  try {
    hostUserData(environment, pool, artifacts, s3UrlIn(LONGEST_BUCKET_NAME), longestDetails(environment));
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.faults.map((fault) => ({
      path: `${at}.profile`,
      message: `user data${fault.path === "" ? "" : ` ${fault.path}`}: ${fault.message}`,
    }));
  }
}

/** Stands for the cluster until the engine knows it: as long as what EKS answers, which is much the same everywhere. */
function longestDetails(environment: Environment): ClusterDetails {
  return {
    name: serviceNamespace(environment),
    apiServerEndpoint: `https://${"0".repeat(32)}.${"x".repeat(8)}.${environment.region}.eks.amazonaws.com.cn`,
    certificateAuthority: "A".repeat(CERTIFICATE_BASE64_LENGTH),
    cidr: "255.255.255.255/32",
  };
}

function s3UrlIn(bucketName: string): (artifact: Artifact) => string {
  return (artifact) => `s3://${bucketName}/${artifactKey(artifact.sha256)}`;
}

function distinct(artifacts: readonly Artifact[]): readonly Artifact[] {
  return [...new Map(artifacts.map((artifact) => [artifact.sha256, artifact])).values()];
}
