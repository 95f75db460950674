import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import type { HostPlan, PlanStep } from "../../../host-tuning/engine/host-plan.ts";
import { planHost } from "../../../host-tuning/engine/plan-host.ts";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import type { HostProfile } from "../../../host-tuning/profile/host-profile.ts";
import type { HostReport, ReportEntry } from "../../../host-tuning/report/host-report.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import type { HostRoot } from "../../helpers/host-root.ts";
import { RICH_KUBERNETES_PROFILE, RICH_PROFILE, createRichHost } from "../../helpers/rich-host.ts";
import { treeState } from "../engine/tree-state.ts";
import { forgetBooks, rollbackAll } from "./crash-host.ts";
import { type Fault, withFaults } from "./faulty-files.ts";

/** Faults come to a quarter of the settings at a time, so that the other three quarters show what a fault leaves alone. */
const GROUPS = 4;

const READ_FAULTS: readonly Fault[] = ["EIO", "EPERM", "EBUSY", "ENOENT"].map((errno) => ({
  at: "read",
  errno,
}));
const WRITE_FAULTS: readonly Fault[] = [
  ...["EIO", "EBUSY", "ERANGE", "EPERM", "EINVAL", "ENOENT"].map((errno): Fault => ({ at: "write", errno })),
  { at: "write", errno: "short" },
  { at: "write", errno: "ignored" },
];

function oneOfEachKind(faults: readonly Fault[]): Fault[] {
  return faults.filter(({ errno }) => ["EIO", "ENOENT", "short", "ignored"].includes(errno));
}

function pathsOf(step: PlanStep): string[] {
  return step.writes.flatMap((write) => ("path" in write ? [write.path] : []));
}

function fileSteps(plan: HostPlan): PlanStep[] {
  return plan.steps.filter(
    (step) =>
      step.action === "set" && step.writes.length > 0 && step.writes.every((write) => "path" in write),
  );
}

/** Another value that the knob takes, for settings that the profile leaves alone; `undefined` where none is easily made. */
function otherValue(step: PlanStep): string | number | boolean | undefined {
  const knob = KNOBS.find(({ id }) => id === step.knob);
  const { before } = step;
  const numbers = typeof before === "number" ? [before + 1, before - 1, before * 2, 0, 1] : [];
  const words =
    typeof before === "string" ? ["0", "1", "mq-deadline", "none", "performance", "never", "bbr"] : [];
  return [...numbers, ...words, true, false].find(
    (value) => String(value) !== String(before) && knob?.value.safeParse(value).success === true,
  );
}

/** The profile, with an override for everything that it would leave alone. */
function withOverrides(profile: HostProfile, plan: HostPlan): HostProfile {
  const overrides: HostProfile["overrides"] = { ...profile.overrides };
  for (const step of plan.steps) {
    if (step.action !== "left" && step.action !== "already-right") continue;
    const value = step.before === null ? undefined : otherValue(step);
    if (value !== undefined) overrides[step.knob] = { value, because: "to be written at all" };
  }
  return { ...profile, overrides };
}

describe.each([
  { name: "a latency service", base: RICH_PROFILE, least: 60, isEvery: true },
  // What the other profile does not write; one of each kind is enough for it.
  { name: "a Kubernetes node", base: RICH_KUBERNETES_PROFILE, least: 40, isEvery: false },
])("faults below the file layer, $name", ({ base, least, isEvery }) => {
  let host: HostRoot;
  let facts: HostFacts;
  let profile: HostProfile;
  let start: Record<string, string>;
  let steps: PlanStep[];
  let expected: Map<string, ReportEntry["outcome"]>;

  const plan = async (with_: HostProfile): Promise<HostPlan> =>
    await planHost({ host: openHost(host.root), facts, profile: with_, knobs: KNOBS, phase: "all" });

  const apply = async (faulty: ReadonlySet<string>, fault?: Fault): Promise<HostReport> =>
    await withFaults(host.root, faulty, fault, async () =>
      applyPlan({
        host: openHost(host.root),
        facts,
        profile,
        knobs: KNOBS,
        phase: "all",
        readFactsAgain: () => Promise.resolve(facts),
      }),
    );

  const rollback = async (faulty: ReadonlySet<string> = new Set(), fault?: Fault): Promise<HostReport> =>
    await withFaults(host.root, faulty, fault, async () => rollbackAll(host.root));

  vi.setConfig({ testTimeout: 180_000 });

  beforeAll(async () => {
    host = await createRichHost();
    facts = await readFacts(openHost(host.root));
    start = treeState(host.root);
    profile = withOverrides(base, await plan(base));
    steps = fileSteps(await plan(profile));
    const report = await apply(new Set());
    expected = new Map(report.entries.map((entry) => [entry.key, entry.outcome]));
    await rollback();
    expect(treeState(host.root)).toEqual(start);
  }, 120_000);

  afterAll(async () => {
    await host[Symbol.asyncDispose]();
  });

  /** Steps of a group and all others that write one of their files: what a fault there may touch. */
  function hitBy(group: number): { readonly paths: Set<string>; readonly keys: Set<string> } {
    const knobs = [...new Set(steps.map((step) => step.knob))].filter((_, index) => index % GROUPS === group);
    const paths = new Set(steps.filter((step) => knobs.includes(step.knob)).flatMap(pathsOf));
    const keys = new Set(
      steps.filter((step) => pathsOf(step).some((path) => paths.has(path))).map((step) => step.key),
    );
    return { paths, keys };
  }

  /**
   * Outcomes of what no fault was meant for. Settings that another one resets follow it, and one that has to read a
   * faulty file too says so; they are looked at in their own group.
   */
  function outcomesBeside(
    report: HostReport,
    { keys, paths }: ReturnType<typeof hitBy>,
  ): Record<string, string> {
    const hitKnobs = new Set(steps.filter((step) => keys.has(step.key)).map((step) => step.knob));
    const follows = (id: string): boolean => {
      const knob = KNOBS.find((candidate) => candidate.id === id);
      return [...(knob?.after ?? []), ...(knob?.rediscoverAfter ?? [])].some((other) => hitKnobs.has(other));
    };
    return Object.fromEntries(
      report.entries
        .filter((entry) => !keys.has(entry.key) && !follows(entry.knob) && expected.has(entry.key))
        .filter((entry) => ![...paths].some((path) => entry.because.startsWith(`Cannot read ${path}: `)))
        .map((entry) => [entry.key, entry.outcome]),
    );
  }

  function expectedOf(keys: readonly string[]): Record<string, string> {
    return Object.fromEntries(keys.map((key) => [key, expected.get(key) ?? "?"]));
  }

  afterEach(async () => {
    // A test that has failed leaves the next one the tree that it expects.
    await rollback();
    forgetBooks(host.root);
  });

  async function expectWayBack(): Promise<void> {
    const report = await rollback();
    expect(
      report.entries.filter((entry) => entry.outcome === "failed").map((entry) => entry.because),
    ).toEqual([]);
    expect(treeState(host.root)).toEqual(start);
    forgetBooks(host.root);
  }

  it("writes most of the registry's files", () => {
    expect(new Set(steps.map((step) => step.knob)).size).toBeGreaterThan(least);
  });

  it.each(isEvery ? WRITE_FAULTS : oneOfEachKind(WRITE_FAULTS))(
    "$errno at the $at: failed with the reason, the rest lands, all comes back",
    async (fault) => {
      for (let group = 0; group < GROUPS; group++) {
        const hit = hitBy(group);
        const { paths, keys } = hit;
        const report = await apply(paths, fault);
        for (const entry of report.entries.filter(({ key }) => keys.has(key))) {
          const step = steps.find(({ key }) => key === entry.key);
          const isStaged = step?.writes.some((write) => write.kind === "config-file") === true;
          // A configuration file that is taken in two halves is taken.
          if (isStaged && fault.errno === "short")
            expect(entry.outcome, entry.because).toBe(expected.get(entry.key));
          else {
            expect(entry.outcome, `${entry.key}: ${entry.because}`).toBe("failed");
            expect(entry.because, entry.key).toMatch(reasonOf(fault));
          }
        }
        const beside = outcomesBeside(report, hit);
        expect(beside).toEqual(expectedOf(Object.keys(beside)));
        await expectWayBack();
      }
    },
  );

  it.each(isEvery ? READ_FAULTS : oneOfEachKind(READ_FAULTS))(
    "$errno at the $at: nothing is written there, the rest lands, all comes back",
    async (fault) => {
      for (let group = 0; group < GROUPS; group++) {
        const hit = hitBy(group);
        const { paths, keys } = hit;
        const report = await apply(paths, fault);
        const wrong = report.entries
          .filter(({ key }) => keys.has(key))
          .filter((entry) => !isRightWithoutReading(entry, fault))
          .map((entry) => `${entry.key}: ${entry.outcome}: ${entry.because}`);
        expect(wrong).toEqual([]);
        if (fault.errno !== "ENOENT") expect(contentsOf(paths)).toEqual(contentsAtStart(paths));
        const beside = outcomesBeside(report, hit);
        expect(beside).toEqual(expectedOf(Object.keys(beside)));
        await expectWayBack();
      }
    },
  );

  it.each(isEvery ? ["EIO", "EBUSY"] : ["EIO"])(
    "%s at a rollback: told, kept in the journal, and put back by the next",
    async (errno) => {
      for (let group = 0; group < GROUPS; group++) {
        const { paths } = hitBy(group);
        await apply(new Set());
        const report = await rollback(paths, { at: "write", errno });
        const failed = report.entries.filter((entry) => entry.outcome === "failed");
        expect(failed.length).toBeGreaterThan(0);
        // A setting also puts back what its own write resets, so a file's fault may be told by another setting.
        for (const { because } of failed) {
          expect(
            [...paths].filter((path) => because.includes(`${path}: ${errno}`)),
            because,
          ).not.toEqual([]);
        }
        await expectWayBack();
      }
    },
  );

  function contentsAtStart(paths: ReadonlySet<string>): (string | undefined)[] {
    return [...paths].map((path) => start[realPathOf(path)]?.replace(/^\d+ /, ""));
  }

  function contentsOf(paths: ReadonlySet<string>): (string | undefined)[] {
    return [...paths].map((path) => {
      const full = join(host.root, path);
      return existsSync(full) ? readFileSync(full, "latin1") : undefined;
    });
  }

  function realPathOf(path: string): string {
    const full = join(host.root, path);
    return existsSync(full) ? realpathSync(full).slice(host.root.length) : path;
  }

  /** What cannot be read is failed and says which file; what is not there is unsupported, or a file still to be made. */
  function isRightWithoutReading(entry: ReportEntry, fault: Fault): boolean {
    const step = steps.find(({ key }) => key === entry.key);
    if (fault.errno !== "ENOENT") return entry.outcome === "failed" && entry.because.includes(fault.errno);
    if (step?.writes.some((write) => write.kind === "config-file") === true) return true;
    return (
      entry.outcome === "unsupported" || (entry.outcome === "failed" && /no such file/.test(entry.because))
    );
  }
});

function reasonOf(fault: Fault): RegExp {
  if (fault.errno === "ignored") return /^Cannot set .* (after the write|not there any more)/s;
  if (fault.errno === "short") return /^Cannot set .* the kernel took \d+ of \d+ bytes/s;
  return new RegExp(`^Cannot set .*${fault.errno}`, "s");
}
