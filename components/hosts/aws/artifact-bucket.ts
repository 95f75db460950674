import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Environment } from "../../environment/environment-spec.ts";
import type { Artifact } from "../../environment/host-archives.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";
import { ACCESS_LOG_PREFIX } from "./log-bucket.ts";
import { makePrivateBucket } from "./private-bucket.ts";

export interface ArtifactBucketArgs {
  readonly artifacts: readonly Artifact[];
  readonly keyArn: pulumi.Input<string>;
  readonly logBucketName: pulumi.Input<string>;
  readonly protection: Environment["protection"];
  readonly tags: OwnerTags;
}

/** Folder of the bucket that hosts may read, and nothing else of it. */
export const ARTIFACT_PREFIX = "artifacts";

/** An archive that nothing names any more stays for a rollback of as many days. Our choice. */
const KEPT_DAYS_OF_OLD_VERSIONS = 90;

export function artifactKey(sha256: string): string {
  return `${ARTIFACT_PREFIX}/${sha256}`;
}

/**
 * The bucket of what hosts fetch at boot. Objects are named by their digest, so an archive once up never changes, and an
 * old launch template still finds its own.
 */
export class ArtifactBucket extends pulumi.ComponentResource {
  readonly bucketName: pulumi.Output<string>;
  readonly arn: pulumi.Output<string>;
  /** Settled when every archive is up and readable: hosts made after it find theirs. */
  readonly objects: readonly aws.s3.BucketObjectv2[];

  constructor(name: string, args: ArtifactBucketArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:ArtifactBucket", name, {}, opts);
    const kept: pulumi.CustomResourceOptions = { parent: this, ...args.protection };
    const { bucket, versioning } = makePrivateBucket(
      name,
      {
        keyArn: args.keyArn,
        lifecycle: [
          {
            id: "old-versions-expire",
            status: "Enabled",
            filter: { prefix: "" },
            noncurrentVersionExpiration: { noncurrentDays: KEPT_DAYS_OF_OLD_VERSIONS },
            abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
          },
        ],
        tags: args.tags,
      },
      kept,
    );
    new aws.s3.BucketLogging(
      name,
      { bucket: bucket.bucket, targetBucket: args.logBucketName, targetPrefix: ACCESS_LOG_PREFIX },
      kept,
    );
    this.bucketName = bucket.bucket;
    this.arn = bucket.arn;
    this.objects = args.artifacts.map(
      (artifact) =>
        new aws.s3.BucketObjectv2(
          `${name}-${artifact.sha256.slice(0, 12)}`,
          {
            bucket: bucket.bucket,
            key: artifactKey(artifact.sha256),
            source: new pulumi.asset.FileAsset(artifact.path),
            sourceHash: artifact.sha256,
            checksumAlgorithm: "SHA256",
            kmsKeyId: args.keyArn,
            tags: args.tags,
          },
          { parent: this, dependsOn: [versioning] },
        ),
    );
    this.registerOutputs({ bucketName: this.bucketName });
  }
}
