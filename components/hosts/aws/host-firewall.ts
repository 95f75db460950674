import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { AwsPool } from "../../environment/environment-spec.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";

export interface HostFirewallArgs {
  readonly pool: AwsPool;
  readonly vpcId: pulumi.Input<string>;
  /** Undefined where the service is not a unit of the host. */
  readonly servicePort?: number | undefined;
  /** Who may reach the service. */
  readonly serviceCidrs: readonly pulumi.Input<string>[];
  readonly tags: OwnerTags;
}

/**
 * Lets in the service's port, lets out HTTPS and what the pool names, and nothing else. Name lookup by the VPC's resolver,
 * time and metadata pass no security group. Nobody comes by SSH.
 */
export function makeHostFirewall(
  name: string,
  args: HostFirewallArgs,
  opts: pulumi.CustomResourceOptions,
): aws.ec2.SecurityGroup {
  const { pool } = args;
  const tags = { ...args.tags, Name: name };
  const group = new aws.ec2.SecurityGroup(
    name,
    { vpcId: args.vpcId, description: `Hosts of pool ${pool.name}`, tags },
    opts,
  );
  const rule = { securityGroupId: group.id, tags };
  const { servicePort } = args;
  for (const [index, cidrIpv4] of servicePort === undefined ? [] : args.serviceCidrs.entries()) {
    new aws.vpc.SecurityGroupIngressRule(
      `${name}-service-${index}`,
      {
        ...rule,
        description: "MCP service",
        ipProtocol: "tcp",
        fromPort: servicePort,
        toPort: servicePort,
        cidrIpv4,
      },
      opts,
    );
  }
  new aws.vpc.SecurityGroupEgressRule(
    `${name}-https`,
    {
      ...rule,
      description: "Archives, Systems Manager and HTTPS APIs",
      ipProtocol: "tcp",
      fromPort: 443,
      toPort: 443,
      cidrIpv4: "0.0.0.0/0",
    },
    opts,
  );
  for (const { cidr, port, protocol, because } of pool.outbound) {
    new aws.vpc.SecurityGroupEgressRule(
      `${name}-${protocol}-${port}-${cidr.replace("/", "-")}`,
      { ...rule, description: because, ipProtocol: protocol, fromPort: port, toPort: port, cidrIpv4: cidr },
      opts,
    );
  }
  if (pool.needs.efaInterfaces > 0) {
    const own = { ...rule, referencedSecurityGroupId: group.id, ipProtocol: "-1" };
    const description = "EFA among the hosts of the pool";
    new aws.vpc.SecurityGroupIngressRule(`${name}-efa`, { ...own, description }, opts);
    new aws.vpc.SecurityGroupEgressRule(`${name}-efa`, { ...own, description }, opts);
  }
  return group;
}
