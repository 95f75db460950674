import { describe, expect, it } from "vitest";
import { DRIFT_STATE_PATH } from "../../../host-tuning/engine/drift-state.ts";
import { watchDrift } from "../../../host-tuning/engine/drift-watch.ts";
import type { TuningEvent } from "../../../host-tuning/engine/run-context.ts";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { type DriftReport, driftReportSchema } from "../../../host-tuning/report/drift-report.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleFacts, sampleProfile } from "../../helpers/facts.ts";
import type { HostRoot } from "../../helpers/host-root.ts";
import { DEMO_KNOBS, demoRoot } from "./demo-knobs.ts";
import { engineOn } from "./engine.ts";
import { treeState } from "./tree-state.ts";

const PATH = "/proc/sys/demo/backlog";
const MINUTE_MILLIS = 60_000;

interface Look {
  readonly policy?: "report" | "heal";
  readonly atMinute: number;
  readonly ownership?: HostFacts["ownership"];
  readonly events?: TuningEvent[];
}

/** The moment of the first apply of these tests is now, so a look is so many minutes from now. */
async function look(
  host: HostRoot,
  { policy = "report", atMinute, ownership = [], events }: Look,
): Promise<DriftReport> {
  return await watchDrift(
    {
      host: openHost(host.root),
      facts: sampleFacts({ ownership }),
      profile: sampleProfile({ drift: { policy } }),
      knobs: DEMO_KNOBS,
      phase: "all",
      observer: { onEvent: (event) => events?.push(event) },
    },
    new Date(Date.now() + atMinute * MINUTE_MILLIS),
  );
}

describe("watchDrift()", () => {
  it("says nothing of a host that is as it was set, and writes nothing but its own state", async () => {
    await using host = await demoRoot();
    await engineOn(host.root).apply();
    const before = treeState(host.root);
    const events: TuningEvent[] = [];
    const report = await look(host, { atMinute: 1, events });
    expect(report).toMatchObject({ checked: 3, drifted: 0, standing: 0, entries: [] });
    expect(events).toEqual([]);
    expect(treeState(host.root)).toEqual(before);
    expect(driftReportSchema.parse(JSON.parse(await host.read(DRIFT_STATE_PATH)).last)).toEqual(report);
  });

  it("says what drifted, between which looks, and remembers since when", async () => {
    await using host = await demoRoot();
    await engineOn(host.root).apply();
    const good = await look(host, { atMinute: 1 });
    await host.write(PATH, "64\n");
    const events: TuningEvent[] = [];
    const first = await look(host, { atMinute: 16, events });
    expect(first).toMatchObject({ drifted: 1, standing: 1 });
    expect(first.entries[0]).toMatchObject({
      key: "demo.backlog",
      set: "4096",
      found: "64",
      lastGoodAt: good.startedAt,
      firstSeenAt: first.startedAt,
      suspects: [],
      action: "reported",
    });
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      level: "warning",
      event: "drifted",
      knob: "demo.backlog",
      after: "64",
    });
    expect(events[0]?.because).toMatch(/by unknown: nothing that is known to set it ran/);
    const second = await look(host, { atMinute: 31 });
    expect(second.entries[0]).toMatchObject({ lastGoodAt: good.startedAt, firstSeenAt: first.startedAt });
    expect(await host.read(PATH)).toBe("64\n");
  });

  it("heals what drifted and nothing else", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    const overrides = { "demo/scheduler": { leave: true, because: "not yet" } } as const;
    await engine.apply({ profile: { overrides } });
    await host.write(PATH, "64\n");
    // The profile wants disk0's scheduler now: that is new tuning, and for apply.
    const report = await look(host, { policy: "heal", atMinute: 1 });
    expect(report).toMatchObject({ drifted: 1, standing: 0 });
    expect(report.entries[0]).toMatchObject({ action: "healed", because: "put back to 4096 and re-read" });
    expect(await host.read(PATH)).toBe("4096\n");
    expect(await host.read("/sys/block/disk0/queue/scheduler")).toBe("mq-deadline\n");
    expect((await look(host, { policy: "heal", atMinute: 2 })).entries).toEqual([]);
  });

  it("never heals to another value than the one that was set", async () => {
    await using host = await demoRoot();
    const overrides = { "demo.backlog": { value: 9000, because: "a test" } };
    await engineOn(host.root).apply({ profile: { overrides } });
    await host.write(PATH, "64\n");
    const report = await look(host, { policy: "heal", atMinute: 1 });
    expect(report.entries[0]).toMatchObject({
      action: "not-healed",
      because: 'the plan wants 4096 now and not 9000 again: run "bedplate apply"',
    });
    expect(await host.read(PATH)).toBe("64\n");
  });

  it("gives in after three heals in an hour, names the opponent, and goes on after an apply", async () => {
    await using host = await demoRoot({ "/etc/sysctl.d/90-db.conf": "demo.backlog=64\n" });
    const engine = engineOn(host.root);
    await engine.apply();
    const ownership: HostFacts["ownership"] = [
      {
        owner: "sysctl.d",
        key: "demo.backlog",
        source: "/etc/sysctl.d/90-db.conf",
        value: "64",
        hold: "boot",
      },
    ];
    const actions: string[] = [];
    let last: DriftReport | undefined;
    for (const atMinute of [10, 20, 30, 40, 50]) {
      await host.write(PATH, "64\n");
      last = await look(host, { policy: "heal", atMinute, ownership });
      actions.push(last.entries[0]?.action ?? "none");
    }
    expect(actions).toEqual(["healed", "healed", "healed", "not-healed", "not-healed"]);
    expect(last?.entries[0]?.because).toMatch(
      /^put back 3 times within an hour and changed again; left to sysctl\.d \(\/etc\/sysctl\.d\/90-db\.conf\) since /,
    );
    expect(await host.read(PATH)).toBe("64\n");
    // Long after: still left alone, since nobody asked for it again.
    expect((await look(host, { policy: "heal", atMinute: 500, ownership })).entries[0]?.action).toBe(
      "not-healed",
    );
  });

  it("heals again what came back less often than that", async () => {
    await using host = await demoRoot();
    await engineOn(host.root).apply();
    const actions: string[] = [];
    for (const atMinute of [0, 25, 50, 75, 100]) {
      await host.write(PATH, "64\n");
      actions.push((await look(host, { policy: "heal", atMinute })).entries[0]?.action ?? "none");
    }
    expect(actions).toEqual(["healed", "healed", "healed", "healed", "healed"]);
  });

  it("says why a heal failed", async () => {
    await using host = await demoRoot();
    await engineOn(host.root).apply();
    await host.write("/sys/block/disk0/queue/scheduler", "mq-deadline\n");
    const { chmod } = await import("node:fs/promises");
    await chmod(`${host.root}/sys/block/disk0/queue/scheduler`, 0o444);
    const report = await look(host, { policy: "heal", atMinute: 1 });
    expect(report.entries[0]).toMatchObject({ key: "demo/scheduler[disk0]", action: "heal-failed" });
    expect(report.entries[0]?.because).toMatch(/^Cannot set demo\/scheduler of disk0 to "none": .*EACCES/);
    expect(report.standing).toBe(1);
  });

  it("never sees a change before it was last right, also when an apply ended meanwhile", async () => {
    await using host = await demoRoot();
    await engineOn(host.root).apply();
    await host.write(PATH, "64\n");
    const [entry] = (await look(host, { atMinute: -5 })).entries;
    expect(entry?.firstSeenAt).toBe(entry?.lastGoodAt);
  });

  it("starts anew from a state that it cannot read", async () => {
    await using host = await demoRoot();
    await engineOn(host.root).apply();
    await host.write(DRIFT_STATE_PATH, "{");
    await host.write(PATH, "64\n");
    expect((await look(host, { atMinute: 1 })).entries).toHaveLength(1);
  });
});
