import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { type Catalogue, loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { type Fault, InputError } from "../../../host-tuning/errors.ts";
import type { AwsPool, Environment } from "../../environment/environment-spec.ts";
import type { Artifact } from "../../environment/host-archives.ts";
import { type HostArtifacts, hostUserData } from "../../environment/host-user-data.ts";
import type { StackConfig } from "../../environment/stack-config.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";
import { ArtifactBucket, artifactKey } from "./artifact-bucket.ts";
import { type AwsAccount, readAwsAccount } from "./aws-account.ts";
import { AwsHosts } from "./aws-hosts.ts";
import { EnvironmentKey } from "./environment-key.ts";
import { hostImage } from "./host-image.ts";
import { HostRole } from "./host-role.ts";
import { confirmLeaders, offeredIn } from "./live-instance-types.ts";
import { LogBucket } from "./log-bucket.ts";
import {
  type PoolSelection,
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

/** All AWS pools of an environment, and what they share: key, buckets, role and the place in the network. */
export class AwsHostPools extends pulumi.ComponentResource {
  readonly hosts: readonly AwsHosts[];

  constructor(name: string, args: AwsHostPoolsArgs, opts: pulumi.ComponentResourceOptions) {
    super("bedplate:index:AwsHostPools", name, {}, opts);
    const { tags, config } = args;
    const { region, protection, service, schedule } = args.environment;
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
    const role = new HostRole(
      `${name}-host`,
      { bucketArn: bucket.arn, keyArn: key.arn, partition, region, tags },
      within,
    );

    const catalogue = loadCatalogue(region);
    this.hosts = args.pools.map((planned) => {
      const { pool, artifacts } = planned;
      const selection = account.apply((found) => this.#select(planned, catalogue, found, within));
      const hostsName = `${name}-${pool.name}`;
      return new AwsHosts(
        hostsName,
        {
          pool,
          account,
          selection,
          imageId: hostImage(hostsName, { pool, amiId: config.amiId, tags }, within),
          instanceProfileArn: role.instanceProfileArn,
          keyArn: key.arn,
          ...(service.runtime === "systemd" ? { servicePort: service.port } : {}),
          ...(config.allowedCidrs === undefined ? {} : { allowedCidrs: config.allowedCidrs }),
          ...(schedule.running === undefined ? {} : { running: schedule.running }),
          protection,
          userData: bucket.bucketName.apply(
            (bucketName) => hostUserData(args.environment, pool, artifacts, s3UrlIn(bucketName)).encoded,
          ),
          bootsAfter: bucket.objects,
          tags,
        },
        within,
      );
    });
    this.registerOutputs({ artifactBucket: bucket.bucketName });
  }

  /**
   * The pool's types as the account can have them now: offered in its zones, and confirmed by EC2.
   *
   * @throws {pulumi.RunError} when there is none, with every reason
   */
  async #select(
    { pool, at }: PlannedPool,
    catalogueOfRegion: Catalogue,
    account: AwsAccount,
    opts: pulumi.InvokeOptions,
  ): Promise<PoolSelection> {
    const { catalogue, differences } = await confirmLeaders(
      pool,
      offeredIn(catalogueOfRegion, account),
      usedTypeCount(pool),
      (instanceType) => aws.ec2.getInstanceType({ instanceType }, opts),
    );
    for (const difference of differences) await pulumi.log.warn(`pool ${pool.name}: ${difference}`, this);
    const selection = selectInstanceTypes(pool, at, catalogue);
    if ("faults" in selection) {
      throw new pulumi.RunError(new InputError(`pool "${pool.name}"`, selection.faults).message);
    }
    await pulumi.log.info(`pool ${pool.name}: ${describeSelection(selection)}`, this);
    return selection;
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
    hostUserData(environment, pool, artifacts, s3UrlIn(LONGEST_BUCKET_NAME));
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.faults.map((fault) => ({
      path: `${at}.profile`,
      message: `user data${fault.path === "" ? "" : ` ${fault.path}`}: ${fault.message}`,
    }));
  }
}

function s3UrlIn(bucketName: string): (artifact: Artifact) => string {
  return (artifact) => `s3://${bucketName}/${artifactKey(artifact.sha256)}`;
}

function distinct(artifacts: readonly Artifact[]): readonly Artifact[] {
  return [...new Map(artifacts.map((artifact) => [artifact.sha256, artifact])).values()];
}
