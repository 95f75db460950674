import type { ResourceTransform } from "@pulumi/pulumi";

/** The keys that the bill is split by; every resource that can carry tags or labels carries all of them. */
export const OWNER_TAG_KEYS = ["team", "cost-center", "service", "environment"] as const;

export type OwnerTags = Readonly<Record<(typeof OWNER_TAG_KEYS)[number] | "managed-by", string>>;

/**
 * AWS resource types of this project that have no tags of their own: what they belong to has. The check below refuses
 * every other AWS resource without owner tags, so a new kind of resource is either tagged or listed here, by decision.
 */
export const UNTAGGABLE_AWS_TYPES: ReadonlySet<string> = new Set([
  "aws:autoscaling/schedule:Schedule",
  "aws:ec2/tag:Tag",
  "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
  "aws:iam/rolePolicy:RolePolicy",
  "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
  "aws:kms/alias:Alias",
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
  "aws:s3/bucketLogging:BucketLogging",
  "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
  "aws:s3/bucketPolicy:BucketPolicy",
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
  "aws:s3/bucketVersioning:BucketVersioning",
]);

/** What a launch template tags: default tags of the provider reach none of these. */
export const LAUNCH_TEMPLATE_TAGGED = ["instance", "volume", "network-interface"] as const;

/** An Auto Scaling group takes an array, and hands to its instances only what says so. */
export function autoScalingTags(tags: Readonly<Record<string, string>>) {
  return Object.entries(tags).map(([key, value]) => ({ key, value, propagateAtLaunch: true }));
}

/** Tag specifications of a launch template, one per kind of thing that it makes. */
export function launchTemplateTags(tags: Readonly<Record<string, string>>) {
  return LAUNCH_TEMPLATE_TAGGED.map((resourceType) => ({ resourceType, tags }));
}

type Props = Readonly<Record<string, unknown>>;

function asProps(value: unknown): Props {
  return typeof value === "object" && value !== null ? (value as Props) : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function lacking(map: unknown, where: string): string[] {
  const tags = asProps(map);
  return OWNER_TAG_KEYS.filter((key) => tags[key] === undefined).map((key) => `${where}.${key}`);
}

function lackingInAwsProps(type: string, props: Props): string[] {
  switch (type) {
    case "aws:autoscaling/group:Group": {
      const rows = asList(props["tags"]).map(asProps);
      const propagated = rows.filter((row) => row["propagateAtLaunch"] === true);
      return lacking(Object.fromEntries(propagated.map((row) => [String(row["key"]), row["value"]])), "tags");
    }
    case "aws:ec2/launchTemplate:LaunchTemplate": {
      const specifications = asList(props["tagSpecifications"]).map(asProps);
      return [
        ...lacking(props["tags"], "tags"),
        ...LAUNCH_TEMPLATE_TAGGED.flatMap((kind) =>
          lacking(
            specifications.find((row) => row["resourceType"] === kind)?.["tags"],
            `tagSpecifications[${kind}].tags`,
          ),
        ),
      ];
    }
    default:
      return lacking(props["tags"], "tags");
  }
}

/**
 * Where owner tags are missing in a resource's inputs, as property paths; empty when all are there or when the type can
 * have none.
 */
export function missingOwnerTags(type: string, props: Props): readonly string[] {
  if (type.startsWith("aws:")) return UNTAGGABLE_AWS_TYPES.has(type) ? [] : lackingInAwsProps(type, props);
  if (type.startsWith("kubernetes:")) {
    const template = asProps(asProps(props["spec"])["template"]);
    return [
      ...lacking(asProps(props["metadata"])["labels"], "metadata.labels"),
      ...("metadata" in template || "spec" in template
        ? lacking(asProps(template["metadata"])["labels"], "spec.template.metadata.labels")
        : []),
    ];
  }
  return [];
}

/**
 * The safety net: refuses a resource whose cost would land on no team, before it is made. Components tag explicitly;
 * this finds the one that forgot.
 */
export const refuseUntagged: ResourceTransform = (args) => {
  if (!args.custom) return undefined;
  const missing = missingOwnerTags(args.type, asProps(args.props));
  if (missing.length === 0) return undefined;
  throw new Error(`Cannot register ${args.type} "${args.name}": it lacks ${missing.join(", ")}`);
};
