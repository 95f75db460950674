import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LOCK_PATH, withAgentLock } from "../../../host-tuning/engine/agent-lock.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import { demoRoot } from "./demo-knobs.ts";
import { engineOn } from "./engine.ts";

function lockWith(root: string, content: string): void {
  mkdirSync(join(root, "/run/bedplate"), { recursive: true });
  writeFileSync(join(root, LOCK_PATH), content);
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
  await new Promise((resolve) => child.once("exit", resolve));
  return child.pid ?? 0;
}

describe("withAgentLock()", () => {
  it("refuses a second agent while the first works, names it, and lets it in afterwards", async () => {
    await using host = await demoRoot();
    const live = openHost(host.root);
    await withAgentLock(live, "apply", async () => {
      await expect(
        withAgentLock(live, "rollback", async () => await Promise.resolve()),
      ).rejects.toMatchObject({
        code: "AGENT_BUSY",
        message: `Cannot start rollback: process ${process.pid} is at apply on this host`,
      });
    });
    expect(await withAgentLock(live, "rollback", async () => await Promise.resolve("in"))).toBe("in");
    expect(readdirSync(join(host.root, "/run/bedplate"))).toEqual([]);
  });

  it("is waited for by a unit's apply, which comes once, and not by a person's", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    let ofUnit: Promise<HostReport> | undefined;
    await withAgentLock(openHost(host.root), "drift", async () => {
      ofUnit = engine.apply({ phase: "late" });
      await expect(engine.apply()).rejects.toMatchObject({ code: "AGENT_BUSY" });
    });
    expect((await ofUnit)?.counts.failed).toBe(0);
  });

  it("gives the lock back when the work throws", async () => {
    await using host = await demoRoot();
    const live = openHost(host.root);
    const work = withAgentLock(live, "apply", async () => await Promise.reject(new Error("no")));
    await expect(work).rejects.toThrow("no");
    expect(existsSync(join(host.root, LOCK_PATH))).toBe(false);
  });

  it("takes over from a process that is dead, or whose number is another process's now", async () => {
    await using host = await demoRoot();
    const live = openHost(host.root);
    const stale = [
      JSON.stringify({ pid: await deadPid(), started: "1", verb: "apply" }),
      JSON.stringify({ pid: process.pid, started: "1", verb: "apply" }),
      "half a lo",
      "",
    ];
    for (const content of stale) {
      lockWith(host.root, content);
      const held = await withAgentLock(
        live,
        "apply",
        async () => await Promise.resolve(readFileSync(join(host.root, LOCK_PATH), "utf8")),
      );
      expect(JSON.parse(held)).toMatchObject({ pid: process.pid, verb: "apply" });
      expect(readdirSync(join(host.root, "/run/bedplate"))).toEqual([]);
    }
  });
});
