import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import type { Deployment } from "@pulumi/pulumi/automation/index.js";
import { expect } from "vitest";
import type { EngineStack, Operation } from "./engine-stack.ts";

const PREVIOUS_RELEASE = "0.1.0";

/** What an operation does beside looking: `operation type name`. */
export function changesOf({ steps }: Operation): readonly string[] {
  return steps
    .filter((step) => !["same", "refresh", "read"].includes(step.operation))
    .map((step) => `${step.operation} ${step.type} ${step.name}`)
    .toSorted();
}

/** The resources that an operation replaces, and which inputs it does that for. */
export function replacementsOf({ steps }: Operation): readonly string[] {
  return steps
    .filter((step) => step.operation === "replace")
    .map((step) => `${step.type} ${step.name} for ${step.replacedFor.join(", ")}`)
    .toSorted();
}

export function deletionsOf({ steps }: Operation): readonly string[] {
  return steps
    .filter((step) => step.operation === "delete")
    .map((step) => `${step.type} ${step.name}`)
    .toSorted();
}

/** `pulumi stack export` of a release, recorded with these doubles; ours to keep as releases go by. */
export function recordedState(name: string): Deployment {
  const file = path.resolve(import.meta.dirname, `../fixtures/states/${PREVIOUS_RELEASE}/${name}.json.gz`);
  return JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as Deployment;
}

export function idsOf(stack: EngineStack): readonly string[] {
  return [...stack.aws.resources, ...stack.kubernetes.resources]
    .map(({ type, id }) => `${type} ${id}`)
    .toSorted();
}

export function expectNoError({ error, diagnostics }: Operation): void {
  expect(error, diagnostics.join("\n")).toBeUndefined();
}

/** A preview of what a release left behind: to every policy's liking, and nothing is made anew or given up. */
export function expectTakenOver(preview: Operation): void {
  expectNoError(preview);
  expect(preview.policyEvents).toEqual([]);
  expect({ replacements: replacementsOf(preview), deletions: deletionsOf(preview) }).toEqual({
    replacements: [],
    deletions: [],
  });
}
