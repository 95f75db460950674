import type * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Environment } from "../../environment/environment-spec.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";
import { makePrivateBucket } from "./private-bucket.ts";

export interface LogBucketArgs {
  readonly accountId: pulumi.Input<string>;
  readonly protection: Environment["protection"];
  readonly tags: OwnerTags;
}

/** Thirteen months: the same month of the last year can still be looked at. Our choice. */
const LOG_DAYS = 400;
const KEPT_DAYS_OF_OLD_VERSIONS = 30;

/** Folder of the access logs of the artifact bucket. */
export const ACCESS_LOG_PREFIX = "access/artifacts/";

/** Where S3 writes who read what of the environment's buckets. */
export class LogBucket extends pulumi.ComponentResource {
  readonly bucketName: pulumi.Output<string>;

  constructor(name: string, args: LogBucketArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:LogBucket", name, {}, opts);
    const { bucket } = makePrivateBucket(
      name,
      {
        lifecycle: [expiry()],
        statements: (arn) => [deliveryStatement(arn, args.accountId)],
        tags: args.tags,
      },
      { parent: this, ...args.protection },
    );
    this.bucketName = bucket.bucket;
    this.registerOutputs({ bucketName: this.bucketName });
  }
}

function expiry(): aws.types.input.s3.BucketLifecycleConfigurationRule {
  return {
    id: "logs-expire",
    status: "Enabled",
    filter: { prefix: "" },
    expiration: { days: LOG_DAYS },
    noncurrentVersionExpiration: { noncurrentDays: KEPT_DAYS_OF_OLD_VERSIONS },
    abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
  };
}

/** S3 itself writes access logs, for buckets of this account alone. */
function deliveryStatement(arn: pulumi.Output<string>, accountId: pulumi.Input<string>): object {
  return {
    Sid: "AccessLogs",
    Effect: "Allow",
    Principal: { Service: "logging.s3.amazonaws.com" },
    Action: "s3:PutObject",
    Resource: pulumi.interpolate`${arn}/${ACCESS_LOG_PREFIX}*`,
    Condition: { StringEquals: { "aws:SourceAccount": accountId } },
  };
}
