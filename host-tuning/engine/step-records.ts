import { createHash } from "node:crypto";
import type { ReportEntry } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import type { Attempt } from "./attempt.ts";
import { isOfThisBoot } from "./drift.ts";
import { type JournalRecord, type StepRecord, JOURNAL_VERSION } from "./journal-records.ts";
import { type JournalState, isGoneAfterReboot, touchedBy } from "./journal-state.ts";
import { captureOriginal, idOf, isInPlace } from "./originals.ts";
import type { Decision } from "./decision.ts";
import type { RunContext } from "./run-context.ts";
import { checkDestination } from "./write-guard.ts";

export interface SavingContext {
  readonly host: LiveHost;
  readonly state: JournalState;
  readonly run: RunContext;
  readonly planDigest: string;
  readonly profileDigest: string;
  /** Ids whose originals this run has saved already. */
  readonly saved: Set<string>;
  /** Pending groups that this run has begun. */
  readonly groups: string[];
}

/**
 * What the journal has to know before the first write. An attempt whose original cannot be saved fails here, and is not
 * written.
 *
 * @param bystanders decisions that write nothing, but whose knobs say that a write of another knob resets them
 */
export async function stepRecords(
  attempts: readonly Attempt[],
  bystanders: readonly Decision[],
  context: SavingContext,
): Promise<StepRecord[]> {
  const records: StepRecord[] = [];
  for (const attempt of attempts) {
    const { decision } = attempt;
    const touched = [...bystanders, ...attempts.map((other) => other.decision)].filter(
      (other) => other.knob.after?.includes(decision.knob.id) === true,
    );
    try {
      // Rollback goes backwards: the setting itself comes back before those that putting it back resets.
      const dependent = await Promise.all(touched.map(async (other) => await originalsOf(other, context)));
      const originals = [...dependent.flat(), ...(await originalsOf(decision, context))];
      for (const { id } of originals) context.saved.add(id);
      records.push(stepRecord(decision, originals, context));
    } catch (error) {
      attempt.error = error;
    }
  }
  return records;
}

async function originalsOf(decision: Decision, context: SavingContext): Promise<StepRecord["originals"]> {
  const { step, knob, target, before } = decision;
  const writes = step.action === "set" ? decision.writes : knob.writes(before, target, before);
  const originals: StepRecord["originals"] = [];
  for (const [index, write] of writes.entries()) {
    await checkDestination(context.host, write);
    const id = idOf(write, step.key, index);
    const known = context.state.originals.get(id);
    const isKnown =
      known !== undefined && (!isGoneAfterReboot(known.original) || known.bootId === context.run.bootId);
    if (isKnown || context.saved.has(id)) continue;
    originals.push({ id, original: captureOriginal(context.host, write) });
  }
  return originals;
}

function stepRecord(
  { step, writes }: Decision,
  originals: StepRecord["originals"],
  { run, planDigest, profileDigest }: SavingContext,
): StepRecord {
  return {
    ...recordBase(run),
    record: "step",
    planDigest,
    profileDigest,
    key: step.key,
    knob: step.knob,
    target: step.target,
    unit: step.unit,
    survivesReboot: step.survivesReboot,
    beforeText: step.beforeText,
    before: step.before,
    value: step.after,
    valueText: step.afterText,
    touches: writes.map((write, index) => ({
      id: idOf(write, step.key, index),
      ...(write.kind === "config-file" ? { sha256: sha256Of(write.text) } : {}),
    })),
    originals,
  };
}

export function recordBase(run: RunContext): Pick<StepRecord, "version" | "at" | "run" | "bootId"> {
  return { version: JOURNAL_VERSION, at: new Date().toISOString(), run: run.id, bootId: run.bootId };
}

export function outcomeRecords(entries: Iterable<ReportEntry>, run: RunContext): JournalRecord[] {
  return [...entries].map((entry) => outcomeRecord(entry.key, entry.outcome, entry.found ?? "", run));
}

/**
 * A run that was killed before it read back left steps without an outcome, and one that asked for a reboot left them
 * waiting: what is in force now settles them.
 */
export function settledRecords(
  state: JournalState,
  decisions: readonly Decision[],
  run: RunContext,
): JournalRecord[] {
  return decisions.flatMap((decision) => {
    const known = state.steps.get(decision.step.key);
    const isSettled = known?.outcome !== undefined && known.outcome.outcome !== "needs-reboot";
    const isOpen = known !== undefined && !isSettled && isOfThisBoot(known, run.bootId);
    if (!isOpen || decision.step.action !== "already-right") return [];
    return [outcomeRecord(decision.step.key, "changed", decision.step.beforeText, run)];
  });
}

/** Steps of another profile that this one asks for too, as they are. */
export function askedRecords(
  state: JournalState,
  decisions: readonly Decision[],
  { run, profileDigest }: Pick<SavingContext, "run" | "profileDigest">,
): JournalRecord[] {
  const keys = decisions.flatMap(({ step: { key, action } }) => {
    const known = state.steps.get(key);
    const isOthers = known !== undefined && known.askedBy !== profileDigest;
    return isOthers && (action === "already-right" || action === "needs-reboot") ? [key] : [];
  });
  return keys.length === 0 ? [] : [{ ...recordBase(run), record: "asked", profileDigest, keys }];
}

/** Originals that are back in place: put back by this run, or found there by it. Their steps are not ours any more. */
export function closingRecords(
  host: LiveHost,
  state: JournalState,
  { decisions, entries, run }: Closing,
): JournalRecord[] {
  const ids = decisions.flatMap((decision) => {
    const { step, putBack } = decision;
    if (putBack !== undefined && entries.get(step.key)?.isVerified === true) return putBack.closes;
    return step.action === "left" ? idsInPlace(host, state, decision, run) : [];
  });
  return ids.length === 0 ? [] : [{ ...recordBase(run), record: "restored", ids }];
}

interface Closing {
  readonly decisions: readonly Decision[];
  readonly entries: ReadonlyMap<string, ReportEntry>;
  readonly run: RunContext;
}

/** A run that put originals back was killed before it said so, or somebody else put them back. */
function idsInPlace(
  host: LiveHost,
  state: JournalState,
  { step, putBack }: Decision,
  run: RunContext,
): string[] {
  const known = state.steps.get(step.key);
  if (known === undefined || putBack !== undefined || !isOfThisBoot(known, run.bootId)) return [];
  if (step.beforeText !== known.base.beforeText) return [];
  const touched = [known.first, known.base, known.latest].flatMap((record) => [...touchedBy(record)]);
  const isOthers = (id: string): boolean =>
    [...state.steps.values()].some((other) => other !== known && touchedBy(other.latest).has(id));
  const mine = [...new Set(touched)].flatMap((id) => state.originals.get(id) ?? []);
  const isBack = mine.every(({ id, original }) => !isOthers(id) && isInPlace(host, original));
  return isBack ? mine.map(({ id }) => id) : [];
}

function outcomeRecord(
  key: string,
  outcome: ReportEntry["outcome"],
  foundText: string,
  run: RunContext,
): JournalRecord {
  return { ...recordBase(run), record: "outcome", key, outcome, foundText };
}

export function sha256Of(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
