import type { HostFacts } from "../facts/host-facts.ts";
import type { ConfirmationState, HostReport, ReportEntry } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { withAgentLock, withAgentLockSoon } from "./agent-lock.ts";
import { digestOf } from "./canonical-json.ts";
import { type CarriedOut, carryOut } from "./carry-out.ts";
import { compactJournal } from "./compact-journal.ts";
import { confirmIfReachable, startTrials } from "./confirm-changes.ts";
import { isDrifted } from "./drift.ts";
import { afterFutileReboot, keysRebootedFor } from "./futile-reboot.ts";
import type { HostPlan } from "./host-plan.ts";
import { type JournalState, foldJournal } from "./journal-state.ts";
import { keepingAddresses, patienceWithin } from "./keep-addresses.ts";
import { JournalWriter, readJournal } from "./journal.ts";
import { takeBackOverdue } from "./overdue.ts";
import type { Decision } from "./decision.ts";
import type { Confirmation } from "./pending-changes.ts";
import { decideHost } from "./plan-host.ts";
import type { PlanInput } from "./plan-input.ts";
import { refuseIfStale } from "./plan-file.ts";
import { announce, announceConfirmations, announceNetwork, entryOf, reportOf } from "./report-of.ts";
import { type RebootDecision, rebootForPending } from "./reboot-once.ts";
import { type Observer, type PhaseDuration, startRun } from "./run-context.ts";
import { askedRecords, closingRecords, outcomeRecords, settledRecords } from "./step-records.ts";

export interface ApplyInput extends PlanInput {
  readonly host: LiveHost;
  readonly observer?: Observer;
  /** A plan that was reviewed: apply only if a plan made now is the same. */
  readonly expected?: { readonly plan: HostPlan; readonly source: string };
  /** Reads the facts anew once a write has changed what there is to tune; absent: from the host. */
  readonly readFactsAgain?: () => Promise<HostFacts>;
  /** How changes that can cut a live host off are watched over; without it none of them is written there. */
  readonly confirmation?: Confirmation;
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
  // A unit's run comes once; a person can try again.
  const locked = input.phase === "all" ? withAgentLock : withAgentLockSoon;
  return await locked(input.host, "apply", async () => {
    const { host } = input;
    const run = await startRun(host, input.earlier);
    const takenBack = await takeBackOverdue(input, run);
    const content = compactJournal(host, readJournal(host));
    const state = foldJournal(content.records);
    const past = { state, bootId: run.bootId };
    const { plan, decisions } = await run.timed("plan", async () => await decideHost({ ...input, past }));
    if (input.expected !== undefined) refuseIfStale(input.expected.plan, plan, input.expected.source);

    removeLeftovers(host, state);
    using journal = new JournalWriter(host, content);
    await startTrials(input, state, { journal, run });
    const context = {
      host,
      state,
      run,
      planDigest: plan.digest,
      profileDigest: digestOf(plan.profile),
      saved: new Set<string>(),
      groups: [],
    };
    const futile = await keysRebootedFor(host, decisions, past);
    const carry = async (): Promise<CarriedOut> =>
      await carryOut({ ...input, past }, decisions, journal, context);
    const patience = patienceWithin(input.profile.confirm.timeoutSeconds);
    const done = await (decisions.some(mayCutOff) ? keepingAddresses(host, run, carry, patience) : carry());
    const { changed, reset } = done;

    const entries = done.decisions.map((decision): ReportEntry => {
      const { step } = decision;
      const entry = changed.get(step.key) ?? reset.get(step.key) ?? entryOf(step);
      const settled = futile.has(entry.key) ? afterFutileReboot(entry) : entry;
      return { ...settled, isDrifted: isDrifted(state, decision, run.bootId) };
    });
    journal.append([
      ...outcomeRecords(
        entries.filter(({ key }) => changed.has(key)),
        run,
      ),
      ...settledRecords(state, done.decisions, run),
      ...askedRecords(state, done.decisions, context),
      ...closingRecords(host, state, { decisions: done.decisions, entries: changed, run }),
    ]);
    journal.sync();
    const confirmations = [...takenBack, ...(await confirmIfReachable(input, { journal, run }))];
    const reboot = await rebootIfAsked(input, confirmations, { host, journal, run });
    for (const entry of entries) announce(entry, input.observer);
    announceConfirmations(confirmations, reboot, input.observer);
    announceNetwork(run, input.observer);
    const { phase, hostname, kernelRelease, digest } = plan;
    const base = { verb: "apply", run, phase, hostname, kernelRelease, planDigest: digest } as const;
    return reportOf({ ...base, entries, confirmations, reboot });
  });
}

/** Its write resets the NIC: what the network's manager has on it may be gone afterwards. */
function mayCutOff({ knob, step }: Decision): boolean {
  return knob.canCutOff === true && step.action === "set";
}

/** The late phase does it, when everything that can be confirmed is. */
async function rebootIfAsked(
  { profile, phase }: ApplyInput,
  confirmations: readonly ConfirmationState[],
  rebooting: Parameters<typeof rebootForPending>[1],
): Promise<RebootDecision | undefined> {
  if (profile.reboot === "never" || phase === "early" || !rebooting.host.isLive) return undefined;
  return await rebootForPending(confirmations, rebooting);
}

/** Removes what a killed run left beside the files it was about to replace. */
export function removeLeftovers(host: LiveHost, state: JournalState): void {
  for (const { original } of state.originals.values()) {
    if (original.kind === "tool") continue;
    if (original.kind === "boot-entries") {
      for (const { path } of original.before) host.removeStaging(path);
      continue;
    }
    host.removeStaging(original.path);
    if (original.kind === "kernel-file" && original.counterpart !== undefined) {
      host.removeStaging(original.counterpart.path);
    }
  }
}
