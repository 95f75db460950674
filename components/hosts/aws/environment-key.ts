import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Environment } from "../../environment/environment-spec.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";

export interface EnvironmentKeyArgs {
  readonly accountId: pulumi.Input<string>;
  readonly partition: pulumi.Input<string>;
  readonly region: string;
  readonly protection: Environment["protection"];
  readonly tags: OwnerTags;
}

/** What volumes and archives of one environment are encrypted with. Rotated every year. */
export class EnvironmentKey extends pulumi.ComponentResource {
  readonly arn: pulumi.Output<string>;

  constructor(name: string, args: EnvironmentKeyArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:EnvironmentKey", name, {}, opts);
    const kept: pulumi.CustomResourceOptions = { parent: this, ...args.protection };
    const key = new aws.kms.Key(
      name,
      {
        description: `Volumes and archives of ${name}`,
        enableKeyRotation: true,
        deletionWindowInDays: 30,
        policy: keyPolicy(args),
        tags: { ...args.tags, Name: name },
      },
      kept,
    );
    new aws.kms.Alias(
      name,
      { name: `alias/bedplate-${args.tags.service}-${args.tags.environment}`, targetKeyId: key.keyId },
      kept,
    );
    this.arn = key.arn;
    this.registerOutputs({ arn: this.arn });
  }
}

/**
 * The account's own policies decide who administers and uses the key; EBS uses it for whoever may launch instances. That is
 * how the service role of Auto Scaling gets to it, which a policy could name only once the role is there: without it every
 * launch ends with Client.InternalError.
 */
function keyPolicy({ accountId, partition, region }: EnvironmentKeyArgs): pulumi.Output<string> {
  return pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "AccountPoliciesDecide",
        Effect: "Allow",
        Principal: { AWS: pulumi.interpolate`arn:${partition}:iam::${accountId}:root` },
        Action: "kms:*",
        Resource: "*",
      },
      {
        Sid: "VolumesOfThisAccount",
        Effect: "Allow",
        Principal: { AWS: "*" },
        Action: [
          "kms:Encrypt",
          "kms:Decrypt",
          "kms:ReEncrypt*",
          "kms:GenerateDataKey*",
          "kms:CreateGrant",
          "kms:DescribeKey",
        ],
        Resource: "*",
        Condition: {
          StringEquals: {
            "kms:CallerAccount": accountId,
            "kms:ViaService": `ec2.${region}.amazonaws.com`,
          },
        },
      },
    ],
  });
}
