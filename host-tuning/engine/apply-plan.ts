import type { HostReport, ReportEntry } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { withAgentLock } from "./agent-lock.ts";
import { attemptsFor } from "./attempt.ts";
import { compactJournal } from "./compact-journal.ts";
import { isDrifted } from "./drift.ts";
import type { HostPlan } from "./host-plan.ts";
import { type JournalState, foldJournal } from "./journal-state.ts";
import { JournalWriter, readJournal } from "./journal.ts";
import { type Decision, type PlanInput, decideAgain, decideHost } from "./plan-host.ts";
import { refuseIfStale } from "./plan-file.ts";
import { readBack } from "./read-back.ts";
import { announce, entryOf, reportOf } from "./report-of.ts";
import { type Observer, type PhaseDuration, startRun } from "./run-context.ts";
import { type SavingContext, outcomeRecords, settledRecords, stepRecords } from "./step-records.ts";
import { reloadAfter, writeSteps } from "./write-steps.ts";

export interface ApplyInput extends PlanInput {
  readonly host: LiveHost;
  readonly observer?: Observer;
  /** A plan that was reviewed: apply only if a plan made now is the same. */
  readonly expected?: { readonly plan: HostPlan; readonly source: string };
  /** What ran before the engine (reading facts), for the report. */
  readonly earlier?: readonly PhaseDuration[];
}

/**
 * Brings a host to its plan: saves originals durably, writes, lets daemons reload, reads every value back.
 *
 * A knob that fails never stops the others; what the report calls changed was re-read from the host. Killed at any
 * point, each knob is as it was before or as planned, and the journal knows what was there.
 *
 * @throws {TuningError} AGENT_BUSY, JOURNAL_CORRUPT, PLAN_STALE, or HOST_WRITE when the journal cannot be written:
 *   in each case nothing was changed
 */
export async function applyPlan(input: ApplyInput): Promise<HostReport> {
  return await withAgentLock(input.host, "apply", async () => {
    const { host } = input;
    const run = await startRun(host, input.earlier);
    const content = compactJournal(host, readJournal(host));
    const state = foldJournal(content.records);
    const { plan, decisions } = await run.timed("plan", async () => await decideHost(input));
    if (input.expected !== undefined) refuseIfStale(input.expected.plan, plan, input.expected.source);

    removeLeftovers(host, state);
    using journal = new JournalWriter(host, content);
    const context = { host, state, run, planDigest: plan.digest, saved: new Set<string>() };
    const changed = await carryOut(input, decisions, journal, context);

    const entries = decisions.map((decision): ReportEntry => {
      const entry = changed.get(decision.step.key) ?? entryOf(decision.step);
      return { ...entry, isDrifted: isDrifted(state, decision, run.bootId) };
    });
    journal.append([...outcomeRecords(changed.values(), run), ...settledRecords(state, decisions, run)]);
    journal.sync();
    for (const entry of entries) announce(entry, input.observer);
    const { phase, hostname, kernelRelease, digest } = plan;
    return reportOf({ verb: "apply", run, phase, hostname, kernelRelease, planDigest: digest, entries });
  });
}

/**
 * Does what was decided, in two rounds: the second is for settings that looked right and that a write of the first has
 * reset (a disk's scheduler resets its queue length).
 */
async function carryOut(
  input: ApplyInput,
  decisions: readonly Decision[],
  journal: JournalWriter,
  context: SavingContext,
): Promise<Map<string, ReportEntry>> {
  const bystanders = bystandersOf(decisions);
  const first = await carryOutRound(input, decisions, bystanders, { journal, context });
  if (bystanders.length === 0) return first;
  const again = await Promise.all(bystanders.map(async (decision) => await decideAgain(decision, input)));
  const second = await carryOutRound(input, again, [], { journal, context });
  const planned = new Map(bystanders.map(({ step }) => [step.key, entryOf(step)]));
  const secondAsPlanned = [...second].map(([key, entry]): [string, ReportEntry] => {
    // For people the value before this run counts, not what it was in between.
    const before = planned.get(key)?.before ?? entry.before;
    const isBack = entry.isVerified && entry.found === before;
    return [key, { ...entry, before, outcome: isBack ? "already-right" : entry.outcome }];
  });
  return new Map([...first, ...secondAsPlanned]);
}

/** Settings that nothing is to be written to, but that a write of this plan may reset. */
function bystandersOf(decisions: readonly Decision[]): Decision[] {
  const writing = new Set(
    decisions.filter(({ step }) => step.action === "set").map((decision) => decision.knob.id),
  );
  return decisions.filter(
    ({ step, knob, before }) =>
      step.action !== "set" && before !== undefined && knob.after?.some((id) => writing.has(id)) === true,
  );
}

async function carryOutRound(
  { host, observer }: ApplyInput,
  decisions: readonly Decision[],
  bystanders: readonly Decision[],
  { journal, context }: { readonly journal: JournalWriter; readonly context: SavingContext },
): Promise<Map<string, ReportEntry>> {
  const { run } = context;
  const attempts = attemptsFor(decisions);
  if (attempts.length === 0) return new Map();
  await run.timed("save originals", async () => {
    journal.append(await stepRecords(attempts, bystanders, context));
    journal.sync();
  });
  await run.timed("write", async () => await writeSteps(host, attempts, observer));
  await run.timed("reload", async () => await reloadAfter(host, attempts));
  return await run.timed("read back", async () => await readBack(host, attempts));
}

/** Removes what a killed run left beside the files it was about to replace. */
export function removeLeftovers(host: LiveHost, state: JournalState): void {
  for (const { original } of state.originals.values()) {
    if (original.kind === "tool") continue;
    host.removeStaging(original.path);
    if (original.kind === "kernel-file" && original.counterpart !== undefined) {
      host.removeStaging(original.counterpart.path);
    }
  }
}
