import { PolicyPack, type PolicyResource, type ResourceValidationArgs } from "@pulumi/policy";
import type { CheckedResource, Rule, StackResource } from "./rule.ts";
import { RULES } from "./rules/index.ts";

/**
 * The policy pack: `pulumi up --policy-pack components/policy` refuses a stack that breaks a rule. A value that a preview
 * does not know yet is looked at before the resource is made.
 */

function checkedResource({ type, urn, props }: ResourceValidationArgs | PolicyResource): CheckedResource {
  return { type, urn, props };
}

function stackResource(resource: PolicyResource): StackResource {
  return {
    ...checkedResource(resource),
    parentUrn: resource.parent?.urn,
    urnsBehind: (property) => (resource.propertyDependencies[property] ?? []).map(({ urn }) => urn),
  };
}

function policyOf(rule: Rule) {
  const { name, description, remediation } = rule;
  const about = { name, description, remediationSteps: remediation, enforcementLevel: "mandatory" as const };
  return "check" in rule
    ? {
        ...about,
        validateResource: (args: ResourceValidationArgs, report: (message: string) => void) => {
          for (const message of rule.check(checkedResource(args))) report(message);
        },
      }
    : {
        ...about,
        validateStack: (
          { resources }: { readonly resources: readonly PolicyResource[] },
          report: (message: string, urn?: string) => void,
        ) => {
          for (const { message, urn } of rule.checkStack(resources.map(stackResource))) report(message, urn);
        },
      };
}

new PolicyPack("bedplate", { policies: RULES.map(policyOf) });
