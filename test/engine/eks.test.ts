import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import {
  changesOf,
  expectNoError,
  expectTakenOver,
  idsOf,
  recordedState,
  replacementsOf,
} from "../helpers/engine-operations.ts";
import { EngineStack, type EngineStackArgs } from "../helpers/engine-stack.ts";
import { describeWith } from "../helpers/needs.ts";
import { PULUMI } from "../helpers/pulumi-cli.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const FILE = path.resolve(import.meta.dirname, "../fixtures/environments/cluster.yaml");
const POLICY_PACK = path.resolve(import.meta.dirname, "../../components/policy");
const CLUSTER = "aws:eks/cluster:Cluster";
const NODE_GROUP = "aws:eks/nodeGroup:NodeGroup";
const GROUP = "aws:autoscaling/group:Group";
const LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate";
const PARAMETER = "aws:ssm/parameter:Parameter";

interface Written {
  readonly cluster: Record<string, unknown>;
  readonly hostPools: readonly { readonly needs: Record<string, unknown> }[];
}

const written = parse(readFileSync(FILE, "utf8")) as Written & Record<string, unknown>;

function stackArgs(environmentFile = FILE): EngineStackArgs {
  return {
    stack: "cluster",
    config: {
      environmentFile,
      clusterAdministrators: JSON.stringify(["arn:aws:iam::123456789012:role/platform/deployer"]),
    },
    secretConfig: { kubeconfig: "" },
  };
}

describeWith([PULUMI], "an environment with an EKS cluster of its own, under the real engine", () => {
  test("comes up, moves to the next Kubernetes, is healed, gets other nodes, and leaves nothing", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "bedplate-eks-engine-"));
    const file = path.join(folder, "cluster.yaml");
    const write = (changes: object): void => writeFileSync(file, stringify({ ...written, ...changes }));
    write({});
    const stack = await EngineStack.open(stackArgs(file));
    try {
      const up = await stack.up();
      expectNoError(up);
      const custom = up.steps.filter((step) => /^(aws|kubernetes):/.test(step.type));
      expect([...stack.aws.resources, ...stack.kubernetes.resources]).toHaveLength(custom.length);
      expect(changesOf(await stack.refreshedUp())).toEqual([]);

      // The next Kubernetes: the control plane first, then nodes with its image, and nothing is replaced.
      const cluster = { ...written.cluster, kubernetesVersion: "1.36" };
      write({ cluster });
      const before = stack.aws.calls.length;
      const upgraded = await stack.up();
      expectNoError(upgraded);
      expect(replacementsOf(upgraded)).toEqual([]);
      expect(changesOf(upgraded)).toEqual([
        ...["models", "serving"].map((pool) => `create ${PARAMETER} cluster-${pool}-kubernetes-1.36-image`),
        ...["models", "serving"].map((pool) => `delete ${PARAMETER} cluster-${pool}-kubernetes-1.35-image`),
        `update ${GROUP} cluster-models`,
        `update ${LAUNCH_TEMPLATE} cluster-models`,
        `update ${CLUSTER} cluster-cluster`,
        `update ${NODE_GROUP} cluster-serving`,
      ]);
      const calls = stack.aws.calls.slice(before).map(({ operation, type }) => `${operation} ${type}`);
      for (const nodes of [GROUP, NODE_GROUP])
        expect(calls.indexOf(`update ${nodes}`)).toBeGreaterThan(calls.indexOf(`update ${CLUSTER}`));

      // Larger nodes of the managed group are another group: refused while it is protected, with nothing touched.
      const [serving, models] = written.hostPools;
      const hostPools = [{ ...serving, needs: { ...serving?.needs, vcpus: 16 } }, models];
      write({ cluster, hostPools });
      const there = idsOf(stack);
      const refused = await stack.up();
      expect(refused.diagnostics.join("\n")).toMatch(
        /unable to replace .*::cluster-serving"\s+as it is currently marked for protection/,
      );
      expect(idsOf(stack)).toEqual(there);

      // What was done by hand is undone by the same up that takes the protection off.
      const protection = { protect: false, retainOnDelete: false };
      write({ cluster, protection });
      stack.aws.drift("aws:eks/addon:Addon", "cluster-cluster-coredns", {
        addonVersion: "v1.11.4-eksbuild.2",
      });
      stack.aws.lose(
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "cluster-cluster-administrator-deployer",
      );
      const healed = await stack.refreshedUp();
      expectNoError(healed);
      expect(changesOf(healed)).toEqual([
        "create aws:eks/accessPolicyAssociation:AccessPolicyAssociation cluster-cluster-administrator-deployer",
        "update aws:eks/addon:Addon cluster-cluster-coredns",
        `update ${CLUSTER} cluster-cluster`,
      ]);

      write({ cluster, protection, hostPools });
      const old = stack.aws.find(NODE_GROUP);
      const moved = await stack.up();
      expectNoError(moved);
      expect(replacementsOf(moved)).toEqual([`${NODE_GROUP} cluster-serving for instanceTypes[0]`]);
      expect(stack.aws.find(NODE_GROUP).id).not.toBe(old.id);
      const turns = stack.aws.calls.filter(({ type }) => type === NODE_GROUP).slice(-2);
      expect(turns.map(({ operation }) => operation)).toEqual(["create", "delete"]);

      expectNoError(await stack.destroy());
      expect(idsOf(stack)).toEqual([]);
      expect(stack.storedState()).not.toContain("urn:pulumi");
    } finally {
      stack.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("as the previous release left it keeps to every policy, and is taken over without a replacement or a deletion", async () => {
    const stack = await EngineStack.open({
      ...stackArgs(),
      deployment: recordedState("cluster"),
      policyPacks: [POLICY_PACK],
    });
    try {
      expectTakenOver(await stack.preview());
    } finally {
      stack.close();
    }
  });
});
