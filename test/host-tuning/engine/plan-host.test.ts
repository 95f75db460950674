import { describe, expect, it } from "vitest";
import { hostPlanSchema } from "../../../host-tuning/engine/host-plan.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { parseContract } from "../../../host-tuning/profile/parse-contract.ts";
import { sampleFacts } from "../../helpers/facts.ts";
import { DEMO_KNOBS, demoRoot, diskKnob, numberKnob } from "./demo-knobs.ts";
import { engineOn } from "./engine.ts";
import { treeHash } from "./tree-state.ts";

describe("planHost()", () => {
  it("says for each knob what it would do and why, early knobs first, and writes nothing", async () => {
    await using host = await demoRoot();
    const before = treeHash(host.root);
    const plan = await engineOn(host.root).plan({ knobs: DEMO_KNOBS.toReversed() });
    expect(plan.steps.map((step) => [step.key, step.action, step.beforeText, step.afterText])).toEqual([
      ["demo.config", "set", "", "limit=65536"],
      ["demo.absent", "unsupported", "", ""],
      ["demo.raised", "left", "500", ""],
      ["demo.backlog", "set", "128", "4096"],
      ["demo/scheduler[disk0]", "set", "mq-deadline", "none"],
      ["demo/scheduler[disk1]", "already-right", "none", "none"],
    ]);
    expect(plan.steps.at(-3)?.writes).toEqual([
      { kind: "kernel-file", path: "/proc/sys/demo/backlog", text: "4096\n" },
    ]);
    expect(treeHash(host.root)).toBe(before);
  });

  it("gives the same digests twice, and is a valid HostPlan after JSON", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    const [first, second] = [await engine.plan(), await engine.plan()];
    expect(second.digest).toBe(first.digest);
    expect(second.factsDigest).toBe(first.factsDigest);
    expect(parseContract(hostPlanSchema, JSON.parse(JSON.stringify(first)), "plan")).toEqual(first);
  });

  it("keeps its facts digest when interrupts, link speed or our own tuning change, not when the machine does", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    const facts = sampleFacts();
    const first = await engine.plan({ facts });
    const tuned = sampleFacts({
      nics: facts.nics.map((nic) => ({ ...nic, speedMbitPerSec: 10, rxQueues: 2, irqs: [99] })),
      irqs: [
        {
          irq: 99,
          action: "eno1-0",
          pciAddress: null,
          node: null,
          isManaged: null,
          affinity: "0",
          effectiveAffinity: "0",
        },
      ],
      unreadable: [{ path: "/x", because: "y" }],
    });
    expect((await engine.plan({ facts: tuned })).factsDigest).toBe(first.factsDigest);
    const smaller = sampleFacts({ memory: { ...facts.memory, totalBytes: 1024 ** 3 } });
    expect((await engine.plan({ facts: smaller })).factsDigest).not.toBe(first.factsDigest);
  });

  it("takes only the knobs of its phase", async () => {
    await using host = await demoRoot();
    const plan = await engineOn(host.root).plan({ phase: "late" });
    expect(plan.steps.map((step) => step.key)).toEqual(["demo/scheduler[disk0]", "demo/scheduler[disk1]"]);
  });

  it("lets an override name another value, exactly, or leave the knob alone", async () => {
    await using host = await demoRoot();
    const plan = await engineOn(host.root).plan({
      profile: {
        overrides: {
          "demo.raised": { value: 7, because: "measured on this rack" },
          "demo.backlog": { leave: true, because: "owned by the database" },
        },
      },
    });
    expect(plan.steps.find((step) => step.key === "demo.raised")).toMatchObject({
      action: "set",
      after: 7,
      isOverride: true,
      because: "profile: measured on this rack",
    });
    expect(plan.steps.find((step) => step.key === "demo.backlog")).toMatchObject({
      action: "left",
      because: "profile: owned by the database",
    });
  });

  it("takes an override exactly, also where the knob calls more than it good enough", async () => {
    await using host = await demoRoot();
    const atLeast = numberKnob("raised", 100, { isSatisfied: (current, wanted) => current >= wanted });
    const engine = engineOn(host.root);
    expect((await engine.plan({ knobs: [atLeast], profile: { allowLowering: true } })).steps[0]?.action).toBe(
      "already-right",
    );
    const overrides = { "demo.raised": { value: 100, because: "a test" } };
    expect((await engine.plan({ knobs: [atLeast], profile: { overrides } })).steps[0]?.action).toBe("set");
  });

  it("fails with every override that names no knob or a value its knob does not take", async () => {
    await using host = await demoRoot();
    const because = "a test";
    const planning = engineOn(host.root).plan({
      profile: {
        overrides: {
          "demo.nothing": { value: 1, because },
          "demo.backlog": { value: "many", because },
          "demo/scheduler": { value: "cfq", because },
        },
      },
    });
    await expect(planning).rejects.toThrow(InputError);
    await expect(planning).rejects.toMatchObject({
      faults: [
        { path: 'overrides["demo.nothing"]' },
        { path: 'overrides["demo.backlog"].value' },
        { path: 'overrides["demo/scheduler"].value' },
      ],
    });
  });

  it("names who else sets a knob, whichever way the key is spelt, and never itself", async () => {
    await using host = await demoRoot();
    const facts = sampleFacts({
      ownership: [
        { owner: "sysctl.d", key: "demo/backlog", source: "/etc/sysctl.d/90-db.conf", value: "64" },
        { owner: "bedplate", key: "demo.backlog", source: "journal", value: "4096" },
        { owner: "tuned", key: "demo.other", source: "throughput-performance", value: null },
      ],
    });
    const plan = await engineOn(host.root).plan({ facts });
    expect(plan.steps.find((step) => step.key === "demo.backlog")?.alsoSetBy).toEqual([
      "sysctl.d /etc/sysctl.d/90-db.conf: 64",
    ]);
  });

  it("names the namespace of a value that each network namespace has its own of", async () => {
    await using host = await demoRoot();
    const plan = await engineOn(host.root).plan({
      knobs: [numberKnob("backlog", 4096, { scope: "netns" }), diskKnob],
    });
    expect(plan.steps.map((step) => step.namespace)).toEqual(["host", null, null]);
  });

  it("leaves what cannot be taken back, unless the profile consents", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    const knobs = [numberKnob("backlog", 4096, { isReversible: false })];
    expect((await engine.plan({ knobs })).steps[0]).toMatchObject({ action: "left", after: null });
    const consenting = await engine.plan({ knobs, profile: { consent: ["irreversible"] } });
    expect(consenting.steps[0]).toMatchObject({ action: "set", after: 4096 });
  });

  it("turns what a knob throws into that knob's failure alone", async () => {
    await using host = await demoRoot({ "/proc/sys/demo/folder/x": "" });
    const knobs = [
      numberKnob("backlog", 4096, {
        desired: () => {
          throw new RangeError("no such node");
        },
      }),
      numberKnob("folder", 1),
      numberKnob("absent", 1, {
        targets: () => {
          throw new Error("unclear topology");
        },
      }),
      numberKnob("raised", 900),
    ];
    const plan = await engineOn(host.root).plan({ knobs });
    expect(plan.steps.map((step) => [step.action, step.because])).toEqual([
      ["failed", "Cannot decide demo.backlog: no such node"],
      ["failed", expect.stringMatching(/^Cannot read \/proc\/sys\/demo\/folder: /)],
      ["failed", "Cannot decide demo.absent: unclear topology"],
      ["set", "900 is demonstrated"],
    ]);
  });

  it.each([
    ["a path outside", "/etc/passwd"],
    ["a path that climbs out", "/sys/class/net/../../../etc/passwd"],
    ["a path with an empty part", "/sys//block/x"],
    ["a NUL", "/sys/block/x\0y"],
    ["the agent's own books", "/run/bedplate/report.json"],
  ])("never plans a write to %s", async (_, path) => {
    await using host = await demoRoot();
    const knobs = [numberKnob("backlog", 4096, { writes: () => [{ kind: "kernel-file", path, text: "1" }] })];
    const plan = await engineOn(host.root).plan({ knobs });
    expect(plan.steps[0]).toMatchObject({ action: "failed", writes: [] });
    expect(plan.steps[0]?.because).toContain("Cannot write");
  });

  it.each([[undefined], [Number.NaN], ["12"]])(
    "never plans a value that its knob does not take: %s",
    async (value) => {
      await using host = await demoRoot();
      const broken = {
        ...numberKnob("backlog", 1),
        desired: () => ({ kind: "set" as const, value, because: "x" }),
      };
      const [step] = (await engineOn(host.root).plan({ knobs: [broken] })).steps;
      expect(step).toMatchObject({ action: "failed", writes: [] });
      expect(step?.because).toContain("its rule gave");
    },
  );
});
