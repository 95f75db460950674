import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

export interface PrivateBucketArgs {
  /** @default - keys of S3 itself, as the service that writes access logs needs */
  readonly keyArn?: pulumi.Input<string>;
  readonly lifecycle: aws.types.input.s3.BucketLifecycleConfigurationRule[];
  /** Statements of the bucket's policy, beside the refusal of plain HTTP. */
  readonly statements?: (arn: pulumi.Output<string>) => readonly object[];
  readonly tags: Readonly<Record<string, string>>;
}

export interface PrivateBucket {
  readonly bucket: aws.s3.Bucket;
  readonly versioning: aws.s3.BucketVersioning;
}

/** A bucket that is private, versioned, encrypted and reached by TLS alone; its parts are children of `opts.parent`. */
export function makePrivateBucket(
  name: string,
  args: PrivateBucketArgs,
  opts: pulumi.CustomResourceOptions,
): PrivateBucket {
  const bucket = new aws.s3.Bucket(name, { tags: args.tags }, opts);
  new aws.s3.BucketPublicAccessBlock(
    name,
    {
      bucket: bucket.bucket,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    },
    opts,
  );
  new aws.s3.BucketOwnershipControls(
    name,
    { bucket: bucket.bucket, rule: { objectOwnership: "BucketOwnerEnforced" } },
    opts,
  );
  const versioning = new aws.s3.BucketVersioning(
    name,
    { bucket: bucket.bucket, versioningConfiguration: { status: "Enabled" } },
    opts,
  );
  new aws.s3.BucketServerSideEncryptionConfiguration(
    name,
    {
      bucket: bucket.bucket,
      rules: [
        {
          applyServerSideEncryptionByDefault:
            args.keyArn === undefined
              ? { sseAlgorithm: "AES256" }
              : { sseAlgorithm: "aws:kms", kmsMasterKeyId: args.keyArn },
          bucketKeyEnabled: true,
        },
      ],
    },
    opts,
  );
  new aws.s3.BucketLifecycleConfiguration(
    name,
    { bucket: bucket.bucket, rules: args.lifecycle },
    { ...opts, dependsOn: [versioning] },
  );
  new aws.s3.BucketPolicy(
    name,
    { bucket: bucket.bucket, policy: bucketPolicy(bucket.arn, args.statements?.(bucket.arn) ?? []) },
    opts,
  );
  return { bucket, versioning };
}

function bucketPolicy(arn: pulumi.Output<string>, statements: readonly object[]): pulumi.Output<string> {
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
      ...statements,
    ],
  });
}
