import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Artifact } from "../../environment/host-archives.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";

export interface ArtifactBucketArgs {
  readonly artifacts: readonly Artifact[];
  readonly tags: OwnerTags;
}

/** Folder of the bucket that hosts may read, and nothing else of it. */
export const ARTIFACT_PREFIX = "artifacts";

export function artifactKey(sha256: string): string {
  return `${ARTIFACT_PREFIX}/${sha256}`;
}

/**
 * Private, versioned, encrypted bucket for what hosts fetch at boot. Objects are named by their digest, so an archive
 * once up never changes, and an old launch template still finds its own.
 */
export class ArtifactBucket extends pulumi.ComponentResource {
  readonly bucketName: pulumi.Output<string>;
  readonly arn: pulumi.Output<string>;
  /** Settled when every archive is up and readable: hosts made after it find theirs. */
  readonly objects: readonly aws.s3.BucketObjectv2[];

  constructor(name: string, args: ArtifactBucketArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:ArtifactBucket", name, {}, opts);
    const child: pulumi.CustomResourceOptions = { parent: this };
    const bucket = new aws.s3.Bucket(name, { tags: args.tags }, child);
    this.bucketName = bucket.bucket;
    this.arn = bucket.arn;

    new aws.s3.BucketPublicAccessBlock(
      name,
      {
        bucket: bucket.bucket,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      child,
    );
    new aws.s3.BucketOwnershipControls(
      name,
      { bucket: bucket.bucket, rule: { objectOwnership: "BucketOwnerEnforced" } },
      child,
    );
    const versioning = new aws.s3.BucketVersioning(
      name,
      { bucket: bucket.bucket, versioningConfiguration: { status: "Enabled" } },
      child,
    );
    new aws.s3.BucketServerSideEncryptionConfiguration(
      name,
      {
        bucket: bucket.bucket,
        rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" }, bucketKeyEnabled: true }],
      },
      child,
    );
    new aws.s3.BucketPolicy(name, { bucket: bucket.bucket, policy: tlsOnlyPolicy(bucket.arn) }, child);

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
            tags: args.tags,
          },
          { parent: this, dependsOn: [versioning] },
        ),
    );
    this.registerOutputs({ bucketName: this.bucketName });
  }
}

function tlsOnlyPolicy(arn: pulumi.Output<string>): pulumi.Output<string> {
  return pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "RefusePlainHttp",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [arn, pulumi.interpolate`${arn}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  });
}
