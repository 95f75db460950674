import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { OwnerTags } from "../../tags/owner-tags.ts";
import { ARTIFACT_PREFIX } from "./artifact-bucket.ts";

export interface HostRoleArgs {
  readonly bucketArn: pulumi.Input<string>;
  /** Of the key that the archives are encrypted with. */
  readonly keyArn: pulumi.Input<string>;
  readonly partition: pulumi.Input<string>;
  readonly region: string;
  /** Policies of AWS' own that its kind of host needs beside, by their names. */
  readonly policies?: readonly string[];
  readonly tags: OwnerTags;
}

/**
 * What a host may do: be reached through Systems Manager instead of SSH, read the archives it boots with, and what its kind
 * of host needs beside.
 */
export class HostRole extends pulumi.ComponentResource {
  readonly instanceProfileArn: pulumi.Output<string>;
  readonly roleArn: pulumi.Output<string>;
  /** What the role is complete with: hosts made after it may do all of it. */
  readonly attachments: readonly pulumi.Resource[];

  constructor(name: string, args: HostRoleArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:HostRole", name, {}, opts);
    const child: pulumi.CustomResourceOptions = { parent: this };
    const role = new aws.iam.Role(
      name,
      {
        description: "Hosts of MCP services: Systems Manager, and read access to their boot archives",
        assumeRolePolicy: JSON.stringify({
          Version: "2012-10-17",
          Statement: [
            { Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" },
          ],
        }),
        tags: args.tags,
      },
      child,
    );
    const attach = (suffix: string, policy: string) =>
      new aws.iam.RolePolicyAttachment(
        `${name}-${suffix}`,
        { role: role.name, policyArn: pulumi.interpolate`arn:${args.partition}:iam::aws:policy/${policy}` },
        child,
      );
    this.attachments = [
      attach("ssm", "AmazonSSMManagedInstanceCore"),
      ...(args.policies ?? []).map((policy) => attach(policy, policy)),
    ];
    new aws.iam.RolePolicy(
      `${name}-artifacts`,
      {
        role: role.id,
        policy: pulumi.jsonStringify({
          Version: "2012-10-17",
          Statement: [
            {
              Effect: "Allow",
              Action: "s3:GetObject",
              Resource: pulumi.interpolate`${args.bucketArn}/${ARTIFACT_PREFIX}/*`,
            },
            {
              Effect: "Allow",
              Action: "kms:Decrypt",
              Resource: args.keyArn,
              Condition: { StringEquals: { "kms:ViaService": `s3.${args.region}.amazonaws.com` } },
            },
          ],
        }),
      },
      child,
    );
    const profile = new aws.iam.InstanceProfile(name, { role: role.name, tags: args.tags }, child);
    this.instanceProfileArn = profile.arn;
    this.roleArn = role.arn;
    this.registerOutputs({ instanceProfileArn: this.instanceProfileArn });
  }
}
