import type { HostReport, ReportEntry } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { isDrifted } from "./drift.ts";
import { foldJournal } from "./journal-state.ts";
import { readJournal } from "./journal.ts";
import { nameOf, quantityOf } from "./knob-values.ts";
import { type Decision, type PlanInput, decideHost } from "./plan-host.ts";
import { announce, entryOf, reportOf } from "./report-of.ts";
import { type Observer, type PhaseDuration, startRun } from "./run-context.ts";

export interface VerifyInput extends PlanInput {
  readonly host: LiveHost;
  readonly observer?: Observer;
  readonly earlier?: readonly PhaseDuration[];
}

/**
 * Re-reads every knob and says what is as wanted, what is not, and what somebody changed after us. Writes nothing and
 * needs no right to.
 *
 * @throws {TuningError} JOURNAL_CORRUPT
 */
export async function verifyHost(input: VerifyInput): Promise<HostReport> {
  const run = await startRun(input.host, input.earlier);
  const state = foldJournal(readJournal(input.host).records);
  const { plan, decisions } = await run.timed("read", async () => await decideHost(input));
  const entries = await Promise.all(
    decisions.map(async (decision): Promise<ReportEntry> => {
      const isWaiting = await waitsForReboot(input.host, decision);
      const drifted = !isWaiting && isDrifted(state, decision, run.bootId);
      return { ...judge(decision, isWaiting), isDrifted: drifted };
    }),
  );
  for (const entry of entries) announce(entry, input.observer);
  return reportOf({
    verb: "verify",
    run,
    phase: plan.phase,
    hostname: plan.hostname,
    kernelRelease: plan.kernelRelease,
    planDigest: plan.digest,
    entries,
  });
}

function judge(decision: Decision, isWaiting: boolean): ReportEntry {
  const { step, knob, target, before, after } = decision;
  const entry = entryOf(step);
  if (step.action !== "set") return entry;
  if (isWaiting) return { ...entry, outcome: "needs-reboot" };
  const because = `${nameOf(knob, target)} is ${quantityOf(knob, before)}, wanted ${quantityOf(knob, after)}: ${step.because}`;
  return { ...entry, outcome: "left", because };
}

/** The configuration says it already, and the next boot brings it about. */
async function waitsForReboot(host: LiveHost, { step }: Decision): Promise<boolean> {
  if (step.action !== "set" || step.takesEffect !== "reboot") return false;
  for (const write of step.writes) {
    if (write.kind !== "config-file" || (await host.readText(write.path)) !== write.text) return false;
  }
  return true;
}
