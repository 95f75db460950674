import { beforeAll, describe, expect, test, vi } from "vitest";
import { environmentNames, loadEnvironment } from "../../components/environment/load-environment.ts";
import { OWNER_TAG_KEYS, missingOwnerTags } from "../../components/tags/owner-tags.ts";
import { awsTypeTakesTags } from "../helpers/aws-sdk-types.ts";
import { errorsOf, previewEnvironment, renderPreview } from "../helpers/preview-environment.ts";
import { PROGRAM_LIMIT_MILLIS, type ProgramRun } from "../helpers/program-host.ts";
import { UNKNOWN, unknownPaths } from "../helpers/program-values.ts";

vi.setConfig({ testTimeout: 2 * PROGRAM_LIMIT_MILLIS, hookTimeout: 2 * PROGRAM_LIMIT_MILLIS });

/** Resources of an environment that the committed files give, counted by hand from the goldens. */
const TAGGABLE = { dev: 13, staging: 19, prod: 26, local: 0 } as const;

test("the committed environments are these", () => {
  expect(environmentNames()).toEqual(Object.keys(TAGGABLE).toSorted());
});

describe.each(Object.keys(TAGGABLE) as (keyof typeof TAGGABLE)[])("preview of %s", (name) => {
  let run: ProgramRun;
  beforeAll(async () => {
    run = await previewEnvironment(name);
  });

  test("ends well and is the reviewed one", async () => {
    expect(run.exitCode, errorsOf(run)).toBe(0);
    await expect(renderPreview(run)).toMatchFileSnapshot(`../golden/previews/${name}.txt`);
  });

  test("every resource that can carry owner tags carries all of them", async () => {
    const environment = await loadEnvironment(name);
    const taggable = run.resources.filter(
      (resource) =>
        resource.isCustom &&
        (resource.type.startsWith("kubernetes:") ||
          (resource.type.startsWith("aws:") && awsTypeTakesTags(resource.type))),
    );
    const untagged = taggable.filter(
      (resource) => missingOwnerTags(resource.type, resource.inputs).length > 0,
    );
    expect(untagged.map((resource) => resource.urn)).toEqual([]);
    expect(taggable).toHaveLength(TAGGABLE[name]);
    const wanted = JSON.stringify([
      environment.owner.team,
      environment.owner.costCenter,
      environment.owner.service,
      environment.name,
    ]);
    for (const resource of taggable) {
      const maps = ownerMapsOf(resource.inputs);
      expect(maps.length, resource.urn).toBeGreaterThan(0);
      for (const map of maps) expect(JSON.stringify(OWNER_TAG_KEYS.map((key) => map[key]))).toBe(wanted);
    }
  });

  test("every custom resource passed the stack's transforms", () => {
    const custom = run.resources.filter(
      (resource) => resource.isCustom && resource.type !== "pulumi:pulumi:Stack",
    );
    expect(run.transformCalls).toBeGreaterThanOrEqual(custom.length);
  });

  test("never puts an output into text", () => {
    const text = JSON.stringify([run.resources.map((resource) => resource.inputs), run.outputs, run.logs]);
    expect(text).not.toContain("Calling [toString]");
    expect(text).not.toContain("[object Object]");
    expect(JSON.stringify(run.outputs)).not.toContain("undefined");
  });

  test("leaves no line for people that is a warning or an error", () => {
    expect(run.logs.filter((line) => line.severity === "warning" || line.severity === "error")).toEqual([]);
  });
});

describe("unknown values in a preview", () => {
  test("what depends on a made resource is unknown, and what does not is known", async () => {
    const run = await previewEnvironment("dev");
    const template = run.resources.find(
      (resource) => resource.type === "aws:ec2/launchTemplate:LaunchTemplate",
    );
    const group = run.resources.find((resource) => resource.type === "aws:autoscaling/group:Group");
    expect(unknownPaths(template?.inputs ?? {}).toSorted()).toEqual([
      "blockDeviceMappings[0].ebs.kmsKeyId",
      "iamInstanceProfile.arn",
      "userData",
      "vpcSecurityGroupIds[0]",
    ]);
    expect(template?.inputs["instanceType"]).not.toBe(UNKNOWN);
    expect(group?.inputs["minSize"]).toBe(1);
    expect(unknownPaths(group?.inputs ?? {})).toContain(
      "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification.version",
    );
  });

  test("of a machine not made yet, its outputs are unknown and its inputs known", async () => {
    const run = await previewEnvironment("local");
    expect(run.outputs["machines"]).toBe(UNKNOWN);
    const machine = run.resources.find((resource) => resource.type === "bedplate:index:LocalVm");
    expect(unknownPaths(machine?.inputs ?? { none: UNKNOWN })).toEqual([]);
  });
});

/** Every map in a value that has an owner key, also where an Auto Scaling group spells it as rows. */
function ownerMapsOf(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) {
    const rows = value.filter(
      (row): row is { key: string; value: unknown } =>
        typeof row === "object" && row !== null && "key" in row,
    );
    const asMap = Object.fromEntries(rows.map((row) => [row.key, row.value]));
    return [...("team" in asMap ? [asMap] : []), ...value.flatMap(ownerMapsOf)];
  }
  if (typeof value !== "object" || value === null) return [];
  const map = value as Record<string, unknown>;
  return [...("team" in map ? [map] : []), ...Object.values(map).flatMap(ownerMapsOf)];
}
