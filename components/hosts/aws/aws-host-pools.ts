import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { InputError } from "../../../host-tuning/errors.ts";
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

export interface AwsHostPoolsArgs {
  readonly environment: Environment;
  readonly pools: readonly AwsPool[];
  readonly config: StackConfig;
  readonly artifactsOf: (pool: AwsPool) => HostArtifacts;
  readonly tags: OwnerTags;
}

/** Longest name a bucket can have: stands for the real one until the engine knows it. */
const LONGEST_BUCKET_NAME = "b".repeat(63);

/** All AWS pools of an environment, and what they share: the artifact bucket, the role and the place in the network. */
export class AwsHostPools extends pulumi.ComponentResource {
  readonly hosts: readonly AwsHosts[];

  /** @throws {InputError} before anything is registered, when a pool's needs cannot be met or its user data is too large */
  constructor(name: string, args: AwsHostPoolsArgs, opts: pulumi.ComponentResourceOptions) {
    const selections = selectAll(args);
    for (const pool of args.pools) {
      hostUserData(args.environment, pool, args.artifactsOf(pool), s3UrlIn(LONGEST_BUCKET_NAME));
    }
    super("bedplate:index:AwsHostPools", name, {}, opts);
    const { tags, config } = args;
    const provider = new aws.Provider(
      name,
      { region: args.environment.region, defaultTags: { tags } },
      { parent: this },
    );
    const within = { parent: this, provider };
    const network = findNetworkPlace(config, within);
    const artifacts = distinct(args.pools.flatMap((pool) => Object.values(args.artifactsOf(pool))));
    const bucket = new ArtifactBucket(`${name}-artifacts`, { artifacts, tags }, within);
    const role = new HostRole(`${name}-host`, { bucketArn: bucket.arn, tags }, within);

    this.hosts = args.pools.map((pool, index) => {
      const selection = selections[index];
      if (selection === undefined) throw new RangeError(`Cannot find the selection of pool ${pool.name}`);
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
            (bucketName) =>
              hostUserData(args.environment, pool, args.artifactsOf(pool), s3UrlIn(bucketName)).encoded,
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

function selectAll(args: AwsHostPoolsArgs): readonly PoolSelection[] {
  const catalogue = loadCatalogue(args.environment.region);
  const results = args.pools.map((pool) =>
    selectInstanceTypes(pool, `hostPools[${args.environment.hostPools.indexOf(pool)}]`, catalogue),
  );
  const faults = results.flatMap((result) => ("faults" in result ? result.faults : []));
  if (faults.length > 0) throw new InputError(`environment "${args.environment.name}"`, faults);
  return results.filter((result) => "choice" in result);
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
