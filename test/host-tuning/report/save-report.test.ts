import { describe, expect, it } from "vitest";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import { REPORT_PATHS, joinPhases, saveReport } from "../../../host-tuning/report/save-report.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { demoRoot } from "../engine/demo-knobs.ts";
import { engineOn } from "../engine/engine.ts";

describe("saveReport()", () => {
  it("tells of both phases of a boot in one file", async () => {
    await using root = await demoRoot();
    const engine = engineOn(root.root);
    const host = openHost(root.root);
    const early = await engine.apply({ phase: "early" });
    await saveReport(host, early);
    const late = await engine.apply({ phase: "late" });
    await saveReport(host, late);
    for (const path of REPORT_PATHS) {
      const saved = JSON.parse(await root.read(path)) as HostReport;
      expect(saved.phase).toBe("all");
      expect(saved.entries).toEqual([...early.entries, ...late.entries]);
      expect(saved.counts.changed).toBe(early.counts.changed + late.counts.changed);
      expect(saved.startedAt).toBe(early.startedAt);
      expect(saved.phases.map((phase) => phase.name)).toContain("late: plan");
    }
  });

  it("replaces a report of another boot, and one that is no report", async () => {
    await using root = await demoRoot();
    const engine = engineOn(root.root);
    const host = openHost(root.root);
    for (const stale of [
      "rubbish",
      "{}",
      JSON.stringify({ ...(await engine.apply({ phase: "early" })), bootId: "x" }),
    ]) {
      await root.write(REPORT_PATHS[0], stale);
      const late = await engine.apply({ phase: "late" });
      await saveReport(host, late);
      expect(JSON.parse(await root.read(REPORT_PATHS[0]))).toEqual(late);
    }
  });
});

describe("joinPhases()", () => {
  it("takes a whole run as it is, and one phase again as news of its own entries", async () => {
    await using root = await demoRoot();
    const engine = engineOn(root.root);
    const whole = await engine.apply();
    const again = await engine.apply({ phase: "late" });
    expect(joinPhases(again, whole)).toBe(whole);
    const joined = joinPhases(whole, again);
    expect(joined.phase).toBe("all");
    expect(joined.entries).toHaveLength(whole.entries.length);
    expect(joined.entries.filter((entry) => entry.outcome === "changed").map((entry) => entry.key)).toEqual([
      "demo.backlog",
      "demo.config",
    ]);
  });
});
