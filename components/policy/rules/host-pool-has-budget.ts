import { type StackResource, type StackRule, asProps } from "../rule.ts";

/** What makes hosts that somebody bills. */
const PAID_POOLS: ReadonlySet<string> = new Set([
  "aws:autoscaling/group:Group",
  "aws:ec2/fleet:Fleet",
  "aws:ec2/instance:Instance",
  "aws:ec2/spotFleetRequest:SpotFleetRequest",
  "aws:eks/nodeGroup:NodeGroup",
]);

const ENVIRONMENT = "bedplate:index:Environment";

export const hostPoolHasBudget: StackRule = {
  name: "host-pool-has-budget",
  description: "Hosts that are paid for belong to an environment that says what it may cost a month.",
  remediation: "Make the hosts within an Environment, and give that a budget above zero.",
  checkStack(resources) {
    const byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
    return resources
      .filter(({ type }) => PAID_POOLS.has(type))
      .flatMap((pool) => {
        const fault = budgetFault(environmentOf(pool, byUrn));
        return fault === undefined ? [] : [{ urn: pool.urn, message: fault }];
      });
  },
};

function environmentOf(
  resource: StackResource,
  byUrn: ReadonlyMap<string, StackResource>,
): StackResource | undefined {
  if (resource.type === ENVIRONMENT) return resource;
  const parent = resource.parentUrn === undefined ? undefined : byUrn.get(resource.parentUrn);
  return parent === undefined ? undefined : environmentOf(parent, byUrn);
}

function budgetFault(environment: StackResource | undefined): string | undefined {
  if (environment === undefined) return "belongs to no Environment, so no budget holds for it";
  const { perMonth } = asProps(environment.props["budget"]);
  return typeof perMonth === "string" && Number(perMonth) > 0
    ? undefined
    : `its environment's budget.perMonth is ${JSON.stringify(perMonth ?? "not set")}`;
}
