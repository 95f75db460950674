import { sqlText } from "../report/bill-database.ts";

/** Who pays in a generated month; a resource's number says whose it is. */
export const TEAMS = [
  "payments",
  "search",
  "checkout",
  "identity",
  "ml-platform",
  "data",
  "fraud",
  "growth",
  "mobile",
  "platform",
  "observability",
  "support-tools",
] as const;

const REGIONS = [
  ["us-east-1", "USE1"],
  ["us-west-2", "USW2"],
  ["eu-central-1", "EUC1"],
  ["ap-northeast-1", "APN1"],
] as const;

const INSTANCE_TYPES = ["m6i.large", "m6i.4xlarge", "c6i.xlarge", "r6i.2xlarge", "m7g.large", "c7gd.metal"];

/** What plain usage is of. `id` is SQL for the resource's id. */
const PRODUCTS = [
  {
    code: "AmazonEC2",
    name: "Amazon Elastic Compute Cloud",
    category: "Compute",
    operation: "RunInstances",
    usage: "BoxUsage:m6i.large",
    unit: "Hrs",
    id: "'i-1' || printf('%016x', resource)",
  },
  {
    code: "AmazonEC2",
    name: "Amazon Elastic Compute Cloud",
    category: "Storage",
    operation: "CreateVolume-Gp3",
    usage: "EBS:VolumeUsage.gp3",
    unit: "GB-Mo",
    id: "'vol-0' || printf('%016x', resource)",
  },
  {
    code: "AmazonEC2",
    name: "Amazon Elastic Compute Cloud",
    category: "Networking",
    operation: "NatGateway",
    usage: "NatGateway-Bytes",
    unit: "GB",
    id: "'arn:aws:ec2:' || region || ':' || account || ':natgateway/nat-0' || printf('%016x', resource)",
  },
  {
    code: "AmazonS3",
    name: "Amazon Simple Storage Service",
    category: "Storage",
    operation: "PutObject",
    usage: "Requests-Tier1",
    unit: "Requests",
    id: "'bucket-' || resource",
  },
  {
    code: "AmazonRDS",
    name: "Amazon Relational Database Service",
    category: "Databases",
    operation: "CreateDBInstance:0016",
    usage: "InstanceUsage:db.r6g.large",
    unit: "Hrs",
    id: "'arn:aws:rds:' || region || ':' || account || ':db:db-' || resource",
  },
  {
    code: "AWSLambda",
    name: "AWS Lambda",
    category: "Compute",
    operation: "Invoke",
    usage: "Lambda-GB-Second",
    unit: "Lambda-GB-Second",
    id: "'arn:aws:lambda:' || region || ':' || account || ':function:f-' || resource",
  },
  {
    code: "AmazonCloudWatch",
    name: "AmazonCloudWatch",
    category: "Management and Governance",
    operation: "PutLogEvents",
    usage: "DataProcessing-Bytes",
    unit: "GB",
    id: "'arn:aws:logs:' || region || ':' || account || ':log-group:/mcp/' || resource",
  },
  {
    code: "AmazonBedrock",
    name: "Amazon Bedrock",
    category: "AI and Machine Learning",
    operation: "InvokeModel",
    usage: "InputTokenCount",
    unit: "1K tokens",
    id: "'arn:aws:bedrock:' || region || ':' || account || ':application-inference-profile/p' || resource",
  },
] as const;

/** `case` over an index that runs from 0. */
export function pick(index: string, values: readonly string[]): string {
  const last = values.at(-1) ?? "null";
  const cases = values.slice(0, -1).map((value, at) => `when ${at} then ${value}`);
  return cases.length === 0 ? last : `case ${index} ${cases.join(" ")} else ${last} end`;
}

function pickText(index: string, values: readonly string[]): string {
  return pick(index, values.map(sqlText));
}

function productText(attribute: "code" | "name" | "category" | "operation" | "usage" | "unit"): string {
  return pickText(
    "product",
    PRODUCTS.map((product) => product[attribute]),
  );
}

export const PRODUCT_COUNT = PRODUCTS.length;
export const REGION_COUNT = REGIONS.length;
export const INSTANCE_TYPE_COUNT = INSTANCE_TYPES.length;

export function teamOf(index: string): string {
  return pickText(index, TEAMS);
}

export const REGION = pickText(
  "region_index",
  REGIONS.map(([region]) => region),
);
export const REGION_PREFIX = pickText(
  "region_index",
  REGIONS.map(([, prefix]) => prefix),
);
export const INSTANCE_TYPE = pickText("instance_type_index", INSTANCE_TYPES);
export const PRODUCT = {
  code: productText("code"),
  name: productText("name"),
  category: productText("category"),
  operation: productText("operation"),
  usage: productText("usage"),
  unit: productText("unit"),
  resourceId: pick(
    "product",
    PRODUCTS.map((product) => product.id),
  ),
};
