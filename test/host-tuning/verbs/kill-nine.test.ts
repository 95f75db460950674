import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LOCK_PATH } from "../../../host-tuning/engine/agent-lock.ts";
import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import { foldJournal } from "../../../host-tuning/engine/journal-state.ts";
import { JOURNAL_PATH, readJournal } from "../../../host-tuning/engine/journal.ts";
import { rollbackHost } from "../../../host-tuning/engine/rollback-host.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleProfile } from "../../helpers/facts.ts";
import { type HostRoot, createHostRoot } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";
import { treeState } from "../engine/tree-state.ts";
import { startAgent } from "./agent-process.ts";

const STAGING = /\.bedplate-new$/;

async function stockRoot(): Promise<HostRoot> {
  return await createHostRoot({ ...stockHost(), "/var/lib/keep": "", "/run/keep": "" });
}

async function apply(root: string): Promise<HostReport> {
  const host = openHost(root);
  const facts = await readFacts(host);
  return await applyPlan({ host, facts, profile: sampleProfile(), knobs: KNOBS, phase: "all" });
}

async function rollback(root: string): Promise<HostReport> {
  return await rollbackHost({ host: openHost(root), knobs: KNOBS, hostname: null, kernelRelease: null });
}

/** Starts the real program and kills it as soon as `isTime` says so. */
async function kill(verb: "apply" | "rollback", root: string, isTime: () => boolean): Promise<void> {
  const { child, whenDone } = startAgent([verb, "--root", root]);
  const lock = join(root, LOCK_PATH);
  while (child.exitCode === null && child.signalCode === null && !isTime()) {
    // Until it has the lock it only loads; from then on every moment counts.
    await (existsSync(lock) ? setImmediate() : setTimeout(2));
  }
  child.kill("SIGKILL");
  await whenDone;
}

function journalBytes(root: string): number {
  return statSync(join(root, JOURNAL_PATH), { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * One root for all moments: each ends with a rollback to the start, so that the next begins there, with a journal that
 * has been through everything before.
 */
describe("kill -9 of the real program", () => {
  let host: HostRoot;
  let start: Record<string, string>;
  let after: Record<string, string>;
  /** Files that apply changes, in the order it writes them. */
  let changed: string[];
  let wholeMillis: number;
  /** What one apply adds to the journal. */
  let appliedBytes: number;

  beforeAll(async () => {
    host = await stockRoot();
    start = treeState(host.root);
    const fromMillis = performance.now();
    expect(await startAgent(["apply", "--root", host.root]).whenDone).toMatchObject({
      exitCode: 0,
      stderr: "",
    });
    wholeMillis = performance.now() - fromMillis;
    after = treeState(host.root);
    appliedBytes = journalBytes(host.root);
    const { originals } = foldJournal(readJournal(openHost(host.root)).records);
    changed = [...originals.values()].flatMap(({ original }) => ("path" in original ? [original.path] : []));
    expect(changed.length).toBeGreaterThan(10);
    await rollback(host.root);
  });

  afterAll(async () => {
    await host[Symbol.asyncDispose]();
  });

  /** Before or after, never between; what was staged may lie about until the next run. */
  function expectWhole(): void {
    const now = treeState(host.root);
    for (const [path, content] of Object.entries(now)) {
      if (!STAGING.test(path)) expect([start[path], after[path]], path).toContain(content);
    }
    expect(Object.keys(start).filter((path) => now[path] === undefined)).toEqual([]);
  }

  async function expectRecovers(way: "apply" | "rollback"): Promise<void> {
    expectWhole();
    if (way === "apply") {
      const report = await apply(host.root);
      expect(report.counts.failed).toBe(0);
      expect(treeState(host.root)).toEqual(after);
    }
    expect((await rollback(host.root)).counts.failed).toBe(0);
    expect(treeState(host.root)).toEqual(start);
  }

  function contentOf(path: string): string | undefined {
    try {
      return readFileSync(join(host.root, path), "utf8");
    } catch (error) {
      // In one step: the agent that runs meanwhile may remove the file between a look and a read.
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  it.each([0, 1, 2, 3, 4, 5, 6, 7])("as soon as write %i of 8 is there", async (index) => {
    const path = changed[Math.floor((index * changed.length) / 8)] ?? "";
    const original = contentOf(path);
    const fromBytes = journalBytes(host.root);
    await kill("apply", host.root, () => contentOf(path) !== original);
    expect(journalBytes(host.root)).toBeGreaterThan(fromBytes);
    await expectRecovers(index % 2 === 0 ? "apply" : "rollback");
  });

  it.each([0.01, 0.7, 0.9, 0.99])("as soon as the journal has %f of what it gets", async (share) => {
    const untilBytes = journalBytes(host.root) + share * appliedBytes;
    await kill("apply", host.root, () => journalBytes(host.root) >= untilBytes);
    await expectRecovers(share > 0.8 ? "apply" : "rollback");
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])("at random moment %i", async (index) => {
    const fromMillis = performance.now();
    // The second half of a run is where it writes.
    const afterMillis = wholeMillis * (0.4 + 0.6 * Math.random());
    await kill("apply", host.root, () => performance.now() - fromMillis >= afterMillis);
    await expectRecovers(index % 2 === 0 ? "apply" : "rollback");
  });

  it("twice in a row, then a rollback that is killed too", async () => {
    const half = changed[Math.floor(changed.length / 2)] ?? "";
    const original = contentOf(half);
    await kill("apply", host.root, () => contentOf(half) !== original);
    expectWhole();
    await kill("apply", host.root, () => existsSync(join(host.root, LOCK_PATH)));
    expectWhole();
    await apply(host.root);
    await kill("rollback", host.root, () => contentOf(half) === original);
    await expectRecovers("apply");
  });

  it("between staging and replacing the other half of a pair: the next run removes what was staged", async () => {
    await apply(host.root);
    writeFileSync(join(host.root, "/proc/sys/vm/.dirty_ratio.bedplate-new"), "60");
    await expectRecovers("apply");
  });
});
