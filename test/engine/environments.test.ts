import path from "node:path";
import { expect, test, vi } from "vitest";
import {
  changesOf,
  deletionsOf,
  expectNoError,
  idsOf,
  recordedState,
  replacementsOf,
} from "../helpers/engine-operations.ts";
import { EngineStack } from "../helpers/engine-stack.ts";
import { describeWith } from "../helpers/needs.ts";
import { PULUMI } from "../helpers/pulumi-cli.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const ENVIRONMENTS = ["dev", "staging", "prod"] as const;
const POLICY_PACK = path.resolve(import.meta.dirname, "../../components/policy");

const EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule";
const INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";

interface ReleaseStep {
  /** `type name for inputs` */
  readonly replacements: readonly string[];
  /** `type name` */
  readonly deletions: readonly string[];
}

/**
 * What the step to this release replaces and deletes. Hosts reach what their pool's `outbound` names and no longer the
 * whole VPC; the service's port is open where the service is a unit of the host, and not on a cluster's nodes.
 */
const STEP_OF: Readonly<Record<(typeof ENVIRONMENTS)[number], ReleaseStep>> = {
  dev: { replacements: [], deletions: [`${EGRESS_RULE} dev-general-vpc`] },
  staging: {
    replacements: [],
    deletions: [`${EGRESS_RULE} staging-serving-vpc`, `${INGRESS_RULE} staging-serving-service-0`],
  },
  prod: {
    replacements: [],
    deletions: [
      `${EGRESS_RULE} prod-serving-metal-vpc`,
      `${EGRESS_RULE} prod-tools-gpu-vpc`,
      `${INGRESS_RULE} prod-serving-metal-service-0`,
      `${INGRESS_RULE} prod-tools-gpu-service-0`,
    ],
  },
};

const LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate";
const GROUP = "aws:autoscaling/group:Group";
const SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup";

describeWith([PULUMI], "an environment under the real engine, with doubles for the clouds", () => {
  test.each(ENVIRONMENTS)(
    "%s comes up, keeps to every policy, stays as it is, and leaves nothing",
    async (name) => {
      const stack = await EngineStack.open({ stack: name, policyPacks: [POLICY_PACK] });
      try {
        const up = await stack.up();
        expectNoError(up);
        expect(up.policyEvents).toEqual([]);
        const made = [...stack.aws.resources, ...stack.kubernetes.resources];
        const custom = up.steps.filter((step) => /^(aws|kubernetes):/.test(step.type));
        expect(made).toHaveLength(custom.length);
        expect(made.length).toBeGreaterThan(10);
        const again = await stack.refreshedUp();
        expectNoError(again);
        expect(changesOf(again)).toEqual([]);
        const { guarded, kept } = stack.safeguards();
        if (guarded.length > 0) {
          expect((await stack.destroy()).error).toBeDefined();
          expect(idsOf(stack)).toEqual(expect.arrayContaining([...guarded]));
          await stack.unprotect();
        }
        expectNoError(await stack.destroy());
        expect(idsOf(stack)).toEqual(kept);
        expect(stack.storedState()).not.toContain("urn:pulumi");
      } finally {
        stack.close();
      }
    },
  );

  test.each(ENVIRONMENTS)(
    "%s as the previous release left it is taken over with the replacements and deletions that are told",
    async (name) => {
      const stack = await EngineStack.open({ stack: name, deployment: recordedState(name) });
      try {
        const preview = await stack.preview();
        expectNoError(preview);
        expect({ replacements: replacementsOf(preview), deletions: deletionsOf(preview) }).toEqual(
          STEP_OF[name],
        );
      } finally {
        stack.close();
      }
    },
  );

  test("a change is an update or a replacement as the provider's schema has it, and drift is found", async () => {
    const stack = await EngineStack.open({ stack: "dev", config: { amiId: "ami-00000000000000001" } });
    try {
      expectNoError(await stack.up());
      const template = stack.aws.find(LAUNCH_TEMPLATE);
      expect(template.outputs["latestVersion"]).toBe(1);

      // Another image: a new version of the same template, which the group then runs.
      await stack.setConfig("amiId", "ami-00000000000000002");
      const preview = await stack.preview();
      expect(replacementsOf(preview)).toEqual([]);
      expect(changesOf(preview)).toEqual([
        `update ${GROUP} dev-general`,
        `update ${LAUNCH_TEMPLATE} dev-general`,
      ]);
      expectNoError(await stack.up());
      expect(stack.aws.find(LAUNCH_TEMPLATE)).toMatchObject({
        id: template.id,
        outputs: { latestVersion: 2 },
      });
      expect(JSON.stringify(stack.aws.find(GROUP).inputs)).toContain('"version":"2"');

      // Another network: a security group cannot move, so there is a new one before the old one goes.
      const firewall = stack.aws.find(SECURITY_GROUP);
      await stack.setConfig("vpcId", "vpc-0fedcba9876543210");
      const moved = await stack.up();
      expectNoError(moved);
      expect(replacementsOf(moved)).toContain(`${SECURITY_GROUP} dev-general for vpcId`);
      expect(stack.aws.find(SECURITY_GROUP).id).not.toBe(firewall.id);
      expect(stack.aws.find(LAUNCH_TEMPLATE).id).toBe(template.id);

      // By hand in the console: a refresh finds it, the next up takes it back; the size is the schedule's.
      stack.aws.drift(GROUP, "dev-general", { defaultInstanceWarmup: 5, maxSize: 0 });
      stack.aws.lose("aws:s3/bucketPolicy:BucketPolicy", "dev-artifacts");
      const healed = await stack.refreshedUp();
      expectNoError(healed);
      expect(changesOf(healed)).toEqual([
        "create aws:s3/bucketPolicy:BucketPolicy dev-artifacts",
        `update ${GROUP} dev-general`,
      ]);
      expect(stack.aws.find(GROUP).inputs).toMatchObject({ defaultInstanceWarmup: 120, maxSize: 0 });
    } finally {
      stack.close();
    }
  });

  test("fails by name where the cloud refuses one resource, and the next up makes what is left, nothing twice", async () => {
    const stack = await EngineStack.open({ stack: "dev" });
    try {
      stack.aws.failNext(GROUP, "create", "Insufficient capacity in us-east-1a");
      const failed = await stack.up();
      expect(failed.error).toBeDefined();
      expect(failed.diagnostics).toContainEqual(
        expect.stringContaining("Insufficient capacity in us-east-1a"),
      );
      const before = stack.aws.resources.map((resource) => resource.id);
      expect(before.length).toBeGreaterThan(5);
      const next = await stack.up();
      expectNoError(next);
      expect(changesOf(next).filter((change) => change.startsWith("create"))).toContain(
        `create ${GROUP} dev-general`,
      );
      expect(stack.aws.resources.map((resource) => resource.id)).toEqual(expect.arrayContaining(before));
      expect(stack.aws.resources.filter((resource) => resource.type === GROUP)).toHaveLength(1);
    } finally {
      stack.close();
    }
  });

  test("a secret of the stack's settings is never plain in its state", async () => {
    const kubeconfig = JSON.stringify({ users: [{ token: "not-for-everybody" }] });
    const stack = await EngineStack.open({ stack: "staging", secretConfig: { kubeconfig } });
    try {
      expectNoError(await stack.up());
      expect(stack.storedState()).toContain("ciphertext");
      expect(stack.storedState()).not.toContain("not-for-everybody");
    } finally {
      stack.close();
    }
  });
});
