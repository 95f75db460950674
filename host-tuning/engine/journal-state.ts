import type { JournalRecord, Original, OutcomeRecord, StepRecord } from "./journal-records.ts";

/** An original that is not back in place yet. */
export interface OutstandingOriginal {
  readonly id: string;
  readonly original: Original;
  /** Key of the step that saved it. */
  readonly key: string;
  readonly bootId: string | null;
  /** Grows with the order of saving; rollback goes the other way. */
  readonly sequence: number;
}

/** What Bedplate did to one knob on one target and has not taken back. */
export interface OutstandingStep {
  /** The first step since the last rollback: its `beforeText` is the value before us. */
  readonly first: StepRecord;
  readonly latest: StepRecord;
  /** How the latest step ended; `undefined` when the run was killed before it knew. */
  readonly outcome: OutcomeRecord | undefined;
}

export interface JournalState {
  readonly originals: ReadonlyMap<string, OutstandingOriginal>;
  readonly steps: ReadonlyMap<string, OutstandingStep>;
}

/** A kernel value or a tool's setting is gone with a reboot; a configuration file stays. */
export function isGoneAfterReboot(original: Original): boolean {
  return original.kind === "kernel-file" || (original.kind === "tool" && original.survivesReboot !== true);
}

/**
 * Folds the records to what is outstanding.
 *
 * The first original of a thing stays until a rollback puts it back. For what does not outlive a reboot the first of
 * each boot counts: after a reboot the kernel's own value is there again, and an interrupt's number may be another
 * device's, so an original of an earlier boot is history and never written.
 */
export function foldJournal(records: readonly JournalRecord[]): JournalState {
  const originals = new Map<string, OutstandingOriginal>();
  const steps = new Map<string, OutstandingStep>();
  for (const [sequence, record] of records.entries()) {
    switch (record.record) {
      case "step": {
        for (const { id, original } of record.originals) {
          const known = originals.get(id);
          const isFirst =
            known === undefined || (isGoneAfterReboot(original) && known.bootId !== record.bootId);
          if (isFirst) {
            originals.set(id, { id, original, key: record.key, bootId: record.bootId, sequence });
          }
        }
        const first = steps.get(record.key)?.first ?? record;
        steps.set(record.key, { first, latest: record, outcome: undefined });
        break;
      }
      case "outcome": {
        const step = steps.get(record.key);
        if (step !== undefined) steps.set(record.key, { ...step, outcome: record });
        break;
      }
      case "restored":
        for (const id of record.ids) originals.delete(id);
        dropRestoredSteps(steps, originals);
    }
  }
  return { originals, steps };
}

function dropRestoredSteps(
  steps: Map<string, OutstandingStep>,
  originals: ReadonlyMap<string, OutstandingOriginal>,
): void {
  const withOriginals = new Set([...originals.values()].map((outstanding) => outstanding.key));
  for (const key of steps.keys()) if (!withOriginals.has(key)) steps.delete(key);
}
