import type { HostReport, ReportEntry } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { isDrifted } from "./drift.ts";
import { afterFutileReboot, keysRebootedFor, waitsForReboot } from "./futile-reboot.ts";
import { nameOf, quantityOf } from "./knob-values.ts";
import { readPast } from "./own-changes.ts";
import type { Decision } from "./decision.ts";
import { decideHost } from "./plan-host.ts";
import type { PlanInput } from "./plan-input.ts";
import { announce, entryOf, reportOf } from "./report-of.ts";
import { type Observer, type PhaseDuration, startRun } from "./run-context.ts";

export interface VerifyInput extends PlanInput {
  readonly host: LiveHost;
  readonly observer?: Observer;
  readonly earlier?: readonly PhaseDuration[];
}

/**
 * Re-reads every knob and says what is as wanted, what is not, and what somebody changed after us. Writes nothing and
 * needs no right to: without the journal it cannot say what drifted.
 *
 * @throws {TuningError} JOURNAL_CORRUPT
 */
export async function verifyHost(input: VerifyInput): Promise<HostReport> {
  const run = await startRun(input.host, input.earlier);
  const past = input.past ?? (await readPast(input.host));
  const { plan, decisions } = await run.timed("read", async () => await decideHost({ ...input, past }));
  const futile = await keysRebootedFor(input.host, decisions, past);
  const entries = await Promise.all(
    decisions.map(async (decision): Promise<ReportEntry> => {
      const isWaiting = await waitsForReboot(input.host, decision);
      const drifted = !isWaiting && past !== undefined && isDrifted(past.state, decision, run.bootId);
      const judged = judge(decision, isWaiting);
      return {
        ...(futile.has(judged.key) ? afterFutileReboot(judged) : judged),
        isDrifted: drifted,
      };
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
