import { describe, expect, test, vi } from "vitest";
import {
  UNTAGGABLE_AWS_TYPES,
  autoScalingTags,
  launchTemplateTags,
  missingOwnerTags,
} from "../../../components/tags/owner-tags.ts";
import { errorsOf, previewEnvironment } from "../../helpers/preview-environment.ts";
import { PROGRAM_LIMIT_MILLIS } from "../../helpers/program-host.ts";
import { tagPlacesOf } from "../../helpers/tag-places.ts";

vi.setConfig({ testTimeout: 2 * PROGRAM_LIMIT_MILLIS });

const TAGS = {
  team: "agents",
  "cost-center": "CC-1",
  service: "mcp",
  environment: "trial",
  "managed-by": "bedplate",
};

test("UNTAGGABLE_AWS_TYPES names only types that take no tags in the SDK", () => {
  expect([...UNTAGGABLE_AWS_TYPES].filter((type) => tagPlacesOf(type, {}).length > 0)).toEqual([]);
});

test("tagPlacesOf() finds every place at every depth, and in lists what reaches the hosts", () => {
  const pathsOf = (type: string, inputs: object) =>
    tagPlacesOf(type, { ...inputs }).map(({ path, tags }) => `${path} ${Object.keys(tags).join("+")}`);
  expect(
    pathsOf("aws:autoscaling/group:Group", {
      tags: [
        { key: "team", value: "agents", propagateAtLaunch: true },
        { key: "service", value: "mcp", propagateAtLaunch: false },
      ],
    }),
  ).toEqual(["tags team"]);
  expect(
    pathsOf("aws:ec2/launchTemplate:LaunchTemplate", {
      tagSpecifications: [{ resourceType: "volume", tags: { team: "agents" } }],
    }).toSorted(),
  ).toEqual([
    "tagSpecifications[instance].tags ",
    "tagSpecifications[network-interface].tags ",
    "tagSpecifications[volume].tags team",
    "tags ",
  ]);
  expect(
    pathsOf("aws:ec2/instance:Instance", { ebsBlockDevices: [{ deviceName: "/dev/sdf" }] }),
  ).toContainEqual("ebsBlockDevices[0].tags ");
  expect(
    pathsOf("kubernetes:apps/v1:StatefulSet", {
      metadata: { labels: { team: "agents" } },
      spec: { template: {}, volumeClaimTemplates: [{ metadata: {} }] },
    }).toSorted(),
  ).toEqual([
    "metadata.labels team",
    "spec.template.metadata.labels ",
    "spec.volumeClaimTemplates[0].metadata.labels ",
  ]);
  expect(pathsOf("bedplate:index:LocalVm", {})).toEqual([]);
});

describe("missingOwnerTags()", () => {
  test("is empty where all are there", () => {
    expect(missingOwnerTags("aws:s3/bucket:Bucket", { tags: TAGS })).toEqual([]);
    expect(missingOwnerTags("aws:autoscaling/group:Group", { tags: autoScalingTags(TAGS) })).toEqual([]);
    expect(
      missingOwnerTags("aws:ec2/launchTemplate:LaunchTemplate", {
        tags: TAGS,
        tagSpecifications: launchTemplateTags(TAGS),
      }),
    ).toEqual([]);
    expect(missingOwnerTags("kubernetes:core/v1:Service", { metadata: { labels: TAGS }, spec: {} })).toEqual(
      [],
    );
    expect(missingOwnerTags("bedplate:index:LocalVm", {})).toEqual([]);
  });

  test("names each missing key of a map of tags", () => {
    const { team: _, ...others } = TAGS;
    expect(missingOwnerTags("aws:s3/bucket:Bucket", { tags: others })).toEqual(["tags.team"]);
    expect(missingOwnerTags("aws:s3/bucket:Bucket", {})).toEqual([
      "tags.team",
      "tags.cost-center",
      "tags.service",
      "tags.environment",
    ]);
  });

  test("counts a row of an Auto Scaling group only where it reaches the instances", () => {
    const rows = autoScalingTags(TAGS).map((row) =>
      row.key === "team" ? { ...row, propagateAtLaunch: false } : row,
    );
    expect(missingOwnerTags("aws:autoscaling/group:Group", { tags: rows })).toEqual(["tags.team"]);
  });

  test("asks a launch template for tags of everything that it makes", () => {
    const tagSpecifications = launchTemplateTags(TAGS).filter((row) => row.resourceType !== "volume");
    expect(
      missingOwnerTags("aws:ec2/launchTemplate:LaunchTemplate", { tags: TAGS, tagSpecifications }),
    ).toEqual(
      ["team", "cost-center", "service", "environment"].map((key) => `tagSpecifications[volume].tags.${key}`),
    );
  });

  test("asks a pod template for labels of its own", () => {
    const spec = { template: { metadata: { labels: {} }, spec: {} } };
    expect(missingOwnerTags("kubernetes:apps/v1:Deployment", { metadata: { labels: TAGS }, spec })).toContain(
      "spec.template.metadata.labels.team",
    );
  });
});

test("refuseUntagged() never lets a resource of an environment through without its owner", async () => {
  const run = await previewEnvironment("dev", { program: "test/fixtures/programs/untagged-bucket.ts" });
  expect(run.exitCode).not.toBe(0);
  expect(errorsOf(run)).toContain(
    'Cannot register aws:s3/bucket:Bucket "stray": it lacks tags.team, tags.cost-center, tags.service, tags.environment',
  );
  expect(run.resources.filter((resource) => resource.name === "stray")).toEqual([]);
});
