import { type ResourceRule, asList, asProps, isOn } from "../rule.ts";

const ANYWHERE: ReadonlySet<unknown> = new Set(["0.0.0.0/0", "::/0"]);

type Check = ResourceRule["check"];

const INTERNAL_SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme";

const CHECKS: Readonly<Record<string, Check>> = {
  "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": ({ props }) =>
    ["cidrIpv4", "cidrIpv6"]
      .filter((key) => ANYWHERE.has(props[key]))
      .map((key) => `${key} lets in everybody`),
  "aws:ec2/securityGroupRule:SecurityGroupRule": ({ props }) =>
    props["type"] === "ingress" ? openRanges(props, "") : [],
  "aws:ec2/securityGroup:SecurityGroup": ({ props }) =>
    asList(props["ingress"]).flatMap((rule, index) => openRanges(asProps(rule), `ingress[${index}].`)),
  "aws:ec2/launchTemplate:LaunchTemplate": ({ props }) =>
    asList(props["networkInterfaces"]).flatMap((row, index) =>
      isOn(asProps(row)["associatePublicIpAddress"])
        ? [`networkInterfaces[${index}].associatePublicIpAddress gives hosts a public address`]
        : [],
    ),
  "aws:ec2/instance:Instance": ({ props }) =>
    isOn(props["associatePublicIpAddress"])
      ? ["associatePublicIpAddress gives the host a public address"]
      : [],
  "aws:eks/cluster:Cluster": ({ props }) => {
    const config = asProps(props["vpcConfig"]);
    if (config["endpointPublicAccess"] === false) return [];
    const ranges = asList(config["publicAccessCidrs"]);
    return ranges.length > 0 && !ranges.some((range) => ANYWHERE.has(range))
      ? []
      : ["vpcConfig.endpointPublicAccess is open to everybody: name publicAccessCidrs or close it"];
  },
  "aws:rds/instance:Instance": ({ props }) =>
    isOn(props["publiclyAccessible"]) ? ["publiclyAccessible is set"] : [],
  "aws:lb/loadBalancer:LoadBalancer": ({ props }) =>
    props["internal"] === true ? [] : ["internal is not set"],
  "aws:s3/bucket:Bucket": ({ props }) =>
    typeof props["acl"] === "string" && props["acl"].startsWith("public") ? [`acl is "${props["acl"]}"`] : [],
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": ({ props }) =>
    ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"]
      .filter((key) => props[key] !== true)
      .map((key) => `${key} is not set`),
  "aws:s3/bucketPolicy:BucketPolicy": ({ props }) => policyFaults(props["policy"], "policy"),
  "aws:iam/role:Role": ({ props }) => policyFaults(props["assumeRolePolicy"], "assumeRolePolicy"),
  "kubernetes:core/v1:Service": ({ props }) => {
    const { type } = asProps(props["spec"]);
    if (type === "NodePort") return ["spec.type NodePort opens a port on every node"];
    const annotations = asProps(asProps(props["metadata"])["annotations"]);
    return type === "LoadBalancer" && annotations[INTERNAL_SCHEME] !== "internal"
      ? [`spec.type LoadBalancer without the annotation ${INTERNAL_SCHEME}: internal`]
      : [];
  },
};

export const notPublic: ResourceRule = {
  name: "not-public",
  description:
    "Nothing is open to the internet: no port, no bucket, no cluster endpoint, no role, no load balancer.",
  remediation: "Name who may come in: the address ranges of the callers, the accounts, the services.",
  check: (resource) => CHECKS[resource.type]?.(resource) ?? [],
};

function openRanges(rule: Readonly<Record<string, unknown>>, at: string): readonly string[] {
  return ["cidrBlocks", "ipv6CidrBlocks"]
    .filter((key) => asList(rule[key]).some((range) => ANYWHERE.has(range)))
    .map((key) => `${at}${key} lets in everybody`);
}

/** Statements that let everybody do something: refusing everybody is what a good bucket policy does. */
function policyFaults(policy: unknown, at: string): readonly string[] {
  const document: unknown = typeof policy === "string" ? JSON.parse(policy) : policy;
  const { Statement: statement } = asProps(document);
  return (Array.isArray(statement) ? statement : [statement]).flatMap((entry, index) => {
    const { Effect: effect, Principal: principal, Condition: condition } = asProps(entry);
    const isEverybody = principal === "*" || [asProps(principal)["AWS"]].flat().includes("*");
    return effect === "Allow" && isEverybody && condition === undefined
      ? [`${at}.Statement[${index}] allows everybody`]
      : [];
  });
}
