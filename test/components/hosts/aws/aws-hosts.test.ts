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
const KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555";

/** What AWS answers when it made a thing. */
function outputsOf(type: string, name: string): Record<string, unknown> {
  switch (type) {
    case "aws:s3/bucket:Bucket":
      return { bucket: BUCKET, arn: ARN };
    case "aws:kms/key:Key":
      return { arn: KEY_ARN, keyId: "11111111-2222-3333-4444-555555555555" };
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
        instanceRefresh: {
          strategy: "Rolling",
          preferences: { autoRollback: true, minHealthyPercentage: 100 },
        },
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
      {
        Effect: "Allow",
        Action: "kms:Decrypt",
        Resource: KEY_ARN,
        Condition: { StringEquals: { "kms:ViaService": "s3.us-east-1.amazonaws.com" } },
      },
    ]);
    expect(
      find("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "prod-host-ssm").inputs["policyArn"],
    ).toBe("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore");
  });

  test.each(["prod-artifacts", "prod-logs"])(
    "%s is private, versioned, encrypted and reached by TLS alone",
    (name) => {
      const policy = JSON.parse(textOf(find("aws:s3/bucketPolicy:BucketPolicy", name).inputs["policy"])) as {
        Statement: unknown[];
      };
      expect(policy.Statement[0]).toEqual({
        Sid: "RefusePlainHttp",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [ARN, `${ARN}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      });
      const access = find("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", name).inputs;
      const { bucket: _, ...switches } = access;
      expect(Object.values(switches)).toEqual([true, true, true, true]);
      expect(find("aws:s3/bucketVersioning:BucketVersioning", name).inputs).toMatchObject({
        versioningConfiguration: { status: "Enabled" },
      });
      const [rule] = find(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        name,
      ).inputs["rules"] as { applyServerSideEncryptionByDefault: Record<string, unknown> }[];
      expect(rule?.applyServerSideEncryptionByDefault).toEqual(
        name === "prod-logs"
          ? { sseAlgorithm: "AES256" }
          : { sseAlgorithm: "aws:kms", kmsMasterKeyId: KEY_ARN },
      );
    },
  );

  test("only S3 itself, for this account, writes access logs", () => {
    const policy = JSON.parse(
      textOf(find("aws:s3/bucketPolicy:BucketPolicy", "prod-logs").inputs["policy"]),
    ) as { Statement: unknown[] };
    expect(policy.Statement.slice(1)).toEqual([
      {
        Sid: "AccessLogs",
        Effect: "Allow",
        Principal: { Service: "logging.s3.amazonaws.com" },
        Action: "s3:PutObject",
        Resource: `${ARN}/access/artifacts/*`,
        Condition: { StringEquals: { "aws:SourceAccount": "123456789012" } },
      },
    ]);
  });

  test("volumes are encrypted with the environment's key, which EBS uses for this account alone", () => {
    for (const template of run.resources.filter((resource) => resource.type.endsWith(":LaunchTemplate"))) {
      expect(template.inputs["blockDeviceMappings"]).toMatchObject([
        { ebs: { encrypted: "true", kmsKeyId: KEY_ARN } },
      ]);
    }
    const policy = JSON.parse(textOf(find("aws:kms/key:Key", "prod").inputs["policy"])) as {
      Statement: { Principal: unknown; Condition?: unknown }[];
    };
    for (const { Principal, Condition } of policy.Statement) {
      if (JSON.stringify(Principal) === '{"AWS":"*"}') {
        expect(Condition).toEqual({
          StringEquals: {
            "kms:CallerAccount": "123456789012",
            "kms:ViaService": "ec2.us-east-1.amazonaws.com",
          },
        });
      } else expect(Principal).toEqual({ AWS: "arn:aws:iam::123456789012:root" });
    }
  });

  test("key, buckets and groups are protected, and key and buckets outlive the environment", () => {
    const marked = (pick: (resource: RegisteredResource) => boolean) =>
      new Set(
        run.resources
          .filter((resource) => resource.isCustom && pick(resource))
          .map((resource) => resource.type),
      );
    const kept = marked((resource) => resource.isRetainedOnDelete);
    expect([...kept].filter((type) => !/^aws:(kms|s3)\//.test(type))).toEqual([]);
    expect(kept).toContain("aws:kms/key:Key");
    expect(kept).toContain("aws:s3/bucket:Bucket");
    expect(marked((resource) => resource.isProtected)).toEqual(
      new Set([...kept, "aws:autoscaling/group:Group"]),
    );
  });

  test("hosts of a cluster placement group stand in one zone, spread ones in each", () => {
    const subnetsOf = (name: string) =>
      find("aws:autoscaling/group:Group", name).inputs["vpcZoneIdentifiers"];
    expect(subnetsOf("prod-tools-gpu")).toEqual(["subnet-0aaaaaaaaaaaaaaa0"]);
    expect(subnetsOf("prod-serving-metal")).toHaveLength(2);
  });

  test("hosts with GPUs boot the image that has the driver, and images are kept", () => {
    const image = find("aws:ssm/parameter:Parameter", "prod-tools-gpu-image");
    expect(image.inputs["description"]).toContain(
      "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id",
    );
    expect(image.ignoreChanges).toEqual(["insecureValue"]);
  });

  test("no port is open where the service is on Kubernetes, and no host is reached by SSH", () => {
    const ingress = run.resources.filter((resource) => resource.type.endsWith(":SecurityGroupIngressRule"));
    expect(ingress).toEqual([]);
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
