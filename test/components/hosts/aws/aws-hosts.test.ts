import { beforeAll, describe, expect, test, vi } from "vitest";
import { errorsOf, previewEnvironment } from "../../../helpers/preview-environment.ts";
import {
  PROGRAM_LIMIT_MILLIS,
  type ProgramRun,
  type RegisteredResource,
} from "../../../helpers/program-host.ts";
import type { Decoded } from "../../../helpers/program-values.ts";

vi.setConfig({ testTimeout: 2 * PROGRAM_LIMIT_MILLIS, hookTimeout: 2 * PROGRAM_LIMIT_MILLIS });

const BUCKET = "prod-artifacts-0123456";
const ARN = `arn:aws:s3:::${BUCKET}`;

/** What AWS answers when it made a thing. */
function outputsOf(type: string, name: string): Record<string, unknown> {
  switch (type) {
    case "aws:s3/bucket:Bucket":
      return { bucket: BUCKET, arn: ARN };
    case "aws:ec2/launchTemplate:LaunchTemplate":
      return { latestVersion: 7 };
    case "aws:iam/instanceProfile:InstanceProfile":
      return { arn: `arn:aws:iam::123456789012:instance-profile/${name}` };
    case "aws:ec2/placementGroup:PlacementGroup":
    case "aws:iam/role:Role":
      return { name: `${name}-0123456` };
    default:
      return {};
  }
}

let run: ProgramRun;
beforeAll(async () => {
  run = await previewEnvironment("prod", { isPreview: false, outputsOf });
});

function find(type: string, name: string): RegisteredResource {
  const resource = run.resources.find((candidate) => candidate.type === type && candidate.name === name);
  if (resource === undefined) throw new Error(`No ${type} "${name}": ${errorsOf(run)}`);
  return resource;
}

function textOf(value: Decoded | undefined): string {
  if (typeof value !== "string") throw new Error(`Expected text, got ${JSON.stringify(value)}`);
  return value;
}

describe("prod once it is up", () => {
  test("ends well", () => expect(run.exitCode, errorsOf(run)).toBe(0));

  test("hosts take the newest version of their template, by its number", () => {
    for (const pool of ["prod-serving-metal", "prod-tools-gpu"]) {
      expect(find("aws:autoscaling/group:Group", pool).inputs).toMatchObject({
        launchTemplate: { id: `${pool}-id`, version: "7" },
        instanceRefresh: { strategy: "Rolling", preferences: { autoRollback: true } },
      });
    }
  });

  test("user data is a cloud-config that fetches exactly the archive in the bucket", () => {
    const { userData } = find("aws:ec2/launchTemplate:LaunchTemplate", "prod-serving-metal").inputs;
    const text = Buffer.from(textOf(userData), "base64").toString("utf8");
    const [object] = run.resources.filter((resource) => resource.type.endsWith(":BucketObjectv2"));
    expect(text).toMatch(/^#cloud-config\n/);
    expect(text).toContain(`s3://${BUCKET}/${textOf(object?.inputs["key"])}`);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(16_384);
  });

  test("hosts may read the archives and nothing else of the account", () => {
    const policy = JSON.parse(
      textOf(find("aws:iam/rolePolicy:RolePolicy", "prod-host-artifacts").inputs["policy"]),
    ) as {
      Statement: unknown[];
    };
    expect(policy.Statement).toEqual([
      { Effect: "Allow", Action: "s3:GetObject", Resource: `${ARN}/artifacts/*` },
    ]);
    expect(
      find("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "prod-host-ssm").inputs["policyArn"],
    ).toBe("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore");
  });

  test("the bucket is refused to everybody without TLS, and public to nobody", () => {
    const policy = JSON.parse(
      textOf(find("aws:s3/bucketPolicy:BucketPolicy", "prod-artifacts").inputs["policy"]),
    ) as {
      Statement: unknown[];
    };
    expect(policy.Statement).toEqual([
      {
        Sid: "RefusePlainHttp",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [ARN, `${ARN}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ]);
    const access = find("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "prod-artifacts").inputs;
    const { bucket: _, ...switches } = access;
    expect(Object.values(switches)).toEqual([true, true, true, true]);
  });

  test("no port is open but the service's, and no host is reached by SSH", () => {
    const ingress = run.resources.filter((resource) => resource.type.endsWith(":SecurityGroupIngressRule"));
    expect(ingress.map(({ inputs }) => [inputs["fromPort"], inputs["toPort"], inputs["cidrIpv4"]])).toEqual([
      [8080, 8080, "172.31.0.0/16"],
      [8080, 8080, "172.31.0.0/16"],
    ]);
    for (const template of run.resources.filter((resource) => resource.type.endsWith(":LaunchTemplate"))) {
      expect(template.inputs).not.toHaveProperty("keyName");
      expect(template.inputs).toMatchObject({
        metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
      });
    }
  });

  test("hosts boot after their archives are up", () => {
    const object = run.resources.find((resource) => resource.type.endsWith(":BucketObjectv2"));
    expect(find("aws:autoscaling/group:Group", "prod-tools-gpu").dependencies).toContain(object?.urn);
  });

  test("everything on AWS goes through the environment's own provider and its default tags", () => {
    const provider = find("pulumi:providers:aws", "prod");
    const aws = run.resources.filter((resource) => resource.isCustom && resource.type.startsWith("aws:"));
    expect(new Set(aws.map((resource) => resource.provider))).toEqual(new Set([`${provider.urn}::prod-id`]));
  });

  test("the service's address is known", () => {
    expect(run.outputs["serviceUrls"]).toEqual(["http://mcp-service.mcp-gateway-prod.svc/mcp"]);
  });
});
