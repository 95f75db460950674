import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HostRoot } from "../../helpers/host-root.ts";
import { createRichHost } from "../../helpers/rich-host.ts";
import { treeState } from "../engine/tree-state.ts";
import {
  applyAll,
  buryDeadAgent,
  forgetBooks,
  inBetween,
  reboot,
  rollbackAll,
  withoutBoot,
} from "./crash-host.ts";
import { type CrashPoint, type Mutation, withMutations } from "./mutations.ts";

/** Every point in every way takes minutes; without it each point is tried in one way. */
const IS_LONG = process.env["BEDPLATE_LONG"] === "1";

/** What happens after the crash. */
const WAYS = ["apply", "rollback", "reboot, apply", "reboot, rollback"] as const;
type Way = (typeof WAYS)[number];

/** What boot arguments say after a reboot that no boot loader had a part in. */
const NOT_BOOTED = /the host has rebooted since it was written/;

interface Point extends CrashPoint {
  readonly what: string;
}

/**
 * Where to die: before every call that changes something, and within every write. A file is replaced by five calls; the
 * quick run takes the moment after each file, and of the four moments within a replacement one for every fourth file.
 */
function pointsOf(mutations: readonly Mutation[]): Point[] {
  return mutations.flatMap((mutation, index): Point[] => {
    const what = `${mutation.call} ${mutation.path.split("/").slice(-3).join("/")}`;
    const isWithin = mutation.path.endsWith(".bedplate-new") && mutation.call !== "openSync";
    if (isWithin && !IS_LONG && index % 17 !== 0) return [];
    const before = { index, what: `before ${what}` };
    return [
      before,
      ...tearsOf(mutation.bytes).map((tornBytes) => ({ index, tornBytes, what: `${what}, torn` })),
    ];
  });
}

/**
 * Where a write can be cut: the journal after each record and within each (the quick run: one of them for every fourth
 * record), another file at its half.
 */
function tearsOf(bytes: Buffer | undefined): number[] {
  if (bytes === undefined || bytes.length === 0) return [];
  const tears: number[] = [];
  for (let from = 0, end = bytes.indexOf(0x0a); end >= 0; from = end + 1, end = bytes.indexOf(0x0a, from)) {
    // A different place in each line: behind its first byte, somewhere, before its line end.
    tears.push(from + 1 + ((tears.length * 37) % Math.max(1, end - from)), end + 1);
  }
  if (tears.length <= 2) return [Math.ceil(bytes.length / 2)];
  return IS_LONG ? tears : tears.filter((_, index) => index % 8 === 0 || index % 8 === 5);
}

describe("the agent killed at every change that a full profile makes", () => {
  let host: HostRoot;
  let start: Record<string, string>;
  let after: Record<string, string>;
  let changed: string[];
  let points: Point[];

  beforeAll(async () => {
    host = await createRichHost();
    start = withoutBoot(treeState(host.root));
    const mutations = await withMutations(() => applyAll(host.root));
    after = withoutBoot(treeState(host.root));
    changed = Object.keys(after).filter((path) => after[path] !== start[path]);
    points = pointsOf(mutations);
    const again = await applyAll(host.root);
    expect(again.map(({ counts }) => [counts.changed, counts.failed])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    await rollbackAll(host.root);
    expect(withoutBoot(treeState(host.root))).toEqual(start);
  });

  afterAll(async () => {
    await host[Symbol.asyncDispose]();
  });

  async function recover(way: Way): Promise<string[]> {
    if (way.startsWith("reboot")) reboot(host.root, start, changed);
    else buryDeadAgent(host.root);
    const faults: string[] = [];
    if (way.endsWith("apply")) {
      const failed = (await applyAll(host.root)).flatMap(({ entries }) =>
        entries.filter((entry) => entry.outcome === "failed" && !NOT_BOOTED.test(entry.because)),
      );
      faults.push(...failed.map((entry) => `apply: ${entry.because}`));
      const now = withoutBoot(treeState(host.root));
      faults.push(...differences(now, after).map((path) => `not as planned after apply: ${path}`));
    }
    const report = await rollbackAll(host.root);
    faults.push(
      ...report.entries
        .filter((entry) => entry.outcome === "failed")
        .map((entry) => `rollback: ${entry.because}`),
    );
    const now = withoutBoot(treeState(host.root));
    return [...faults, ...differences(now, start).map((path) => `not as at the start: ${path}`)];
  }

  async function dieAt(point: Point, way: Way): Promise<string[]> {
    forgetBooks(host.root);
    await withMutations(() => applyAll(host.root), point);
    const between = inBetween(withoutBoot(treeState(host.root)), start, after);
    const faults = [...between.map((path) => `neither before nor after: ${path}`), ...(await recover(way))];
    return faults.map((fault) => `${point.what} (call ${point.index}), then ${way}: ${fault}`);
  }

  it("is a profile of many writes", () => {
    expect(changed.length).toBeGreaterThan(40);
    expect(points.length).toBeGreaterThan(150);
  });

  it(
    "leaves each setting as before or as planned, and both ways out of there are open",
    { timeout: IS_LONG ? 3_600_000 : 600_000 },
    async () => {
      const faults: string[] = [];
      for (const [index, point] of points.entries()) {
        const ways = IS_LONG ? WAYS : [WAYS[index % WAYS.length] ?? "apply"];
        for (const way of ways) faults.push(...(await dieAt(point, way)));
        // A tree that is not itself any more would only repeat the first fault.
        if (faults.length > 0) break;
      }
      expect(faults).toEqual([]);
    },
  );
});

function differences(
  now: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): string[] {
  const paths = new Set([...Object.keys(now), ...Object.keys(wanted)]);
  return [...paths].filter((path) => now[path] !== wanted[path]);
}
