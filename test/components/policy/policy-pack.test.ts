import path from "node:path";
import * as aws from "@pulumi/aws";
import { expect, test, vi } from "vitest";
import { EngineStack } from "../../helpers/engine-stack.ts";
import { describeWith } from "../../helpers/needs.ts";
import { PULUMI } from "../../helpers/pulumi-cli.ts";

vi.setConfig({ testTimeout: 300_000 });

const POLICY_PACK = path.resolve(import.meta.dirname, "../../../components/policy");

/** What a hurried engineer writes. */
async function carelessProgram(): Promise<Record<string, unknown>> {
  const template = new aws.ec2.LaunchTemplate("careless", {
    instanceType: "g6.2xlarge",
    imageId: "ami-00000001",
  });
  const group = new aws.autoscaling.Group("careless", {
    minSize: 1,
    maxSize: 1,
    launchTemplate: { id: template.id, version: "$Latest" },
  });
  const bucket = new aws.s3.Bucket("careless", {});
  return { group: group.name, bucket: bucket.id };
}

describeWith([PULUMI], "the policy pack under the real engine", () => {
  test("fails a stack of hosts of nobody's, and names each rule and resource; nothing is made", async () => {
    const stack = await EngineStack.open({
      stack: "careless",
      program: carelessProgram,
      policyPacks: [POLICY_PACK],
    });
    try {
      const preview = await stack.preview();
      expect(preview.error).toBeDefined();
      const broken = preview.policyEvents.map(
        ({ policy, resource }) => `${policy} ${resource.split("::").at(-2)}`,
      );
      expect([...new Set(broken)].toSorted()).toEqual([
        "encrypted-at-rest aws:ec2/launchTemplate:LaunchTemplate",
        "gpu-has-owner aws:ec2/launchTemplate:LaunchTemplate",
        "host-pool-has-budget aws:autoscaling/group:Group",
        "imdsv2-only aws:ec2/launchTemplate:LaunchTemplate",
        "owner-tags-everywhere aws:autoscaling/group:Group",
        "owner-tags-everywhere aws:ec2/launchTemplate:LaunchTemplate",
        "owner-tags-everywhere aws:s3/bucket:Bucket",
        "pinned-images aws:autoscaling/group:Group",
        "private-buckets aws:s3/bucket:Bucket",
      ]);
      expect(
        preview.policyEvents.every(({ pack, level }) => pack === "bedplate" && level === "mandatory"),
      ).toBe(true);

      expect((await stack.up()).error).toBeDefined();
      expect(stack.aws.resources).toEqual([]);
    } finally {
      stack.close();
    }
  });
});
