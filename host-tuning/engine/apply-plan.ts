import type { HostFacts } from "../facts/host-facts.ts";
import type { HostReport, ReportEntry } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { withAgentLock } from "./agent-lock.ts";
import { carryOut } from "./carry-out.ts";
import { compactJournal } from "./compact-journal.ts";
import { isDrifted } from "./drift.ts";
import type { HostPlan } from "./host-plan.ts";
import { type JournalState, foldJournal } from "./journal-state.ts";
import { JournalWriter, readJournal } from "./journal.ts";
import { type PlanInput, decideHost } from "./plan-host.ts";
import { refuseIfStale } from "./plan-file.ts";
import { announce, entryOf, reportOf } from "./report-of.ts";
import { type Observer, type PhaseDuration, startRun } from "./run-context.ts";
import { outcomeRecords, settledRecords } from "./step-records.ts";

export interface ApplyInput extends PlanInput {
  readonly host: LiveHost;
  readonly observer?: Observer;
  /** A plan that was reviewed: apply only if a plan made now is the same. */
  readonly expected?: { readonly plan: HostPlan; readonly source: string };
  /** Reads the facts anew once a write has changed what there is to tune; absent: from the host. */
  readonly readFactsAgain?: () => Promise<HostFacts>;
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
    const done = await carryOut(input, decisions, journal, context);
    const { changed } = done;

    const entries = done.decisions.map((decision): ReportEntry => {
      const entry = changed.get(decision.step.key) ?? entryOf(decision.step);
      return { ...entry, isDrifted: isDrifted(state, decision, run.bootId) };
    });
    journal.append([...outcomeRecords(changed.values(), run), ...settledRecords(state, done.decisions, run)]);
    journal.sync();
    for (const entry of entries) announce(entry, input.observer);
    const { phase, hostname, kernelRelease, digest } = plan;
    return reportOf({ verb: "apply", run, phase, hostname, kernelRelease, planDigest: digest, entries });
  });
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
