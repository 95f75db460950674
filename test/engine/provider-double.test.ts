import { describe, expect, test } from "vitest";
import { UNKNOWN_VALUE, type Values, checkInputs } from "../helpers/provider-double/check-inputs.ts";
import { changedPaths } from "../helpers/provider-double/provider-double.ts";
import { SdkShapes } from "../helpers/provider-double/sdk-shapes.ts";

const aws = new SdkShapes("aws");
const kubernetes = new SdkShapes("kubernetes");

function faultsOf(type: string, values: Values): readonly string[] {
  const shape = (type.startsWith("aws:") ? aws : kubernetes).resource(type);
  return checkInputs(values, shape.inputs, { isOpen: shape.isOpen }).map(
    ({ property, reason }) => `${property} ${reason}`,
  );
}

describe("checkInputs() with the declarations of the SDK", () => {
  test("has nothing against inputs that fit, known and unknown", () => {
    expect(
      faultsOf("aws:autoscaling/group:Group", {
        minSize: 1,
        maxSize: UNKNOWN_VALUE,
        enabledMetrics: ["GroupMinSize"],
        launchTemplate: { id: UNKNOWN_VALUE, version: "1" },
        tags: [{ key: "team", value: "agents", propagateAtLaunch: true }],
      }),
    ).toEqual([]);
  });

  test("fails for what is missing, unknown or of another type, at its path", () => {
    expect(
      faultsOf("aws:autoscaling/group:Group", {
        minSize: "1",
        enabledMetrics: ["GroupHappiness"],
        launchTemplate: { identifier: "lt-1" },
        tags: [{ key: "team", value: "agents" }],
        hostTag: "x",
      }),
    ).toEqual([
      "maxSize is required",
      'minSize is "1", wanted a number',
      expect.stringMatching(/^enabledMetrics\[0\] is "GroupHappiness", wanted one of GroupMinSize, /),
      "launchTemplate.identifier is no property of this type",
      "tags[0].propagateAtLaunch is required",
      "hostTag is no property of this type",
    ]);
  });

  test("reads nested objects of Kubernetes, and takes a custom one for what it says", () => {
    expect(
      faultsOf("kubernetes:apps/v1:Deployment", {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "a" },
        spec: { selector: {}, template: { spec: { containers: [{ image: "a" }] } } },
      }),
    ).toEqual(["spec.template.spec.containers[0].name is required"]);
    expect(
      faultsOf("kubernetes:monitoring.coreos.com/v1:ServiceMonitor", {
        apiVersion: "monitoring.coreos.com/v1",
        kind: "ServiceMonitor",
        metadata: { label: {} },
        spec: { endpoints: [] },
      }),
    ).toEqual(["metadata.label is no property of this type"]);
  });

  test("fails for a type that the SDK does not have", () => {
    expect(() => aws.resource("aws:ec2/hoverTemplate:HoverTemplate")).toThrow(
      "@pulumi/aws has no ec2/hoverTemplate.d.ts",
    );
  });
});

test("changedPaths() names what differs as Pulumi does, and a list of another length as a whole", () => {
  const olds = { a: 1, b: { c: [1, 2], d: [{ e: 1 }] }, gone: true };
  const news = { a: 1, b: { c: [1, 2, 3], d: [{ e: 2 }] }, added: true };
  expect(changedPaths(olds, news, "")).toEqual(["added", "b.c", "b.d[0].e", "gone"]);
});
