import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../host-tuning/engine/canonical-json.ts";
import type { HostPlan } from "../../../host-tuning/engine/host-plan.ts";
import { parsePlan, refuseIfStale } from "../../../host-tuning/engine/plan-file.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { DEMO_KNOBS, demoRoot } from "./demo-knobs.ts";
import { engineOn } from "./engine.ts";

async function savedPlan(): Promise<HostPlan> {
  await using host = await demoRoot();
  return await engineOn(host.root).plan();
}

function faultsOf(text: string): readonly { path: string; message: string }[] {
  try {
    parsePlan(text, "plan.json", DEMO_KNOBS);
    return [];
  } catch (error) {
    if (error instanceof InputError) return error.faults;
    throw error;
  }
}

describe("parsePlan()", () => {
  it("gives back a saved plan", async () => {
    const plan = await savedPlan();
    expect(parsePlan(JSON.stringify(plan), "plan.json", DEMO_KNOBS)).toEqual(plan);
  });

  it("fails with five faults and their paths in one go", async () => {
    const plan = JSON.parse(JSON.stringify(await savedPlan())) as Record<string, unknown>;
    const steps = plan["steps"] as Record<string, unknown>[];
    if (steps[0] === undefined || steps[1] === undefined) throw new Error("the plan has too few steps");
    plan["apiVersion"] = "bedplate/v0";
    plan["factsDigest"] = "sha256:short";
    steps[0]["action"] = "explode";
    steps[1]["surprise"] = true;
    plan["profile"] = {
      ...(plan["profile"] as object),
      overrides: { "demo.nothing": { value: 1, because: "a test" } },
    };
    expect(faultsOf(JSON.stringify(plan)).map((fault) => fault.path)).toEqual([
      "apiVersion",
      "factsDigest",
      "steps[0].action",
      "steps[1].surprise",
      'profile.overrides["demo.nothing"]',
    ]);
  });

  it("fails when a step was edited after the digest was made", async () => {
    const plan = await savedPlan();
    const edited = { ...plan, steps: plan.steps.map((step) => ({ ...step, because: "trust me" })) };
    expect(faultsOf(JSON.stringify(edited)).map((fault) => fault.path)).toEqual(["digest"]);
  });

  it("never throws anything but InputError, whatever the file holds", async () => {
    const text = JSON.stringify(await savedPlan());
    const mutated = fc
      .tuple(fc.nat(text.length), fc.nat(30), fc.string({ maxLength: 20 }))
      .map(([at, drop, add]) => text.slice(0, at) + add + text.slice(at + drop));
    fc.assert(
      fc.property(fc.oneof(mutated, fc.json(), fc.string()), (candidate) => {
        faultsOf(candidate);
      }),
      { numRuns: 500 },
    );
  });
});

describe("refuseIfStale()", () => {
  it("takes a plan that is the same", async () => {
    const plan = await savedPlan();
    expect(() => refuseIfStale(plan, structuredClone(plan), "plan.json")).not.toThrow();
  });

  it("refuses a plan whose steps are the same on a machine that is another", async () => {
    const plan = await savedPlan();
    const moved = { ...plan, factsDigest: `sha256:${"0".repeat(64)}` };
    expect(() => refuseIfStale(plan, moved, "plan.json")).toThrow(/facts: sha256:/);
  });

  it("names facts and steps that differ, five steps at most", async () => {
    const plan = await savedPlan();
    const steps = plan.steps.map((step) => ({ ...step, beforeText: "9", before: 9 }));
    const other = {
      ...plan,
      factsDigest: `sha256:${"0".repeat(64)}`,
      steps: [...steps.slice(1), { ...steps[0], key: "demo.new" } as HostPlan["steps"][number]],
      digest: digestOf(steps),
    };
    const refusal = (): void => refuseIfStale(plan, other, "plan.json");
    expect(refusal).toThrow(/facts: sha256:/);
    expect(refusal).toThrow("demo.backlog: not in a plan made now");
    expect(refusal).toThrow('before was "500", is "9"');
    expect(refusal).toThrow("and 2 steps more");
  });
});

describe("digestOf()", () => {
  it("does not depend on the order of keys, and does on everything else", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).toReversed());
        expect(digestOf(reversed)).toBe(digestOf(value));
        expect(digestOf([value])).not.toBe(digestOf(value));
      }),
    );
  });
});
