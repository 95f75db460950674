import { describe, expect, test } from "vitest";
import type { StackResource } from "../../../components/policy/rule.ts";
import { RULES } from "../../../components/policy/rules/index.ts";
import { autoScalingTags, launchTemplateTags } from "../../../components/tags/owner-tags.ts";

const TAGS = {
  team: "agents",
  "cost-center": "CC-1",
  service: "mcp",
  environment: "trial",
  "managed-by": "bedplate",
};
const DIGEST = `sha256:${"0".repeat(64)}`;

type Resources = readonly (Partial<StackResource> & Pick<StackResource, "type">)[];

interface Example {
  readonly about: string;
  readonly resources: Resources;
  /** Messages of the rule; empty where it is kept. */
  readonly findings: readonly unknown[];
}

const TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate";
const GROUP = "aws:autoscaling/group:Group";
const INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
const DEPLOYMENT = "kubernetes:apps/v1:Deployment";

const one = (type: string, props: StackResource["props"]): Resources => [{ type, props }];
const podsOf = (containers: readonly object[], labels: object = TAGS) => ({
  metadata: { labels },
  spec: { template: { metadata: { labels }, spec: { containers } } },
});
const bucket = { type: "aws:s3/bucket:Bucket", urn: "the-bucket", props: {} };
const companionOf = (kind: string, urn = "the-bucket") => ({
  type: `aws:s3/${kind.charAt(0).toLowerCase()}${kind.slice(1)}:${kind}`,
  urn: `${kind} of ${urn}`,
  urnsBehind: (property: string) => (property === "bucket" ? [urn] : []),
});
const environmentWith = (budget: object | undefined) => [
  { type: "bedplate:index:Environment", urn: "environment", props: { budget } },
  { type: "bedplate:index:AwsHosts", urn: "hosts", parentUrn: "environment" },
  { type: GROUP, urn: "group", parentUrn: "hosts" },
];

const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  "encrypted-at-rest": [
    {
      about: "an encrypted root volume",
      resources: one(TEMPLATE, {
        blockDeviceMappings: [{ deviceName: "/dev/xvda", ebs: { encrypted: "true" } }],
      }),
      findings: [],
    },
    {
      about: "a volume that is not, beside a disk that needs none",
      resources: one(TEMPLATE, {
        blockDeviceMappings: [{ virtualName: "ephemeral0" }, { ebs: { volumeSize: 8 } }],
      }),
      findings: ["blockDeviceMappings[1].ebs.encrypted is not set"],
    },
    {
      about: "no mapping at all",
      resources: one(TEMPLATE, {}),
      findings: [expect.stringContaining("as the image has it")],
    },
    { about: "a volume", resources: one("aws:ebs/volume:Volume", {}), findings: ["encrypted is not set"] },
    {
      about: "a file system",
      resources: one("aws:efs/fileSystem:FileSystem", { encrypted: true }),
      findings: [],
    },
    {
      about: "a cluster whose secrets are plain",
      resources: one("aws:eks/cluster:Cluster", {}),
      findings: ['encryptionConfig.resources lacks "secrets"'],
    },
    {
      about: "a class of encrypted volumes",
      resources: one("kubernetes:storage.k8s.io/v1:StorageClass", {
        provisioner: "ebs.csi.aws.com",
        parameters: { type: "gp3", encrypted: "true" },
      }),
      findings: [],
    },
    {
      about: "a class of plain volumes",
      resources: one("kubernetes:storage.k8s.io/v1:StorageClass", { provisioner: "ebs.csi.aws.com" }),
      findings: ['parameters.encrypted is not "true"'],
    },
  ],
  "gpu-has-owner": [
    {
      about: "GPU hosts whose tags reach everything",
      resources: one(TEMPLATE, {
        instanceType: "g6.2xlarge",
        tags: TAGS,
        tagSpecifications: launchTemplateTags(TAGS),
      }),
      findings: [],
    },
    { about: "hosts without a GPU", resources: one(TEMPLATE, { instanceType: "m6i.large" }), findings: [] },
    {
      about: "a GPU in a mixed fleet whose tags do not reach the instances",
      resources: one(GROUP, {
        tags: autoScalingTags(TAGS).map((row) => ({ ...row, propagateAtLaunch: false })),
        mixedInstancesPolicy: {
          launchTemplate: { overrides: [{ instanceType: "m6i.large" }, { instanceType: "g6.2xlarge" }] },
        },
      }),
      findings: ["team", "cost-center", "service", "environment"].map(
        (key) => `tags.${key} is missing, on a host with 1 x nvidia l4`,
      ),
    },
    {
      about: "a pod that asks for a GPU for nobody",
      resources: one(DEPLOYMENT, podsOf([{ resources: { limits: { "nvidia.com/gpu": "1" } } }], {})),
      findings: expect.arrayContaining([
        "spec.template.metadata.labels.team is missing, on a pod that asks for nvidia.com/gpu",
      ]) as unknown[],
    },
  ],
  "host-pool-has-budget": [
    { about: "a pool within a budget", resources: environmentWith({ perMonth: "150.00" }), findings: [] },
    {
      about: "a pool within a budget of nothing",
      resources: environmentWith({ perMonth: "0.00" }),
      findings: ['its environment\'s budget.perMonth is "0.00"'],
    },
    {
      about: "a pool without one",
      resources: environmentWith(undefined),
      findings: ['its environment\'s budget.perMonth is "not set"'],
    },
    {
      about: "hosts of no environment",
      resources: [{ type: "aws:eks/nodeGroup:NodeGroup", urn: "nodes" }],
      findings: [expect.stringContaining("belongs to no Environment")],
    },
  ],
  "imdsv2-only": [
    {
      about: "tokens, one hop",
      resources: one(TEMPLATE, { metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 } }),
      findings: [],
    },
    {
      about: "the account's defaults",
      resources: one(TEMPLATE, {}),
      findings: [expect.stringContaining("IMDSv1 answers without a token")],
    },
    {
      about: "two hops",
      resources: one("aws:ec2/instance:Instance", {
        metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 2 },
      }),
      findings: [expect.stringContaining("containers reach the host's role")],
    },
    {
      about: "metadata switched off",
      resources: one(TEMPLATE, { metadataOptions: { httpEndpoint: "disabled" } }),
      findings: [],
    },
  ],
  "not-public": [
    { about: "a port for a range", resources: one(INGRESS, { cidrIpv4: "10.0.0.0/8" }), findings: [] },
    {
      about: "a port for everybody",
      resources: one(INGRESS, { cidrIpv4: "0.0.0.0/0" }),
      findings: ["cidrIpv4 lets in everybody"],
    },
    {
      about: "a rule inside a group",
      resources: one("aws:ec2/securityGroup:SecurityGroup", { ingress: [{ ipv6CidrBlocks: ["::/0"] }] }),
      findings: ["ingress[0].ipv6CidrBlocks lets in everybody"],
    },
    {
      about: "a host with a public address",
      resources: one(TEMPLATE, { networkInterfaces: [{ associatePublicIpAddress: "true" }] }),
      findings: ["networkInterfaces[0].associatePublicIpAddress gives hosts a public address"],
    },
    {
      about: "a cluster endpoint as it is by default",
      resources: one("aws:eks/cluster:Cluster", { vpcConfig: {} }),
      findings: [expect.stringContaining("open to everybody")],
    },
    {
      about: "a cluster endpoint for an office",
      resources: one("aws:eks/cluster:Cluster", { vpcConfig: { publicAccessCidrs: ["192.0.2.0/24"] } }),
      findings: [],
    },
    {
      about: "a public access block with a gap",
      resources: one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", {
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
      }),
      findings: ["restrictPublicBuckets is not set"],
    },
    {
      about: "a policy that refuses everybody, and one that lets everybody",
      resources: one("aws:s3/bucketPolicy:BucketPolicy", {
        policy: JSON.stringify({
          Statement: [
            { Effect: "Deny", Principal: "*" },
            { Effect: "Allow", Principal: { AWS: ["*"] } },
            { Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" } },
          ],
        }),
      }),
      findings: ["policy.Statement[1] allows everybody"],
    },
    {
      about: "a load balancer of a service",
      resources: one("kubernetes:core/v1:Service", { metadata: {}, spec: { type: "LoadBalancer" } }),
      findings: [expect.stringContaining("LoadBalancer without the annotation")],
    },
    {
      about: "a service inside its cluster",
      resources: one("kubernetes:core/v1:Service", { spec: { type: "ClusterIP" } }),
      findings: [],
    },
  ],
  "owner-tags-everywhere": [
    { about: "a tagged bucket", resources: one("aws:s3/bucket:Bucket", { tags: TAGS }), findings: [] },
    {
      about: "a bucket of nobody's",
      resources: one("aws:s3/bucket:Bucket", { tags: { team: "agents" } }),
      findings: ["tags.cost-center is missing", "tags.service is missing", "tags.environment is missing"],
    },
  ],
  "pinned-images": [
    {
      about: "a digest, and a template by its version",
      resources: [
        ...one(DEPLOYMENT, podsOf([{ image: `registry.example.com/mcp@${DIGEST}` }])),
        ...one(GROUP, { launchTemplate: { id: "lt-1", version: "7" } }),
      ],
      findings: [],
    },
    {
      about: "latest, a bare name, a tag",
      resources: one(DEPLOYMENT, podsOf([{ image: "mcp:latest" }, { image: "mcp" }, { image: "mcp:1.2" }])),
      findings: [
        expect.stringMatching(/^containers\[0\]\.image "mcp:latest" has no digest/),
        expect.stringMatching(/^containers\[1\]\.image "mcp" has no digest/),
        expect.stringMatching(/^containers\[2\]\.image "mcp:1\.2" has no digest/),
      ],
    },
    {
      about: "an init container of a scheduled job",
      resources: one("kubernetes:batch/v1:CronJob", {
        spec: { jobTemplate: { spec: { template: { spec: { initContainers: [{ image: "busybox" }] } } } } },
      }),
      findings: [expect.stringMatching(/^initContainers\[0\]\.image "busybox"/)],
    },
    {
      about: "the newest version of a template",
      resources: one(GROUP, {
        mixedInstancesPolicy: { launchTemplate: { launchTemplateSpecification: { version: "$Latest" } } },
      }),
      findings: [expect.stringContaining('version is "$Latest"')],
    },
    {
      about: "an image that a parameter names",
      resources: one(TEMPLATE, { imageId: "resolve:ssm:/golden/image" }),
      findings: [expect.stringContaining("whatever the parameter holds at launch")],
    },
  ],
  "private-buckets": [
    {
      about: "a bucket with all that it needs",
      resources: [
        bucket,
        companionOf("BucketPublicAccessBlock"),
        companionOf("BucketServerSideEncryptionConfiguration"),
        companionOf("BucketVersioning"),
      ],
      findings: [],
    },
    {
      about: "a bucket whose neighbour has it",
      resources: [
        bucket,
        companionOf("BucketPublicAccessBlock", "another"),
        companionOf("BucketServerSideEncryptionConfiguration"),
      ],
      findings: [
        "has no BucketPublicAccessBlock: it may be opened to the internet",
        "has no BucketVersioning: it loses what is overwritten",
      ],
    },
  ],
};

describe.each(RULES)("$name", (rule) => {
  const examples = EXAMPLES[rule.name] ?? [];

  test("has an example that keeps it and one that breaks it", () => {
    expect(examples.some(({ findings }) => findings.length === 0)).toBe(true);
    expect(examples.some(({ findings }) => findings.length !== 0)).toBe(true);
  });

  test.each(examples)("$about", ({ resources, findings }) => {
    const whole = resources.map((resource) => ({
      urn: "urn",
      props: {},
      parentUrn: undefined,
      urnsBehind: () => [],
      ...resource,
    }));
    const found =
      "check" in rule ? whole.flatMap(rule.check) : rule.checkStack(whole).map(({ message }) => message);
    expect(found).toEqual(findings);
  });
});
