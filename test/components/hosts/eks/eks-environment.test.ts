import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import { environmentSchema } from "../../../../components/environment/environment-spec.ts";
import { OWNER_TAG_KEYS } from "../../../../components/tags/owner-tags.ts";
import {
  errorsOf,
  previewEnvironment,
  renderPreview,
  resourceIn,
  textOf,
} from "../../../helpers/preview-environment.ts";
import {
  PROGRAM_LIMIT_MILLIS,
  type ProgramRun,
  type RegisteredResource,
} from "../../../helpers/program-host.ts";
import { UNKNOWN } from "../../../helpers/program-values.ts";
import { tagPlacesOf } from "../../../helpers/tag-places.ts";

vi.setConfig({ testTimeout: 2 * PROGRAM_LIMIT_MILLIS, hookTimeout: 2 * PROGRAM_LIMIT_MILLIS });

const FILE = "test/fixtures/environments/cluster.yaml";
const ADMINISTRATOR = "arn:aws:iam::123456789012:role/platform/deployer";
const CONFIG = {
  environmentFile: FILE,
  kubeconfig: "",
  clusterAdministrators: JSON.stringify([ADMINISTRATOR]),
};
const ENDPOINT = "https://0123456789ABCDEF0123456789ABCDEF.gr7.us-east-1.eks.amazonaws.com";
const CERTIFICATE = Buffer.from("a certificate authority").toString("base64");

/** What AWS answers when it made a thing. */
function outputsOf(type: string, name: string): Record<string, unknown> {
  switch (type) {
    case "aws:eks/cluster:Cluster":
      return {
        endpoint: ENDPOINT,
        certificateAuthority: { data: CERTIFICATE },
        vpcConfig: { clusterSecurityGroupId: "sg-0c1c1c1c1c1c1c1c1" },
      };
    case "aws:s3/bucket:Bucket":
      return { bucket: name, arn: `arn:aws:s3:::${name}` };
    case "aws:ec2/launchTemplate:LaunchTemplate":
      return { latestVersion: 3 };
    case "aws:kms/key:Key":
      return { arn: "arn:aws:kms:us-east-1:123456789012:key/1" };
    case "aws:iam/role:Role":
      return { name, arn: `arn:aws:iam::123456789012:role/${name}` };
    default:
      return {};
  }
}

describe("preview of an environment with a cluster of its own", () => {
  let run: ProgramRun;
  beforeAll(async () => {
    run = await previewEnvironment("cluster", { config: CONFIG });
  });

  test("ends well and is the reviewed one", async () => {
    expect(run.exitCode, errorsOf(run)).toBe(0);
    await expect(renderPreview(run)).toMatchFileSnapshot("../../../golden/previews/cluster.txt");
  });

  test("names what only the cluster can say as unknown", () => {
    expect(resourceIn(run, "kubernetes", "cluster").inputs["kubeconfig"]).toBe(UNKNOWN);
    expect(run.outputs["kubeconfig"]).toBe(UNKNOWN);
  });
});

describe("an environment with a cluster of its own, once it is up", () => {
  let run: ProgramRun;
  const find = (kind: string, name: string) => resourceIn(run, kind, name);
  beforeAll(async () => {
    run = await previewEnvironment("cluster", { config: CONFIG, isPreview: false, outputsOf });
  });

  /** Every resource that has to be there before this one, by any number of steps. */
  function madeBefore(resource: RegisteredResource): Set<string> {
    const byUrn = new Map(run.resources.map((candidate) => [candidate.urn, candidate]));
    const seen = new Set<string>();
    const visit = (urn: string): void => {
      if (seen.has(urn)) return;
      seen.add(urn);
      const { dependencies = [], provider = "" } = byUrn.get(urn) ?? {};
      for (const next of [...dependencies, provider.slice(0, provider.lastIndexOf("::"))]) visit(next);
    };
    visit(resource.urn);
    return seen;
  }

  test("ends well", () => expect(run.exitCode, errorsOf(run)).toBe(0));

  test("the API is private, its secrets are encrypted, its calls kept, and only access entries open it", () => {
    const { inputs, isProtected } = find("Cluster", "cluster-cluster");
    expect(isProtected).toBe(true);
    expect(inputs).toMatchObject({
      name: "mcp-gateway-cluster",
      vpcConfig: {
        endpointPrivateAccess: true,
        endpointPublicAccess: false,
        securityGroupIds: ["cluster-cluster-api-id"],
      },
      accessConfig: { authenticationMode: "API", bootstrapClusterCreatorAdminPermissions: false },
      encryptionConfig: { resources: ["secrets"] },
      deletionProtection: true,
    });
    expect(inputs["enabledClusterLogTypes"]).toContain("audit");
    expect(find("LogGroup", "cluster-cluster").inputs["name"]).toBe("/aws/eks/mcp-gateway-cluster/cluster");
    const entries = run.resources.filter(({ type }) => type.endsWith(":AccessEntry"));
    expect(entries.map(({ inputs: entry }) => [entry["principalArn"], entry["type"]])).toEqual([
      ["arn:aws:iam::123456789012:role/cluster-node", "EC2_LINUX"],
      [ADMINISTRATOR, "STANDARD"],
    ]);
  });

  test("whoever has the kubeconfig has no secret: IAM gives each a token of its own", () => {
    const kubeconfig = textOf(run.outputs["kubeconfig"]);
    expect(find("kubernetes", "cluster").inputs["kubeconfig"]).toBe(kubeconfig);
    const config = parse(kubeconfig) as Record<string, object[]>;
    expect(config["clusters"]).toMatchObject([
      { cluster: { server: ENDPOINT, "certificate-authority-data": CERTIFICATE } },
    ]);
    const [user] = config["users"] as [{ user: object }];
    expect(user.user).toEqual({
      exec: {
        apiVersion: "client.authentication.k8s.io/v1beta1",
        command: "aws",
        args: [
          "--region",
          "us-east-1",
          "eks",
          "get-token",
          "--cluster-name",
          "mcp-gateway-cluster",
          "--output",
          "json",
        ],
        interactiveMode: "Never",
      },
    });
  });

  test("a node that joins by itself is told its cluster, labels and taints, and asks first whether it is tuned", () => {
    const { inputs } = find("LaunchTemplate", "cluster-models");
    const userData = Buffer.from(textOf(inputs["userData"]), "base64").toString();
    const part = userData.split("Content-Type: application/node.eks.aws\n\n")[1]?.split("\n\n--")[0] ?? "";
    const { spec } = parse(part) as { spec: { cluster: object; kubelet: { flags: string[] } } };
    expect(spec.cluster).toEqual({
      name: "mcp-gateway-cluster",
      apiServerEndpoint: ENDPOINT,
      certificateAuthority: CERTIFICATE,
      cidr: "172.20.0.0/16",
    });
    expect(spec.kubelet.flags[0]).toMatch(/^--node-labels=bedplate\.dev\/pool=models,team=agent-platform,/);
    expect(spec.kubelet).toMatchObject({
      config: { registerWithTaints: [{ key: "example.com/gpu", value: "", effect: "NoSchedule" }] },
    });
    expect(userData).toContain("ExecStartPre=/usr/bin/systemctl is-active bedplate.service");
    expect(userData).toContain("kubeletHandOver: nodeadm");
    expect(inputs["vpcSecurityGroupIds"]).toEqual(["cluster-models-id", "sg-0c1c1c1c1c1c1c1c1"]);
  });

  test("an instance has the tag of its cluster, and no security group beside EKS' own has it", () => {
    const tag = "kubernetes.io/cluster/mcp-gateway-cluster";
    const { inputs } = find("LaunchTemplate", "cluster-models");
    const specifications = inputs["tagSpecifications"] as { tags: Record<string, string> }[];
    expect(specifications.map(({ tags }) => tags[tag])).toEqual(["owned", "owned", "owned"]);
    // A controller that opens ports to nodes looks for the one group with this tag, and stops where there are two.
    const groups = run.resources.filter(({ type }) => type.endsWith(":SecurityGroup"));
    expect(groups.map(({ name }) => name)).toEqual([
      "cluster-models",
      "cluster-cluster-api",
      "cluster-serving",
    ]);
    for (const group of groups) expect(group.inputs["tags"]).not.toHaveProperty([tag]);
  });

  test("a managed group fills in image, type, role and cluster, and carries labels and bounds", () => {
    const template = find("LaunchTemplate", "cluster-serving").inputs;
    for (const filledIn of ["imageId", "instanceType", "iamInstanceProfile", "instanceMarketOptions"])
      expect(template).not.toHaveProperty(filledIn);
    const userData = Buffer.from(textOf(template["userData"]), "base64").toString();
    expect(userData).not.toContain("apiServerEndpoint");
    const group = find("NodeGroup", "cluster-serving");
    expect(group.inputs).toMatchObject({
      amiType: "AL2023_x86_64_STANDARD",
      capacityType: "ON_DEMAND",
      releaseVersion: "1.35.2-20261103",
      launchTemplate: { id: "cluster-serving-id", version: "3" },
      scalingConfig: { minSize: 2, maxSize: 4, desiredSize: 2 },
      labels: {
        "bedplate.dev/pool": "serving",
        "example.com/tier": "serving",
        team: "agent-platform",
        "cost-center": "CC-4711",
      },
      taints: [],
    });
    expect(group.ignoreChanges).toEqual(["scalingConfig.desiredSize"]);
    expect(group.isProtected).toBe(true);
  });

  test("images are those that EKS builds for the version of Kubernetes, with the driver where there are GPUs", () => {
    const asked = run.invokes
      .filter(({ token }) => token.endsWith(":getParameter"))
      .map(({ args }) => textOf(args["name"]).replace("/aws/service/eks/optimized-ami/1.35/", ""));
    expect(asked.toSorted()).toEqual([
      "amazon-linux-2023/x86_64/nvidia/recommended/image_id",
      "amazon-linux-2023/x86_64/standard/recommended/release_version",
    ]);
  });

  test("add-ons of every node are there before the first, the others after, each with a role for its own account", () => {
    const node = madeBefore(find("NodeGroup", "cluster-serving"));
    const alone = madeBefore(find("Group", "cluster-models"));
    const addon = (name: string) => find("Addon", `cluster-cluster-${name}`);
    for (const name of ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"]) {
      expect(node).toContain(addon(name).urn);
      expect(alone).toContain(addon(name).urn);
    }
    expect(alone).toContain(find("AccessEntry", "cluster-node").urn);
    for (const name of ["coredns", "aws-ebs-csi-driver", "metrics-server"]) {
      const before = madeBefore(addon(name));
      expect(before).toContain(find("NodeGroup", "cluster-serving").urn);
      expect(before).toContain(find("Group", "cluster-models").urn);
    }
    expect(addon("coredns").inputs["addonVersion"]).toBe("v1.12.4-eksbuild.1");
    expect(run.invokes.filter(({ token }) => token.endsWith(":getAddonVersion"))).toHaveLength(5);
    expect(addon("vpc-cni").inputs).toMatchObject({
      addonVersion: "v1.0.0-eksbuild.7",
      podIdentityAssociations: [
        {
          serviceAccount: "aws-node",
          roleArn: "arn:aws:iam::123456789012:role/cluster-cluster-vpc-cni",
        },
      ],
    });
    const settings = parse(textOf(addon("vpc-cni").inputs["configurationValues"])) as object;
    expect(settings).toMatchObject({ enableNetworkPolicy: "true" });
  });

  test("interfaces and volumes that controllers make carry the owner too", () => {
    const cni = parse(textOf(find("Addon", "cluster-cluster-vpc-cni").inputs["configurationValues"])) as {
      env: { ADDITIONAL_ENI_TAGS: string };
    };
    const csi = parse(
      textOf(find("Addon", "cluster-cluster-aws-ebs-csi-driver").inputs["configurationValues"]),
    ) as { controller: { extraVolumeTags: Record<string, string> } };
    for (const tags of [
      JSON.parse(cni.env.ADDITIONAL_ENI_TAGS) as Record<string, string>,
      csi.controller.extraVolumeTags,
    ])
      expect(Object.keys(tags)).toEqual(expect.arrayContaining([...OWNER_TAG_KEYS]));
    const keys = run.resources
      .filter(({ type }) => type === "aws:ec2/tag:Tag")
      .map(({ inputs }) => inputs["key"]);
    expect(keys).toEqual(expect.arrayContaining([...OWNER_TAG_KEYS]));
  });

  test("every place that takes tags or labels says whose it is", () => {
    const places = run.resources
      .filter(({ isCustom, type }) => isCustom && !type.startsWith("pulumi:"))
      .flatMap(({ urn, type, inputs }) =>
        tagPlacesOf(type, inputs).map(({ path: at, tags }) => ({ place: `${urn} ${at}`, tags })),
      );
    const untagged = places.filter(({ tags }) => OWNER_TAG_KEYS.some((key) => tags[key] === undefined));
    expect(untagged.map(({ place }) => place)).toEqual([]);
    const ofEks = places.filter(({ place }) => place.includes("aws:eks/")).map(({ place }) => place);
    expect(ofEks).toHaveLength(1 + 6 + 2 + 1);
  });

  test("nodes may join, pull images, be reached by Systems Manager and read their archives, and no more", () => {
    const policies = run.resources
      .filter(
        ({ type, inputs }) => type.endsWith(":RolePolicyAttachment") && inputs["role"] === "cluster-node",
      )
      .map(({ inputs }) => textOf(inputs["policyArn"]).split("/").at(-1));
    expect(policies).toEqual([
      "AmazonEC2ContainerRegistryPullOnly",
      "AmazonEKSWorkerNodeMinimalPolicy",
      "AmazonSSMManagedInstanceCore",
    ]);
    expect(run.resources.map(({ name }) => name)).not.toContain("cluster-host");
  });

  test("nobody comes to the API but by TLS from within the VPC, nor to the nodes", () => {
    const ingress = run.resources.filter(({ type }) => type.endsWith(":SecurityGroupIngressRule"));
    expect(
      ingress.map(({ name, inputs: rule }) => [name, rule["cidrIpv4"], rule["fromPort"], rule["toPort"]]),
    ).toEqual([["cluster-cluster-api", "172.31.0.0/16", 443, 443]]);
  });

  test("everything on AWS goes through the environment's own provider", () => {
    const provider = find("aws", "cluster").urn;
    for (const { type, isCustom, provider: used, urn } of run.resources)
      if (isCustom && type.startsWith("aws:")) expect(used, urn).toContain(provider);
  });

  test("volumes that pods claim are encrypted with the environment's key, once there is their driver", () => {
    const storageClass = find("StorageClass", "cluster");
    expect(storageClass.inputs).toMatchObject({
      provisioner: "ebs.csi.aws.com",
      parameters: { type: "gp3", encrypted: "true", kmsKeyId: "arn:aws:kms:us-east-1:123456789012:key/1" },
    });
    expect(madeBefore(storageClass)).toContain(find("Addon", "cluster-cluster-aws-ebs-csi-driver").urn);
  });

  test("the service comes when nodes and name lookup are there, on the nodes that are meant for it", () => {
    const deployment = find("Deployment", "cluster");
    const before = madeBefore(deployment);
    for (const needed of [
      find("NodeGroup", "cluster-serving"),
      find("Addon", "cluster-cluster-coredns"),
      find("AccessPolicyAssociation", "cluster-cluster-administrator-deployer"),
    ])
      expect(before).toContain(needed.urn);
    expect(run.outputs["serviceUrls"]).toEqual(["http://mcp-service.mcp-gateway-cluster.svc/mcp"]);
  });
});

describe("a cluster and the stack's settings", () => {
  test("fail where the subnets lie in one zone", async () => {
    const run = await previewEnvironment("cluster", {
      config: { ...CONFIG, subnetIds: '["subnet-0aaaaaaaaaaaaaaa0"]' },
    });
    expect(run.exitCode).not.toBe(0);
    expect(errorsOf(run)).toContain(
      "Cannot make an EKS cluster in us-east-1a: it stands in two zones at least",
    );
    expect(run.resources.map(({ type }) => type)).not.toContain("aws:eks/cluster:Cluster");
  });

  const faultLines = (run: ProgramRun): string[] => {
    const made = run.resources.filter(({ type }) => type !== "pulumi:pulumi:Stack");
    expect(made).toEqual([]);
    const [error = ""] = run.logs
      .filter(({ severity }) => severity === "error")
      .map(({ message }) => message);
    return error
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  };

  test("fail without administrators, and beside a cluster that others made", async () => {
    const run = await previewEnvironment("cluster", {
      config: { ...CONFIG, kubeconfig: "{}", clusterAdministrators: "[]" },
    });
    expect(run.exitCode).not.toBe(0);
    expect(faultLines(run)).toEqual([
      expect.stringMatching(/^cluster: has no administrators: pulumi config set --path/),
      expect.stringMatching(/^cluster: is the environment's own, and the stack's key kubeconfig/),
    ]);
  });

  describe("in a file of one's own", () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(path.join(tmpdir(), "bedplate-eks-"));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    test("fail where a managed node's user data leaves no room for what EKS adds", async () => {
      const spec = environment();
      const overrides = Object.fromEntries(
        Array.from({ length: 900 }, (_, index) => [
          `net.core.knob_${index}`,
          {
            value: (index * 2_654_435_761) % 4_294_967_296,
            because: `measured ${(index * 40_503) % 65_536}`,
          },
        ]),
      );
      const [serving, models] = spec.hostPools;
      const environmentFile = path.join(folder, "large.yaml");
      const large = { ...spec, hostPools: [{ ...serving, profile: { overrides } }, models] };
      writeFileSync(environmentFile, stringify(large));
      const run = await previewEnvironment("cluster", { config: { ...CONFIG, environmentFile } });
      expect(faultLines(run)).toEqual([
        expect.stringMatching(/^hostPools\[0\]\.profile: user data.*above the limit of 12288/),
      ]);
    });
  });
});

interface Written {
  readonly hostPools: readonly Record<string, unknown>[];
}

function environment(): Written & Record<string, unknown> {
  return parse(readFileSync(FILE, "utf8")) as Written & Record<string, unknown>;
}

describe("an environment's cluster", () => {
  function faultsOf(changes: Record<string, unknown>, serving: object = {}, models: object = {}): string[] {
    const spec = environment();
    const [first, second] = spec.hostPools;
    const hostPools = [
      { ...first, ...serving },
      { ...second, ...models },
    ];
    const { error } = environmentSchema.safeParse({ ...spec, hostPools, ...changes });
    return (error?.issues ?? []).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  }
  const TAINT = [{ key: "example.com/own", effect: "NoExecute" }];

  test.each<[string, () => string[], RegExp[]]>([
    ["is right as written", () => faultsOf({}), []],
    [
      "fails without nodes",
      () => faultsOf({}, { eks: undefined }, { eks: undefined }),
      [/^cluster: has no nodes: give a pool the key eks$/],
    ],
    [
      "fails where no node takes a pod without a toleration",
      () => faultsOf({}, { eks: { taints: TAINT } }),
      [/^cluster: every pool of its nodes has a taint/],
    ],
    [
      "fails for nodes without a cluster",
      () => faultsOf({ cluster: undefined }),
      [
        /^hostPools\.0\.eks: needs the environment's cluster/,
        /^hostPools\.1\.eks: needs the environment's cluster/,
      ],
    ],
    [
      "fails for a managed group with what only a group of one's own has",
      () =>
        faultsOf(
          {},
          {
            warmPool: { count: 1 },
            spot: true,
            onDemandCount: 1,
            image: { amiId: "ami-0123456789abcdef0" },
          },
        ),
      [/^hostPools\.0\.warmPool: /, /^hostPools\.0\.onDemandCount: /, /^hostPools\.0\.image: /],
    ],
    [
      "fails for a managed group in a capacity block, which EKS cannot roll",
      () => faultsOf({}, { capacityBlockId: "cr-0123456789abcdef0" }),
      [/^hostPools\.0\.capacityBlockId: is not for a managed node group/],
    ],
    [
      "fails for managed nodes that are to sleep",
      () => faultsOf({ schedule: { running: { from: "07:00", to: "19:00" } } }),
      [/^schedule\.running: EKS keeps the nodes of pool serving running/],
    ],
    [
      "fails for a public endpoint that nobody may reach",
      () => faultsOf({ cluster: { kubernetesVersion: "1.35", endpointAccess: "public-and-private" } }),
      [/^cluster\.publicAccessCidrs: a public endpoint needs at least one range/],
    ],
    [
      "fails for a version of Kubernetes that is out of support",
      () => faultsOf({ cluster: { kubernetesVersion: "1.29" } }),
      [/^cluster\.kubernetesVersion: /],
    ],
  ])("%s", (_what, faults, wanted) => {
    expect(faults()).toEqual(wanted.map((pattern): unknown => expect.stringMatching(pattern)));
  });
});
