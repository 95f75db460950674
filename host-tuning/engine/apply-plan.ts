import { messageOf } from "../errors.ts";
import type { Write } from "../knobs/knob.ts";
import type { ReportEntry, HostReport } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { withAgentLock } from "./agent-lock.ts";
import { isDrifted, isOfThisBoot } from "./drift.ts";
import type { HostPlan } from "./host-plan.ts";
import { type JournalRecord, type StepRecord, JOURNAL_VERSION } from "./journal-records.ts";
import { type JournalState, foldJournal, isGoneAfterReboot } from "./journal-state.ts";
import { JournalWriter, readJournal } from "./journal.ts";
import { isSame, isSatisfied, nameOf, quantityOf, textOf } from "./knob-values.ts";
import { captureOriginal, idOf, runOrThrow } from "./originals.ts";
import { type Decision, type PlanInput, decideHost } from "./plan-host.ts";
import { refuseIfStale } from "./plan-file.ts";
import { entryOf, reportOf } from "./report-of.ts";
import { type Observer, type PhaseDuration, type RunContext, roundMillis, startRun } from "./run-context.ts";
import { checkDestination } from "./write-guard.ts";

export interface ApplyInput extends PlanInput {
  readonly host: LiveHost;
  readonly observer?: Observer;
  /** A plan that was reviewed: apply only if a plan made now is the same. */
  readonly expected?: { readonly plan: HostPlan; readonly source: string };
  /** What ran before the engine (reading facts), for the report. */
  readonly earlier?: readonly PhaseDuration[];
}

/** One step on its way from decision to report. */
interface Attempt {
  readonly decision: Decision;
  /** The first thing that went wrong; the step is not written any further then. */
  error: unknown;
  millis: number;
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
    const run = await startRun(input.host, input.earlier);
    const { host } = input;
    const content = readJournal(host);
    const state = foldJournal(content.records);
    const { plan, decisions } = await run.timed("plan", async () => await decideHost(input));
    if (input.expected !== undefined) refuseIfStale(input.expected.plan, plan, input.expected.source);

    removeLeftovers(host, state);
    using journal = new JournalWriter(host, content);
    const attempts = decisions
      .filter((decision) => decision.step.action === "set")
      .map((decision): Attempt => ({ decision, error: undefined, millis: 0 }));
    await run.timed("save originals", async () => {
      journal.append(await stepRecords(host, state, attempts, { run, planDigest: plan.digest }));
      journal.sync();
    });
    await run.timed("write", async () => await writeSteps(host, attempts, input.observer));
    await run.timed("reload", async () => await runReloads(host, attempts));
    const changed = await run.timed("read back", async () => await readBack(host, attempts));

    const entries = decisions.map((decision): ReportEntry => {
      const entry = changed.get(decision.step.key) ?? entryOf(decision.step);
      return { ...entry, isDrifted: isDrifted(state, decision, run.bootId) };
    });
    await run.timed("record outcomes", async () => {
      journal.append([...outcomeRecords(changed, run), ...settledRecords(state, decisions, run)]);
      journal.sync();
      await Promise.resolve();
    });
    for (const entry of entries) announce(entry, input.observer);
    return reportOf({
      verb: "apply",
      run,
      phase: plan.phase,
      hostname: plan.hostname,
      kernelRelease: plan.kernelRelease,
      planDigest: plan.digest,
      entries,
    });
  });
}

/** Removes what a killed run left beside the files it was about to replace. */
export function removeLeftovers(host: LiveHost, state: JournalState): void {
  for (const { original } of state.originals.values()) {
    if (original.kind !== "tool") host.removeStaging(original.path);
  }
}

/** What the journal has to know before the first write. A step whose original cannot be saved is not done. */
async function stepRecords(
  host: LiveHost,
  state: JournalState,
  attempts: readonly Attempt[],
  context: { readonly run: RunContext; readonly planDigest: string },
): Promise<StepRecord[]> {
  const { run, planDigest } = context;
  const records: StepRecord[] = [];
  const saved = new Set<string>();
  for (const attempt of attempts) {
    const { step } = attempt.decision;
    try {
      const originals: StepRecord["originals"] = [];
      for (const [index, write] of attempt.decision.writes.entries()) {
        await checkDestination(host, write);
        const id = idOf(write, step.key, index);
        const known = state.originals.get(id);
        const isKnown =
          known !== undefined && (!isGoneAfterReboot(known.original) || known.bootId === run.bootId);
        if (!isKnown && !saved.has(id)) originals.push({ id, original: captureOriginal(host, write) });
      }
      for (const { id } of originals) saved.add(id);
      records.push({
        version: JOURNAL_VERSION,
        at: new Date().toISOString(),
        run: run.id,
        bootId: run.bootId,
        record: "step",
        planDigest,
        key: step.key,
        knob: step.knob,
        target: step.target,
        unit: step.unit,
        survivesReboot: step.survivesReboot,
        beforeText: step.beforeText,
        value: step.after,
        valueText: step.afterText,
        originals,
      });
    } catch (error) {
      attempt.error = error;
    }
  }
  return records;
}

async function writeSteps(
  host: LiveHost,
  attempts: readonly Attempt[],
  observer: Observer | undefined,
): Promise<void> {
  for (const [index, attempt] of attempts.entries()) {
    if (attempt.error !== undefined) continue;
    observer?.onProgress?.(index, attempts.length, attempt.decision.step.key);
    const fromMillis = performance.now();
    try {
      for (const write of attempt.decision.writes) await perform(host, write);
    } catch (error) {
      attempt.error = error;
    }
    attempt.millis += performance.now() - fromMillis;
  }
}

async function perform(host: LiveHost, write: Write): Promise<void> {
  switch (write.kind) {
    case "kernel-file":
      if (write.via !== undefined) await writeVia(host, write.path, write.via);
      await host.writeKernelFile(write.path, write.text);
      return;
    case "config-file":
      if ((await host.readText(write.path)) !== write.text)
        await host.writeConfigFile(write.path, write.text);
      return;
    case "tool":
      await runOrThrow(host, write.command);
  }
}

/** The value in between is needed only when it is not there already. */
async function writeVia(host: LiveHost, path: string, via: string): Promise<void> {
  if ((await host.readText(path))?.trim() !== via.trim()) await host.writeKernelFile(path, via);
}

/** Each distinct command once, after all files are there; one that fails is the failure of every step that needs it. */
async function runReloads(host: LiveHost, attempts: readonly Attempt[]): Promise<void> {
  // A captured tree has no daemon that could take notice.
  if (!host.isLive) return;
  const failures = new Map<string, unknown>();
  for (const attempt of attempts) {
    if (attempt.error !== undefined) continue;
    for (const write of attempt.decision.writes) {
      if (write.kind !== "config-file") continue;
      for (const command of write.reload ?? []) {
        const name = JSON.stringify(command);
        if (!failures.has(name))
          failures.set(name, await failureOf(async () => await runOrThrow(host, command)));
        attempt.error ??= failures.get(name);
      }
    }
  }
}

async function failureOf(work: () => Promise<void>): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
}

async function readBack(host: LiveHost, attempts: readonly Attempt[]): Promise<Map<string, ReportEntry>> {
  const entries = await Promise.all(
    attempts.map(async (attempt): Promise<[string, ReportEntry]> => {
      const fromMillis = performance.now();
      const judged = await judge(host, attempt);
      const durationMillis = roundMillis(attempt.millis + performance.now() - fromMillis);
      return [judged.key, { ...judged, durationMillis }];
    }),
  );
  return new Map(entries);
}

async function judge(host: LiveHost, attempt: Attempt): Promise<ReportEntry> {
  const { decision } = attempt;
  const { step, knob, target, after } = decision;
  const entry = entryOf(step);
  let found: unknown;
  try {
    found = await knob.read(host, target);
  } catch (error) {
    const because = `Cannot read ${nameOf(knob, target)} back: ${messageOf(error)}`;
    return { ...entry, outcome: "failed", found: null, isVerified: false, because };
  }
  const foundText = found === undefined ? null : textOf(knob, found);
  const isRight =
    found !== undefined && (step.isOverride ? isSame(knob, found, after) : isSatisfied(knob, found, after));
  if (isRight) {
    const despite = attempt.error === undefined ? "" : ` (in force although: ${messageOf(attempt.error)})`;
    return {
      ...entry,
      outcome: "changed",
      found: foundText,
      isVerified: true,
      because: step.because + despite,
    };
  }
  const wanted = `Cannot set ${nameOf(knob, target)} to ${quantityOf(knob, after)}`;
  if (attempt.error !== undefined) {
    const because = `${wanted}: ${messageOf(attempt.error)}`;
    return { ...entry, outcome: "failed", found: foundText, isVerified: false, because };
  }
  if (step.takesEffect === "reboot") {
    return { ...entry, outcome: "needs-reboot", found: foundText, isVerified: false, because: step.because };
  }
  const holds = foundText === null ? "it is not there any more" : `the host holds "${foundText}"`;
  const why = found === undefined ? undefined : knob.explainShortfall?.(after, found);
  const because = `${wanted}: ${holds} after the write${why === undefined ? "" : `; ${why}`}`;
  return { ...entry, outcome: "failed", found: foundText, isVerified: false, because };
}

function outcomeRecords(entries: ReadonlyMap<string, ReportEntry>, run: RunContext): JournalRecord[] {
  return [...entries.values()].map((entry) =>
    outcomeRecord(entry.key, entry.outcome, entry.found ?? "", run),
  );
}

/** A run that was killed before it read back left steps without an outcome: what is in force now settles them. */
function settledRecords(
  state: JournalState,
  decisions: readonly Decision[],
  run: RunContext,
): JournalRecord[] {
  return decisions.flatMap((decision) => {
    const known = state.steps.get(decision.step.key);
    const isOpen = known !== undefined && known.outcome === undefined && isOfThisBoot(known, run.bootId);
    if (!isOpen || decision.step.action !== "already-right") return [];
    return [outcomeRecord(decision.step.key, "changed", decision.step.beforeText, run)];
  });
}

function outcomeRecord(
  key: string,
  outcome: ReportEntry["outcome"],
  foundText: string,
  run: RunContext,
): JournalRecord {
  return {
    version: JOURNAL_VERSION,
    at: new Date().toISOString(),
    run: run.id,
    bootId: run.bootId,
    record: "outcome",
    key,
    outcome,
    foundText,
  };
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
