import { messageOf } from "../errors.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import type { ReportEntry } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { stopTimers } from "./dead-man-timer.ts";
import { goneWithDevice } from "./gone-device.ts";
import type { SettledRecord } from "./journal-records.ts";
import { type JournalState, type PendingGroup, isGoneAfterReboot } from "./journal-state.ts";
import type { JournalWriter } from "./journal.ts";
import { keepingAddresses } from "./keep-addresses.ts";
import { restoreOriginal } from "./originals.ts";
import { type RunContext, roundMillis } from "./run-context.ts";
import { recordBase } from "./step-records.ts";
import { readNow } from "./value-now.ts";
import { Reloads } from "./write-steps.ts";

export interface TakingBack {
  readonly host: LiveHost;
  readonly knobs: readonly AnyKnob[];
  readonly state: JournalState;
  readonly journal: JournalWriter;
  readonly run: RunContext;
  /** Why they were not confirmed, for who asks later. */
  readonly because: string;
}

interface Undone {
  readonly key: string;
  readonly hasWritten: boolean;
  readonly because: string;
  readonly error: unknown;
}

/**
 * Puts everything that these groups wrote back to what it was just before, the last write first, and re-reads it. When
 * anything fails, the groups stay pending, so that it can be tried again.
 */
export async function takeBack(
  groups: readonly PendingGroup[],
  context: TakingBack,
): Promise<readonly ReportEntry[]> {
  const { host, journal, run, state } = context;
  const fromMillis = performance.now();
  const latestFirst = [...groups].toReversed();
  const undone: Undone[] = [];
  const reloads = new Reloads(host);
  // Only what can cut the host off is ever taken back so: a NIC that was reset is reset again.
  await keepingAddresses(host, run, async () => {
    for (const group of latestFirst) undone.push(...(await undoGroup(group, context, reloads)));
  });
  const durationMillis = roundMillis(performance.now() - fromMillis);
  const entries: ReportEntry[] = [];
  for (const key of new Set(latestFirst.flatMap(({ record }) => record.keys))) {
    const mine = undone.filter((one) => one.key === key);
    entries.push({ ...(await entryFor(key, mine, context)), durationMillis });
  }
  if (undone.every(({ error }) => error === undefined)) {
    journal.append([settlement(latestFirst, undone, { run, state, because: context.because })]);
    journal.sync();
    await stopTimers(host, timersOf(groups));
  }
  return entries;
}

async function undoGroup(
  { record, trial }: PendingGroup,
  { host, knobs, state, run }: TakingBack,
  reloads: Reloads,
): Promise<Undone[]> {
  const undone: Undone[] = [];
  for (const { key, original } of record.undo.toReversed()) {
    if (isGoneAfterReboot(original) && record.bootId !== run.bootId) {
      const because = "gone with the reboot; the kernel started with its own value";
      undone.push({ key, hasWritten: false, because, error: undefined });
      continue;
    }
    try {
      const { kind, because } = await restoreOriginal(host, original);
      const failure = original.kind === "config-file" ? await reloads.run(original.reload) : undefined;
      const still = trial === undefined ? "" : "; the running kernel has it until the next reboot";
      undone.push({ key, hasWritten: kind === "restored", because: because + still, error: failure });
    } catch (error) {
      const step = state.steps.get(key)?.latest;
      const knob = knobs.find(({ id }) => id === step?.knob);
      const gone = await goneWithDevice(host, original, knob, step?.target);
      undone.push({
        key,
        hasWritten: false,
        because: gone?.because ?? "",
        error: gone === undefined ? error : undefined,
      });
    }
  }
  return undone;
}

/**
 * Refused from now on is what was really tried: something had to be put back, or the run had read it back, or the boot
 * in which it was written ended before anybody could say how far it came. That last is only a suspicion the first time.
 */
function settlement(
  latestFirst: readonly PendingGroup[],
  undone: readonly Undone[],
  { run, state, because }: Pick<TakingBack, "run" | "state" | "because">,
): SettledRecord {
  const refused = latestFirst.flatMap(({ record }) =>
    record.keys.flatMap((key) => {
      const step = state.steps.get(key);
      const wasTried =
        record.bootId !== run.bootId ||
        (step !== undefined && step.latest.run === record.run && step.outcome !== undefined) ||
        undone.some((one) => one.key === key && one.hasWritten);
      if (step === undefined || !wasTried) return [];
      const { profileDigest } = record;
      const { valueText } = step.latest;
      const before = state.refused.get(key);
      const isKnown = before?.valueText === valueText && before.profileDigest === profileDigest;
      // A boot of somebody who reboots at once looks the same; a second one is no accident.
      const isSuspicion = record.takesEffect === "now" && record.bootId !== run.bootId && !isKnown;
      return [{ key, valueText, profileDigest, ...(isSuspicion ? { isSuspicion } : {}) }];
    }),
  );
  return {
    ...recordBase(run),
    record: "settled",
    how: "taken-back",
    groups: latestFirst.map(({ record }) => record.group),
    because,
    refused,
  };
}

export function timersOf(groups: readonly PendingGroup[]): string[] {
  return groups.flatMap(({ record, trial }) =>
    [record.timer, trial?.timer].filter((timer) => timer !== null && timer !== undefined),
  );
}

async function entryFor(
  key: string,
  undone: readonly Undone[],
  { host, knobs, state, because: why }: TakingBack,
): Promise<Omit<ReportEntry, "durationMillis">> {
  const step = state.steps.get(key)?.latest;
  const knob = knobs.find(({ id }) => id === step?.knob);
  const target = step?.target ?? "";
  const error = undone.find((one) => one.error !== undefined)?.error;
  const isChanged = undone.some(({ hasWritten }) => hasWritten);
  const told = [...new Set(undone.map(({ because }) => because).filter((text) => text !== ""))].join("; ");
  return {
    key,
    knob: step?.knob ?? key,
    target,
    family: knob?.family ?? "unknown",
    unit: step?.unit ?? "text",
    outcome: error !== undefined ? "failed" : isChanged ? "changed" : "already-right",
    before: step?.valueText ?? null,
    wanted: step?.beforeText ?? null,
    found: await readNow(host, knob, target),
    isVerified: error === undefined,
    isDrifted: false,
    because:
      error === undefined
        ? `taken back, ${why}: ${told}`
        : `Cannot take ${key} back: ${messageOf(error)} (${why})`,
    takesEffect: knob?.takesEffect ?? "now",
    survivesReboot: step?.survivesReboot ?? false,
    namespace: knob?.scope === "netns" ? "host" : null,
    alsoSetBy: [],
  };
}
