import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { type Fault, InputError } from "../../../host-tuning/errors.ts";
import type { AwsPool, Environment } from "../../environment/environment-spec.ts";
import type { Artifact } from "../../environment/host-archives.ts";
import { type HostArtifacts, hostUserData } from "../../environment/host-user-data.ts";
import type { StackConfig } from "../../environment/stack-config.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";
import { ArtifactBucket, artifactKey } from "./artifact-bucket.ts";
import { AwsHosts } from "./aws-hosts.ts";
import { HostRole } from "./host-role.ts";
import { findNetworkPlace } from "./network-place.ts";
import { type PoolSelection, describeSelection, selectInstanceTypes } from "./select-instance-types.ts";

/** A pool with all that was decided for it before anything is made. */
export interface PlannedPool {
  readonly pool: AwsPool;
  readonly selection: PoolSelection;
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

/** All AWS pools of an environment, and what they share: the artifact bucket, the role and the place in the network. */
export class AwsHostPools extends pulumi.ComponentResource {
  readonly hosts: readonly AwsHosts[];

  constructor(name: string, args: AwsHostPoolsArgs, opts: pulumi.ComponentResourceOptions) {
    super("bedplate:index:AwsHostPools", name, {}, opts);
    const { tags, config } = args;
    const provider = new aws.Provider(
      name,
      { region: args.environment.region, defaultTags: { tags } },
      { parent: this },
    );
    const within = { parent: this, provider };
    const network = findNetworkPlace(config, within);
    const artifacts = distinct(args.pools.flatMap((planned) => Object.values(planned.artifacts)));
    const bucket = new ArtifactBucket(`${name}-artifacts`, { artifacts, tags }, within);
    const role = new HostRole(`${name}-host`, { bucketArn: bucket.arn, tags }, within);

    this.hosts = args.pools.map(({ pool, selection, artifacts: ofPool }) => {
      void pulumi.log.info(`pool ${pool.name}: ${describeSelection(selection)}`, this);
      return new AwsHosts(
        `${name}-${pool.name}`,
        {
          pool,
          instanceTypes: selection.instanceTypes,
          amiId: config.amiId ?? newestImage(pool.needs.architecture, within),
          network,
          instanceProfileArn: role.instanceProfileArn,
          servicePort: args.environment.service.port,
          ...(config.allowedCidrs === undefined ? {} : { allowedCidrs: config.allowedCidrs }),
          userData: bucket.bucketName.apply(
            (bucketName) => hostUserData(args.environment, pool, ofPool, s3UrlIn(bucketName)).encoded,
          ),
          bootsAfter: bucket.objects,
          tags,
        },
        within,
      );
    });
    this.registerOutputs({ artifactBucket: bucket.bucketName });
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
    if ("choice" in selection) pools.push({ pool, selection, artifacts });
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

/** Newest Amazon Linux 2023 for plain hosts. An environment that must not move names its image in the key amiId. */
function newestImage(
  architecture: "x86_64" | "arm64",
  opts: pulumi.InvokeOutputOptions,
): pulumi.Output<string> {
  const name = `/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${architecture}`;
  return aws.ssm.getParameterOutput({ name }, opts).value;
}
