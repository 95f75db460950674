import { messageOf } from "../errors.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import type { HostReport, ReportEntry } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { withAgentLock } from "./agent-lock.ts";
import { removeLeftovers } from "./apply-plan.ts";
import { stopTimers } from "./dead-man-timer.ts";
import { goneWithDevice } from "./gone-device.ts";
import {
  type JournalState,
  type OutstandingOriginal,
  type OutstandingStep,
  foldJournal,
  isGoneAfterReboot,
} from "./journal-state.ts";
import { JournalWriter, readJournal } from "./journal.ts";
import { keepingAddresses } from "./keep-addresses.ts";
import { type Restoration, restoreOriginal } from "./originals.ts";
import { announce, announceNetwork, reportOf } from "./report-of.ts";
import { type Observer, type RunContext, roundMillis, startRun } from "./run-context.ts";
import { recordBase } from "./step-records.ts";
import { timersOf } from "./take-back.ts";
import { readNow } from "./value-now.ts";
import { Reloads } from "./write-steps.ts";

export interface RollbackInput {
  readonly host: LiveHost;
  /** For reading values back; a step whose knob is gone from the registry is put back all the same. */
  readonly knobs: readonly AnyKnob[];
  readonly hostname: string | null;
  readonly kernelRelease: string | null;
  readonly observer?: Observer;
}

interface Result {
  readonly outstanding: OutstandingOriginal;
  readonly restoration: Restoration | undefined;
  readonly error: unknown;
  readonly millis: number;
}

/**
 * Puts back everything the journal has, last change first, byte for byte, and re-reads it. What fails stays in the
 * journal, so that a rollback can be repeated.
 *
 * @throws {TuningError} AGENT_BUSY, JOURNAL_CORRUPT
 */
export async function rollbackHost(input: RollbackInput): Promise<HostReport> {
  const { host } = input;
  return await withAgentLock(host, "rollback", async () => {
    const run = await startRun(host);
    const content = readJournal(host);
    const state = foldJournal(content.records);
    removeLeftovers(host, state);
    using journal = new JournalWriter(host, content);
    const ordered = [...state.originals.values()].toReversed().toSorted((a, b) => b.sequence - a.sequence);
    const results: Result[] = [];
    const putBack = async (): Promise<void> =>
      await run.timed("restore", async () => {
        for (const [index, outstanding] of ordered.entries()) {
          input.observer?.onProgress?.(index, ordered.length, outstanding.key);
          const result = await restore(host, outstanding, run.bootId);
          results.push(await forgiven(input, result));
        }
      });
    const cutting = new Set(input.knobs.filter(({ canCutOff }) => canCutOff === true).map(({ id }) => id));
    const mayCutOff = [...state.steps.values()].some(({ latest }) => cutting.has(latest.knob));
    await (mayCutOff ? keepingAddresses(host, run, putBack) : putBack());
    const failedReloads = await run.timed("reload", async () => await runReloads(host, results));
    const entries = await run.timed(
      "read back",
      async () =>
        await Promise.all(
          [...state.steps.values()].map(async (step) => await entryFor(input, step, results, failedReloads)),
        ),
    );
    const ids = results
      .filter((result) => result.error === undefined && !failedReloads.has(result.outstanding.key))
      .map((result) => result.outstanding.id);
    journal.append(ids.length === 0 ? [] : [{ ...recordBase(run), record: "restored", ids }]);
    if (ids.length === results.length) await forgetPending(host, state, journal, run);
    journal.sync();
    for (const entry of entries) announce(entry, input.observer);
    announceNetwork(run, input.observer);
    const { hostname, kernelRelease } = input;
    return reportOf({
      verb: "rollback",
      run,
      phase: "all",
      hostname,
      kernelRelease,
      planDigest: null,
      entries,
    });
  });
}

/** Nothing is left that could be confirmed or taken back, and what was refused may be tried again. */
async function forgetPending(
  host: LiveHost,
  { pending, refused }: JournalState,
  journal: JournalWriter,
  run: RunContext,
): Promise<void> {
  if (pending.size === 0 && refused.size === 0) return;
  const base = { ...recordBase(run), record: "settled", how: "rolled-back" } as const;
  const groups = [...pending.keys()];
  journal.append([{ ...base, groups, because: "everything was rolled back", refused: [] }]);
  journal.sync();
  await stopTimers(host, timersOf([...pending.values()]));
}

async function forgiven({ host, knobs }: RollbackInput, result: Result): Promise<Result> {
  if (result.error === undefined) return result;
  const { id, original } = result.outstanding;
  const [, knobId, target] = /^tool:([^[]+)\[(.*)\]#\d+$/.exec(id) ?? [];
  const knob = knobs.find((candidate) => candidate.id === knobId);
  const restoration = await goneWithDevice(host, original, knob, target);
  return restoration === undefined ? result : { ...result, error: undefined, restoration };
}

async function restore(
  host: LiveHost,
  outstanding: OutstandingOriginal,
  bootId: string | null,
): Promise<Result> {
  const fromMillis = performance.now();
  const millis = (): number => performance.now() - fromMillis;
  try {
    if (isGoneAfterReboot(outstanding.original) && outstanding.bootId !== bootId) {
      const because = "set before the last reboot and not since; the kernel started with its own value";
      return {
        outstanding,
        restoration: { kind: "already-there", because },
        error: undefined,
        millis: millis(),
      };
    }
    const restoration = await restoreOriginal(host, outstanding.original);
    return { outstanding, restoration, error: undefined, millis: millis() };
  } catch (error) {
    return { outstanding, restoration: undefined, error, millis: millis() };
  }
}

/** Returns the errors by the key of the step that needs the command. */
async function runReloads(host: LiveHost, results: readonly Result[]): Promise<Map<string, unknown>> {
  const failed = new Map<string, unknown>();
  const reloads = new Reloads(host);
  for (const { outstanding, error } of results) {
    if (outstanding.original.kind !== "config-file" || error !== undefined) continue;
    const failure = await reloads.run(outstanding.original.reload);
    if (failure !== undefined) failed.set(outstanding.key, failure);
  }
  return failed;
}

async function entryFor(
  input: RollbackInput,
  step: OutstandingStep,
  results: readonly Result[],
  failedReloads: ReadonlyMap<string, unknown>,
): Promise<ReportEntry> {
  const { first, latest } = step;
  const mine = results.filter((result) => result.outstanding.key === latest.key);
  const knob = input.knobs.find((candidate) => candidate.id === latest.knob);
  const found = await readNow(input.host, knob, latest.target);
  const error = mine.find((result) => result.error !== undefined)?.error ?? failedReloads.get(latest.key);
  const isChanged = mine.some((result) => result.restoration?.kind === "restored");
  const isRunning = knob?.takesEffect === "reboot" && found !== null && found !== first.beforeText;
  const outcome =
    error !== undefined ? "failed" : isRunning ? "needs-reboot" : isChanged ? "changed" : "already-right";
  const because =
    error === undefined
      ? mine.map((result) => result.restoration?.because ?? "").join("; ")
      : `Cannot put ${latest.key} back: ${messageOf(error)}`;
  return {
    key: latest.key,
    knob: latest.knob,
    target: latest.target,
    family: knob?.family ?? "unknown",
    unit: latest.unit,
    outcome,
    before: latest.valueText,
    wanted: first.beforeText,
    found,
    isVerified: error === undefined,
    isDrifted: false,
    because,
    takesEffect: knob?.takesEffect ?? "now",
    survivesReboot: latest.survivesReboot,
    namespace: knob?.scope === "netns" ? "host" : null,
    alsoSetBy: [],
    durationMillis: roundMillis(mine.reduce((sum, result) => sum + result.millis, 0)),
  };
}
