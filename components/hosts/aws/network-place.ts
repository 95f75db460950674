import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** Where hosts stand in the account's network. Found, not made: the network has its own owner. */
export interface NetworkPlace {
  readonly vpcId: pulumi.Output<string>;
  readonly vpcCidr: pulumi.Output<string>;
  readonly subnetIds: pulumi.Output<string[]>;
}

export interface NetworkPlaceArgs {
  /** @default - the account's default VPC */
  readonly vpcId?: string | undefined;
  /** @default - every subnet of the VPC */
  readonly subnetIds?: readonly string[] | undefined;
}

export function findNetworkPlace(args: NetworkPlaceArgs, opts: pulumi.InvokeOutputOptions): NetworkPlace {
  const vpc = aws.ec2.getVpcOutput(args.vpcId === undefined ? { default: true } : { id: args.vpcId }, opts);
  const subnetIds =
    args.subnetIds === undefined
      ? aws.ec2.getSubnetsOutput({ filters: [{ name: "vpc-id", values: [vpc.id] }] }, opts).ids
      : pulumi.output([...args.subnetIds]);
  return { vpcId: vpc.id, vpcCidr: vpc.cidrBlock, subnetIds };
}
