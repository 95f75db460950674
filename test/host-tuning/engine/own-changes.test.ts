import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { raiseTo } from "../../../host-tuning/knobs/desired.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import { exitCodeOf } from "../../../host-tuning/engine/report-of.ts";
import { TuningError } from "../../../host-tuning/errors.ts";
import { type LiveHost, openHost } from "../../../host-tuning/sys/live-host.ts";
import type { HostRoot } from "../../helpers/host-root.ts";
import { CONFIG_PATH, configKnob, demoRoot, diskKnob, numberKnob } from "./demo-knobs.ts";
import { type Engine, type EngineChanges, engineOn, entryNamed } from "./engine.ts";
import { treeHash, treeState } from "./tree-state.ts";

const BACKLOG = "/proc/sys/demo/backlog";

/** Raises to what the profile's connections need; the host has 128. */
const backlog = numberKnob("backlog", 0, {
  desired: ({ current, profile }) => {
    const value = profile.workload.connections;
    return raiseTo({ value, because: `${value} connections` }, { current, profile });
  },
  isSatisfied: (current, wanted) => current >= wanted,
});

/** A file of ours for profiles that use memory maps. */
const config = {
  ...configKnob,
  desired: ({ profile }) =>
    profile.workload.usesMemoryMaps
      ? { kind: "set", value: "limit=65536", because: "many maps" }
      : { kind: "leave", because: "few maps" },
} satisfies AnyKnob;

/** Acts on disks only where the profile names a mount path. */
const disk = {
  ...diskKnob,
  targets: (_facts, profile) => (profile.nvme.mountPath === undefined ? [] : [{ name: "disk0" }]),
} satisfies AnyKnob;

const knobs = [backlog, config, disk];
const A: EngineChanges & { readonly profile: object } = {
  knobs,
  profile: { workload: { connections: 4096, usesMemoryMaps: true }, nvme: { mountPath: "/mnt" } },
};
const B: EngineChanges = { knobs, profile: { workload: { connections: 1000 } } };
const NOTHING: EngineChanges = { knobs, profile: { workload: { connections: 100 } } };

async function inNewBoot(host: HostRoot): Promise<void> {
  await host.write("/proc/sys/kernel/random/boot_id", "11111111-1f0e-6f3f-4f6c-9a552c7f1f4f\n");
  await host.write(BACKLOG, "128\n");
  await host.write("/sys/block/disk0/queue/scheduler", "mq-deadline\n");
}

async function expectNothingToDo(engine: Engine, host: HostRoot, changes: EngineChanges): Promise<void> {
  const before = treeHash(host.root);
  expect((await engine.apply(changes)).counts.changed).toBe(0);
  expect(treeHash(host.root)).toBe(before);
}

describe("values that Bedplate set", () => {
  it("count no more as the host's own: a later profile that needs less gets less", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply(A);
    const plan = await engine.plan(B);
    const report = await engine.apply({ ...B, expected: { plan, source: "plan.json" } });
    expect(entryNamed(report, "demo.backlog")).toMatchObject({
      before: "4096",
      outcome: "changed",
      found: "1000",
    });
    expect(await host.read(BACKLOG)).toBe("1000\n");
    await expectNothingToDo(engine, host, B);
  });

  it("go when a later profile asks for nothing: A, B, A ends as it was, byte for byte", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    const start = treeState(host.root);
    await engine.apply(A);
    const afterA = treeState(host.root);
    expect(afterA).not.toEqual(start);
    const report = await engine.apply(NOTHING);
    expect(treeState(host.root)).toEqual(start);
    expect(entryNamed(report, "demo.backlog")).toMatchObject({
      outcome: "changed",
      found: "128",
      isVerified: true,
    });
    expect(entryNamed(report, "demo.config").because).toBe(
      "an earlier profile set it; this one does not ask for it: few maps",
    );
    expect(entryNamed(report, "demo/scheduler[disk0]")).toMatchObject({
      found: "mq-deadline",
      outcome: "changed",
    });
    expect((await engine.status()).entries).toEqual([]);
    await expectNothingToDo(engine, host, NOTHING);
    await engine.apply(A);
    expect(treeState(host.root)).toEqual(afterA);
    await engine.rollback({ knobs });
    expect(treeState(host.root)).toEqual(start);
  });

  it("plan shows the original as what will be set, and the file as what will go", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply(A);
    const { steps } = await engine.plan(NOTHING);
    expect(steps.find(({ key }) => key === "demo.backlog")).toMatchObject({
      action: "set",
      before: 4096,
      after: 128,
      writes: [{ kind: "kernel-file", path: BACKLOG, text: "128\n" }],
    });
    expect(steps.find(({ key }) => key === "demo.config")?.writes).toMatchObject([
      { kind: "config-file", path: CONFIG_PATH, text: null },
    ]);
    expect(exitCodeOf(await engine.verify(NOTHING))).toBe(3);
  });

  it("never lowers a larger value that the host had by itself, and one that somebody set after us is the host's", async () => {
    await using host = await demoRoot({ [BACKLOG]: "2000\n" });
    const engine = engineOn(host.root);
    await engine.apply(A);
    expect(entryNamed(await engine.apply(B), "demo.backlog")).toMatchObject({
      outcome: "changed",
      found: "2000",
    });
    await engine.apply(A);
    await host.write(BACKLOG, "9000\n");
    expect(entryNamed(await engine.apply(B), "demo.backlog").outcome).toBe("left");
    expect(await host.read(BACKLOG)).toBe("9000\n");
  });

  it("leaves a file alone that somebody changed after us", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply(A);
    await host.write(CONFIG_PATH, "limit=7\n");
    expect(entryNamed(await engine.apply(NOTHING), "demo.config").outcome).toBe("left");
    expect(await host.read(CONFIG_PATH)).toBe("limit=7\n");
  });

  it("after a reboot: kernel values are the kernel's again, files are still ours", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply(A);
    await inNewBoot(host);
    const start = treeState(host.root);
    const report = await engine.apply(NOTHING);
    expect(entryNamed(report, "demo.backlog").outcome).toBe("left");
    expect(entryNamed(report, "demo.config").outcome).toBe("changed");
    expect(existsSync(join(host.root, CONFIG_PATH))).toBe(false);
    expect(treeState(host.root)[BACKLOG]).toBe(start[BACKLOG]);
  });

  it("after a reboot: the original of this boot is what a rule sees", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply(A);
    await inNewBoot(host);
    await host.write(BACKLOG, "512\n");
    await engine.apply(A);
    expect(entryNamed(await engine.apply(NOTHING), "demo.backlog").found).toBe("512");
  });

  it("books are closed when a run was killed between putting back and saying so", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply({ ...A, knobs: [backlog] });
    await host.write(BACKLOG, "128\n");
    const report = await engine.apply({ ...NOTHING, knobs: [backlog] });
    expect(entryNamed(report, "demo.backlog").outcome).toBe("left");
    expect((await engine.status()).entries).toEqual([]);
  });

  it("an override beats the put-back, and a target that stays is not forgotten by the same profile", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply(A);
    const overrides = { "demo.backlog": { value: 300, because: "measured" } };
    const report = await engine.apply({ knobs, profile: { ...A.profile, overrides } });
    expect(entryNamed(report, "demo.backlog").found).toBe("300");
    // Facts may lose a device for a while; the profile that asked for it still does.
    const gone = { ...disk, targets: () => [] } satisfies AnyKnob;
    await engine.apply({ knobs: [gone, backlog], profile: { ...A.profile, overrides } });
    expect(await host.read("/sys/block/disk0/queue/scheduler")).toBe("none\n");
  });

  it("without the right to read the journal they count as the host's, and such a plan is refused where it matters", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply(A);
    const rooted = openHost(host.root);
    const rootless: LiveHost = Object.assign(openHost(host.root), {
      readBytes: (path: string) => {
        if (!path.startsWith("/var/lib/bedplate/")) return rooted.readBytes(path);
        throw new TuningError("HOST_READ", path, `Cannot read ${path}: EACCES: permission denied`);
      },
    });
    const plan = await engine.plan({ ...B, host: rootless });
    expect(plan.steps.find(({ key }) => key === "demo.backlog")?.action).toBe("left");
    expect((await engine.verify({ ...A, host: rootless })).drifted).toBe(0);
    await expect(engine.apply({ ...B, expected: { plan, source: "plan.json" } })).rejects.toMatchObject({
      code: "PLAN_STALE",
    });
  });
});

describe("an override of one target", () => {
  it("beats the knob's, on that target alone", async () => {
    await using host = await demoRoot();
    const overrides = {
      "demo/scheduler": { leave: true as const, because: "not ours" },
      "demo/scheduler[disk0]": { value: "none", because: "measured" },
    };
    const report = await engineOn(host.root).apply({ knobs: [diskKnob], profile: { overrides } });
    expect(entryNamed(report, "demo/scheduler[disk0]")).toMatchObject({ outcome: "changed", found: "none" });
    expect(entryNamed(report, "demo/scheduler[disk1]")).toMatchObject({
      outcome: "left",
      because: "profile: not ours",
    });
  });

  it.each([
    ["demo/scheduler[disk0]", { value: "bfq", because: "x" }, 'overrides["demo/scheduler[disk0]"].value'],
    ["demo/nothing[disk0]", { value: 1, because: "x" }, "no such knob"],
    ["demo.config[disk0]", { value: "a", because: "x" }, 'has no targets; write "demo.config"'],
  ])("fails for %s", async (key, override, message) => {
    await using host = await demoRoot();
    const planning = engineOn(host.root).plan({
      knobs: [configKnob, diskKnob],
      profile: { overrides: { [key]: override } },
    });
    await expect(planning).rejects.toThrow(message);
  });
});
