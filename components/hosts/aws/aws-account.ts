import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

export interface Subnet {
  readonly id: string;
  readonly zone: string;
  /** Hosts with one network interface get a public address in it. */
  readonly isPublic: boolean;
}

/** What the account answers before anything is made in it. The network is found, not made: it has its own owner. */
export interface AwsAccount {
  readonly accountId: string;
  /** `aws`, `aws-cn` or `aws-us-gov`: the second word of every ARN. */
  readonly partition: string;
  readonly vpcId: string;
  readonly vpcCidr: string;
  readonly subnets: readonly Subnet[];
  /** For each type that is offered in a zone of these subnets, those zones. */
  readonly zonesOfType: ReadonlyMap<string, readonly string[]>;
}

export interface AwsAccountArgs {
  /** @default - the account's default VPC */
  readonly vpcId?: string | undefined;
  /** @default - every subnet of the VPC */
  readonly subnetIds?: readonly string[] | undefined;
}

export function readAwsAccount(
  args: AwsAccountArgs,
  opts: pulumi.InvokeOutputOptions,
): pulumi.Output<AwsAccount> {
  const identity = aws.getCallerIdentityOutput({}, opts);
  const vpc = aws.ec2.getVpcOutput(args.vpcId === undefined ? { default: true } : { id: args.vpcId }, opts);
  const subnetIds =
    args.subnetIds === undefined
      ? aws.ec2.getSubnetsOutput({ filters: [{ name: "vpc-id", values: [vpc.id] }] }, opts).ids
      : pulumi.output([...args.subnetIds]);
  const subnets = subnetIds.apply((ids) =>
    pulumi.all(
      ids.toSorted().map((id) =>
        aws.ec2.getSubnetOutput({ id }, opts).apply((subnet): Subnet => ({
          id,
          zone: subnet.availabilityZone,
          isPublic: subnet.mapPublicIpOnLaunch,
        })),
      ),
    ),
  );
  const zones = subnets.apply((found) => [...new Set(found.map((subnet) => subnet.zone))].toSorted());
  const offerings = aws.ec2.getInstanceTypeOfferingsOutput(
    { locationType: "availability-zone", filters: [{ name: "location", values: zones }] },
    opts,
  );
  return pulumi
    .all([identity, vpc, subnets, offerings])
    .apply(
      ([{ accountId, arn }, { id: vpcId, cidrBlock }, found, { instanceTypes, locations }]): AwsAccount => ({
        accountId,
        partition: arn.split(":")[1] ?? "aws",
        vpcId,
        vpcCidr: cidrBlock,
        subnets: found,
        zonesOfType: zonesByType(instanceTypes, locations),
      }),
    );
}

/** EC2 answers with two lists of one length: what, and where. */
function zonesByType(
  instanceTypes: readonly string[],
  locations: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const zones = new Map<string, string[]>();
  for (const [index, type] of instanceTypes.entries()) {
    const zone = locations[index];
    if (zone !== undefined) zones.set(type, [...(zones.get(type) ?? []), zone].toSorted());
  }
  return zones;
}
