import { agentVersion } from "../agent-version.ts";
import { stepKey } from "../knobs/knob.ts";
import { API_VERSION } from "../profile/host-profile.ts";
import type { DriftEntry, DriftReport, Suspect } from "../report/drift-report.ts";
import type { HostReport, ReportEntry } from "../report/host-report.ts";
import { applyPlan } from "./apply-plan.ts";
import {
  type DriftState,
  MAX_HEALS,
  type Yielded,
  readDriftState,
  recentHeals,
  saveDriftState,
} from "./drift-state.ts";
import { readScene, readSuspects } from "./drift-suspects.ts";
import { type JournalState, type OutstandingStep, foldJournal } from "./journal-state.ts";
import { readJournal } from "./journal.ts";
import { type Observer, roundMillis } from "./run-context.ts";
import { type VerifyInput, verifyHost } from "./verify-host.ts";

/** What is known about one setting that somebody changed, before anything is done about it. */
interface Found {
  readonly entry: ReportEntry;
  readonly step: OutstandingStep;
  readonly lastGoodAt: string;
  readonly firstSeenAt: string;
  readonly suspects: readonly Suspect[];
}

/**
 * Verifies the host and says what somebody changed after Bedplate, since when and who; with the profile's policy `heal`
 * it puts those settings back, and nothing else. A setting that is changed again and again is left to whoever does:
 * after MAX_HEALS in an hour it is put back no more, until somebody runs apply.
 *
 * @throws {TuningError} JOURNAL_CORRUPT, HOST_WRITE when its own state cannot be kept
 */
export async function watchDrift(input: VerifyInput, now: Date = new Date()): Promise<DriftReport> {
  const { host, profile } = input;
  const fromMillis = performance.now();
  const earlierMillis = (input.earlier ?? []).reduce((sum, phase) => sum + phase.durationMillis, 0);
  const previous = await readDriftState(host);
  // The drift is told below, with since when and who; verify's own events would tell it twice.
  const { observer: _observer, ...silent } = input;
  const verified = await verifyHost(silent);
  const journal = foldJournal(readJournal(host).records);
  const found = await findDrift(input, verified, journal, previous, now);

  const heals = mapValues(previous?.heals ?? {}, (times) => recentHeals(times, now));
  const yielded = standingYields(previous?.yielded ?? {}, journal);
  const entries =
    profile.drift.policy === "heal"
      ? await healAll(input, found, heals, yielded, now)
      : found.map((one) => entryOf(one, "reported", "the profile's drift policy is to report"));
  for (const entry of entries) announce(entry, input.observer);

  const report: DriftReport = {
    apiVersion: API_VERSION,
    kind: "DriftReport",
    agentVersion,
    hostname: verified.hostname,
    bootId: verified.bootId,
    startedAt: now.toISOString(),
    durationMillis: roundMillis(earlierMillis + performance.now() - fromMillis),
    policy: profile.drift.policy,
    checked: journal.steps.size,
    drifted: entries.length,
    standing: entries.filter((entry) => entry.action !== "healed").length,
    entries,
  };
  await saveDriftState(host, { version: 1, heals, yielded, last: report });
  return report;
}

async function findDrift(
  input: VerifyInput,
  verified: HostReport,
  journal: JournalState,
  previous: DriftState | undefined,
  now: Date,
): Promise<Found[]> {
  const drifted = verified.entries.filter((entry) => entry.isDrifted && !entry.isVerified);
  if (drifted.length === 0) return [];
  const scene = await readScene(input.host, input.facts);
  const found = await Promise.all(
    drifted.map(async (entry): Promise<Found[]> => {
      const step = journal.steps.get(entry.key);
      const knob = input.knobs.find((candidate) => candidate.id === entry.knob);
      if (step === undefined || knob === undefined) return [];
      const { lastGoodAt, firstSeenAt } = timesOf(entry.key, step, previous, now, verified.bootId);
      const suspects = await readSuspects(scene, {
        knob,
        paths: pathsOf(entry.key, journal),
        found: entry.found,
        span: { fromMillis: Date.parse(lastGoodAt), toMillis: Date.parse(firstSeenAt) },
      });
      return [{ entry, step, lastGoodAt, firstSeenAt, suspects }];
    }),
  );
  return found.flat();
}

/** Since when: the last look that found it right, and the first that did not. */
function timesOf(
  key: string,
  step: OutstandingStep,
  previous: DriftState | undefined,
  now: Date,
  bootId: string | null,
): Pick<Found, "lastGoodAt" | "firstSeenAt"> {
  const last = previous?.last;
  const setAt = step.outcome?.at ?? step.latest.at;
  const known = last?.entries.find((entry) => entry.key === key);
  // What was set again since (by apply, or put back) is a new story.
  if (known !== undefined && known.action !== "healed" && known.firstSeenAt > setAt) {
    return { lastGoodAt: known.lastGoodAt, firstSeenAt: known.firstSeenAt };
  }
  const isSeenGood = last !== undefined && last.bootId === bootId && known === undefined;
  const lastGoodAt = isSeenGood && last.startedAt > setAt ? last.startedAt : setAt;
  // An apply that ended while this look was on its way: the look began before, and saw it after.
  const seenAt = now.toISOString();
  return { lastGoodAt, firstSeenAt: seenAt > lastGoodAt ? seenAt : lastGoodAt };
}

function pathsOf(key: string, journal: JournalState): string[] {
  return [...journal.originals.values()]
    .filter((outstanding) => outstanding.key === key)
    .flatMap(({ original }) =>
      original.kind === "tool" || original.kind === "boot-entries" ? [] : [original.path],
    );
}

/** A yield ends when somebody applied since: then the setting is wanted again. */
function standingYields(
  yielded: Readonly<Record<string, Yielded>>,
  journal: JournalState,
): Record<string, Yielded> {
  return Object.fromEntries(
    Object.entries(yielded).filter(([key, { at }]) => {
      const step = journal.steps.get(key);
      return step !== undefined && step.latest.at <= at;
    }),
  );
}

/** Puts back what may be put back; `heals` and `yielded` grow by what was done. */
async function healAll(
  input: VerifyInput,
  found: readonly Found[],
  heals: Record<string, string[]>,
  yielded: Record<string, Yielded>,
  now: Date,
): Promise<DriftEntry[]> {
  const kept = new Map<string, string>();
  for (const { entry, step, suspects } of found) {
    const why = whyNotHeal(entry, step, yielded[entry.key], heals[entry.key] ?? []);
    if (why === undefined) continue;
    if (why === FOUGHT) yielded[entry.key] = { at: now.toISOString(), to: opponentOf(suspects) };
    const owner = yielded[entry.key];
    kept.set(entry.key, owner === undefined ? why : yieldText(owner));
  }
  const chosen = new Set(found.map(({ entry }) => entry.key).filter((key) => !kept.has(key)));
  if (chosen.size === 0) return found.map((one) => entryOf(one, "not-healed", kept.get(one.entry.key) ?? ""));
  const applied = await applyPlan({
    ...input,
    isChosen: (knob, target) => chosen.has(stepKey(knob.id, target)),
  });
  return found.map((one) => {
    const { key } = one.entry;
    if (!chosen.has(key)) return entryOf(one, "not-healed", kept.get(key) ?? "");
    heals[key] = [...(heals[key] ?? []), now.toISOString()];
    const result = applied.entries.find((entry) => entry.key === key);
    return result?.isVerified === true
      ? entryOf(one, "healed", `put back to ${one.step.latest.valueText} and re-read`)
      : entryOf(one, "heal-failed", result?.because ?? "it was not there any more");
  });
}

const FOUGHT = "fought";

/** Why a setting is not put back; `undefined` when it may be. */
function whyNotHeal(
  entry: ReportEntry,
  step: OutstandingStep,
  yielded: Yielded | undefined,
  heals: readonly string[],
): string | undefined {
  if (yielded !== undefined) return yieldText(yielded);
  if (entry.wanted === null) return `the plan leaves it now: ${entry.because}`;
  if (entry.wanted !== step.latest.valueText) {
    return `the plan wants ${entry.wanted} now and not ${step.latest.valueText} again: run "bedplate apply"`;
  }
  return heals.length >= MAX_HEALS ? FOUGHT : undefined;
}

function yieldText({ at, to }: Yielded): string {
  return `put back ${MAX_HEALS} times within an hour and changed again; left to ${to} since ${at}, until "bedplate apply"`;
}

function opponentOf(suspects: readonly Suspect[]): string {
  return suspects[0]?.who ?? "somebody unknown";
}

function entryOf(found: Found, action: DriftEntry["action"], because: string): DriftEntry {
  const { entry, step, lastGoodAt, firstSeenAt, suspects } = found;
  const { key, knob, target, unit } = entry;
  const set = step.latest.valueText;
  return {
    key,
    knob,
    target,
    unit,
    set,
    found: entry.found,
    lastGoodAt,
    firstSeenAt,
    suspects: [...suspects],
    action,
    because,
  };
}

/** Who changed it, in one sentence. */
export function whoText(suspects: readonly Suspect[]): string {
  const [first] = suspects;
  if (first === undefined) return "unknown: nothing that is known to set it ran or was changed in that time";
  const surely = first.confidence === "certain" ? "" : `${first.confidence} `;
  return `${surely}${first.who}: ${first.evidence}`;
}

function announce(entry: DriftEntry, observer: Observer | undefined): void {
  observer?.onEvent?.({
    level: entry.action === "heal-failed" ? "error" : "warning",
    event: entry.action === "reported" ? "drifted" : `drift-${entry.action}`,
    knob: entry.knob,
    target: entry.target,
    before: entry.set,
    after: entry.found,
    because: `changed between ${entry.lastGoodAt} and ${entry.firstSeenAt}, by ${whoText(entry.suspects)}; ${entry.because}`,
  });
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
