import { agentVersion } from "../agent-version.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { API_VERSION } from "../profile/host-profile.ts";
import type { ConfirmationState, HostReport, ReportEntry } from "../report/host-report.ts";
import { countsOf } from "../report/report-counts.ts";
import type { PlanStep } from "./host-plan.ts";
import type { RebootDecision } from "./reboot-once.ts";
import type { Observer, RunContext } from "./run-context.ts";

/** An entry for a step as it stands before anything was done; the caller replaces what it found out. */
export function entryOf(step: PlanStep): ReportEntry {
  return {
    key: step.key,
    knob: step.knob,
    target: step.target,
    family: step.family,
    unit: step.unit,
    outcome: step.action === "set" ? "failed" : step.action,
    before: step.before === null ? null : step.beforeText,
    wanted: step.after === null ? null : step.afterText,
    found: step.before === null ? null : step.beforeText,
    isVerified: step.action === "already-right",
    isDrifted: false,
    because: step.because,
    takesEffect: step.takesEffect,
    survivesReboot: step.survivesReboot,
    namespace: step.namespace,
    alsoSetBy: step.alsoSetBy,
    durationMillis: 0,
  };
}

export interface ReportInput {
  readonly verb: HostReport["verb"];
  readonly run: RunContext;
  readonly phase: HostReport["phase"];
  readonly hostname: string | null;
  readonly kernelRelease: string | null;
  readonly planDigest: string | null;
  readonly entries: readonly ReportEntry[];
  readonly confirmations?: readonly ConfirmationState[];
  readonly reboot?: RebootDecision | undefined;
}

export function reportOf(input: ReportInput): HostReport {
  const { run, entries } = input;
  return {
    apiVersion: API_VERSION,
    kind: "HostReport",
    verb: input.verb,
    agentVersion,
    hostname: input.hostname,
    kernelRelease: input.kernelRelease,
    bootId: run.bootId,
    phase: input.phase,
    startedAt: run.startedAt,
    durationMillis: run.elapsedMillis(),
    phases: [...run.phases],
    planDigest: input.planDigest,
    ...countsOf(entries),
    entries: [...entries],
    ...(input.confirmations === undefined || input.confirmations.length === 0
      ? {}
      : { confirmations: [...input.confirmations] }),
    ...(run.network.length === 0 ? {} : { network: [...run.network] }),
    ...(input.reboot === undefined ? {} : { reboot: input.reboot }),
  };
}

/** Exit code that says what a report says. */
export function exitCodeOf(report: HostReport): ExitCode {
  if (report.counts.failed > 0 || report.network?.some(({ state }) => state === "lost") === true)
    return EXIT_CODE.failed;
  if (report.counts["needs-reboot"] > 0) return EXIT_CODE.rebootNeeded;
  if (report.entries.some(isOff)) return EXIT_CODE.drift;
  return EXIT_CODE.asWanted;
}

/** The host is not as wanted or not as we left it, and this run did not put it right. */
function isOff(entry: ReportEntry): boolean {
  return !entry.isVerified && (entry.isDrifted || (entry.outcome === "left" && entry.wanted !== null));
}

/** Says what became of changes that can cut the host off, and of a wish to reboot. */
export function announceConfirmations(
  confirmations: readonly ConfirmationState[],
  reboot: RebootDecision | undefined,
  observer: Observer | undefined,
): void {
  for (const { state, keys, deadline, because } of confirmations) {
    const until = state === "waiting" && deadline !== null ? ` (until ${deadline})` : "";
    observer?.onEvent?.({
      level: state === "confirmed" ? "info" : "warning",
      event: state,
      knob: keys.join(", "),
      because: because + until,
    });
  }
  if (reboot === undefined) return;
  const event = reboot.isAsked ? "reboot" : "no-reboot";
  observer?.onEvent?.({ level: "warning", event, because: reboot.because });
}

/** Says which interfaces a reset had cost their addresses. */
export function announceNetwork({ network }: RunContext, observer: Observer | undefined): void {
  for (const { device, state, because } of network) {
    const level = state === "lost" ? "error" : "warning";
    observer?.onEvent?.({ level, event: `address-${state}`, target: device, because });
  }
}

/** Says what became of one knob, where something became of it. */
export function announce(entry: ReportEntry, observer: Observer | undefined): void {
  if (entry.outcome === "already-right" && !entry.isDrifted) return;
  observer?.onEvent?.({
    level: entry.outcome === "failed" ? "error" : entry.isDrifted ? "warning" : "info",
    event: entry.outcome,
    knob: entry.knob,
    target: entry.target,
    before: entry.before,
    after: entry.found,
    because: entry.because,
    durationMillis: entry.durationMillis,
  });
}
