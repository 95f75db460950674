import { beforeAll, describe, expect, test, vi } from "vitest";
import { environmentNames, loadEnvironment } from "../../components/environment/load-environment.ts";
import { OWNER_TAG_KEYS } from "../../components/tags/owner-tags.ts";
import { errorsOf, previewEnvironment, renderPreview } from "../helpers/preview-environment.ts";
import { PROGRAM_LIMIT_MILLIS, type ProgramRun, type RegisteredResource } from "../helpers/program-host.ts";
import { UNKNOWN, unknownPaths } from "../helpers/program-values.ts";
import type { Values } from "../helpers/provider-double/check-inputs.ts";
import { tagPlacesOf } from "../helpers/tag-places.ts";

vi.setConfig({ testTimeout: 2 * PROGRAM_LIMIT_MILLIS, hookTimeout: 2 * PROGRAM_LIMIT_MILLIS });

const ENVIRONMENTS = ["dev", "local", "prod", "staging"] as const;

test("the committed environments are these", () => {
  expect(environmentNames()).toEqual(ENVIRONMENTS);
});

describe.each(ENVIRONMENTS)("preview of %s", (name) => {
  let run: ProgramRun;
  beforeAll(async () => {
    run = await previewEnvironment(name);
  });

  test("ends well and is the reviewed one", async () => {
    expect(run.exitCode, errorsOf(run)).toBe(0);
    await expect(renderPreview(run)).toMatchFileSnapshot(`../golden/previews/${name}.txt`);
  });

  test("every place that takes tags or labels says whose it is: counted, by type", async () => {
    const { owner, name: environment } = await loadEnvironment(name);
    const owned = {
      team: owner.team,
      "cost-center": owner.costCenter,
      service: owner.service,
      environment,
    };
    expect(Object.keys(owned)).toEqual(OWNER_TAG_KEYS);
    const places = run.resources.filter(isOfCloud).flatMap(placesOf);
    const others = places.filter(({ tags }) => !isMatch(tags, owned));
    expect(others.map(({ resource, path }) => `${resource.urn} ${path}`)).toEqual([]);
    await expect(renderTagCoverage(name, run, owned)).toMatchFileSnapshot(`../golden/tags/${name}.txt`);
  });

  test("every custom resource passed the stack's transforms, where any can carry tags", () => {
    const custom = run.resources.filter(
      (resource) => resource.isCustom && resource.type !== "pulumi:pulumi:Stack",
    );
    if (custom.flatMap(placesOf).length === 0) expect(run.transformCalls).toBe(0);
    else expect(run.transformCalls).toBeGreaterThanOrEqual(custom.length);
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

function isOfCloud({ type, isCustom }: RegisteredResource): boolean {
  return isCustom && !type.startsWith("pulumi:");
}

function placesOf(resource: RegisteredResource) {
  return tagPlacesOf(resource.type, resource.inputs).map((place) => ({ resource, ...place }));
}

function isMatch(tags: Values, owned: Values): boolean {
  return Object.entries(owned).every(([key, value]) => tags[key] === value);
}

/** A table for people: how many of each type take tags, where, and how many of these places have the owner's. */
function renderTagCoverage(name: string, run: ProgramRun, owned: Values): string {
  const resources = run.resources.filter(isOfCloud);
  const types = [...new Set(resources.map(({ type }) => type))].toSorted();
  const rows = types.map((type) => {
    const ofType = resources.filter((resource) => resource.type === type);
    const places = ofType.flatMap(placesOf);
    return {
      type,
      count: ofType.length,
      places: places.length,
      tagged: places.filter(({ tags }) => isMatch(tags, owned)).length,
      paths: [...new Set(places.map(({ path }) => path))],
    };
  });
  const sum = (of: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((total, row) => total + of(row), 0);
  return [
    `${name}: ${sum(({ tagged }) => tagged)} of ${sum(({ places }) => places)} places that take tags or labels have the owner's,`,
    `on ${sum(({ count, places }) => (places > 0 ? count : 0))} of ${resources.length} resources; the other types take none.`,
    "",
    ...rows.flatMap(({ type, count, places, tagged, paths }) => [
      `${String(count).padStart(3)}  ${(places === 0 ? "none" : `${tagged}/${places}`).padEnd(5)}  ${type}`,
      ...paths.map((path) => `                ${path}`),
    ]),
    "",
  ].join("\n");
}
