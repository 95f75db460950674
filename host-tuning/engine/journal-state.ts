import type {
  JournalRecord,
  Original,
  OutcomeRecord,
  PendingRecord,
  RebootRecord,
  SettledRecord,
  StepRecord,
  TrialRecord,
} from "./journal-records.ts";

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
  /** The first step whose `before` is the host's own value still: of this boot, where a reboot brings that back. */
  readonly base: StepRecord;
  /** Since when the latest value is wanted. */
  readonly sameSince: StepRecord;
  readonly latest: StepRecord;
  /** Digest of the last profile that asked for it. */
  readonly askedBy: string | undefined;
  /** How the latest step ended; `undefined` when the run was killed before it knew. */
  readonly outcome: OutcomeRecord | undefined;
}

/** Changes that nobody has confirmed yet. */
export interface PendingGroup {
  readonly record: PendingRecord;
  /** The boot that is to prove a group which took effect with it. */
  readonly trial: TrialRecord | undefined;
  /** The books as they were before the group. */
  readonly steps: ReadonlyMap<string, OutstandingStep | undefined>;
  readonly originals: ReadonlyMap<string, OutstandingOriginal | undefined>;
}

/** A value that was taken back because nobody confirmed it. */
export interface RefusedValue {
  readonly valueText: string;
  readonly profileDigest: string;
  /** Once only, by the end of its boot: it is tried again, and refused when that boot confirms it no more than this one. */
  readonly isSuspicion: boolean;
  readonly settled: SettledRecord;
}

export interface JournalState {
  readonly originals: ReadonlyMap<string, OutstandingOriginal>;
  readonly steps: ReadonlyMap<string, OutstandingStep>;
  /** By group, in the order of writing. */
  readonly pending: ReadonlyMap<string, PendingGroup>;
  /** By key of the step. */
  readonly refused: ReadonlyMap<string, RefusedValue>;
  /** By what they were for: the first reboot that was asked for each set of changes. */
  readonly reboots: ReadonlyMap<string, RebootRecord>;
}

/** A kernel value or a tool's setting is gone with a reboot; a configuration file stays. */
export function isGoneAfterReboot(original: Original): boolean {
  return original.kind === "kernel-file" || (original.kind === "tool" && original.survivesReboot !== true);
}

/** Everything that a step writes, and what its write resets. */
export function touchedBy(record: StepRecord): Set<string> {
  return new Set([...(record.touches ?? []), ...record.originals].map(({ id }) => id));
}

/**
 * Folds the records to what is outstanding.
 *
 * The first original of a thing stays until a rollback puts it back. For what does not outlive a reboot the first of
 * each boot counts: after a reboot the kernel's own value is there again, and an interrupt's number may be another
 * device's, so an original of an earlier boot is history and never written.
 */
export function foldJournal(records: readonly JournalRecord[]): JournalState {
  const books = new Books();
  for (const [sequence, record] of records.entries()) {
    switch (record.record) {
      case "step":
        books.addStep(record, sequence);
        break;
      case "outcome": {
        const step = books.steps.get(record.key);
        if (step !== undefined) books.steps.set(record.key, { ...step, outcome: record });
        break;
      }
      case "restored":
        for (const id of record.ids) books.originals.delete(id);
        books.dropRestoredSteps();
        break;
      case "pending":
        books.addPending(record);
        break;
      case "trial": {
        const group = books.pending.get(record.group);
        if (group !== undefined) books.pending.set(record.group, { ...group, trial: record });
        break;
      }
      case "settled":
        books.settle(record);
        break;
      case "asked":
        for (const key of record.keys) {
          const step = books.steps.get(key);
          if (step !== undefined) books.steps.set(key, { ...step, askedBy: record.profileDigest });
        }
        break;
      case "reboot":
        if (!books.reboots.has(record.changes)) books.reboots.set(record.changes, record);
    }
  }
  return books;
}

class Books implements JournalState {
  readonly originals = new Map<string, OutstandingOriginal>();
  readonly steps = new Map<string, OutstandingStep>();
  readonly pending = new Map<string, PendingGroup>();
  readonly refused = new Map<string, RefusedValue>();
  readonly reboots = new Map<string, RebootRecord>();

  addStep(record: StepRecord, sequence: number): void {
    const { key, bootId } = record;
    for (const { id, original } of record.originals) {
      const known = this.originals.get(id);
      if (known === undefined || (isGoneAfterReboot(original) && known.bootId !== bootId)) {
        this.originals.set(id, { id, original, key, bootId, sequence });
      }
    }
    const known = this.steps.get(key);
    const isSameBase = known !== undefined && (record.survivesReboot || known.latest.bootId === bootId);
    this.steps.set(key, {
      first: known?.first ?? record,
      base: isSameBase ? known.base : record,
      sameSince: known?.latest.valueText === record.valueText ? known.sameSince : record,
      latest: record,
      askedBy: record.profileDigest,
      outcome: undefined,
    });
  }

  /** A step stays as long as an original of it does, whichever of its runs saved that. */
  dropRestoredSteps(): void {
    const saving = new Set([...this.originals.values()].map(({ key }) => key));
    for (const [key, { first, base, latest }] of this.steps) {
      if (saving.has(key)) continue;
      const ids = [first, base, latest].flatMap((record) => [...touchedBy(record)]);
      if (!ids.some((id) => this.originals.has(id))) this.steps.delete(key);
    }
  }

  addPending(record: PendingRecord): void {
    this.pending.set(record.group, {
      record,
      trial: undefined,
      steps: new Map(record.keys.map((key) => [key, this.steps.get(key)])),
      originals: new Map(record.undo.map(({ id }) => [id, this.originals.get(id)])),
    });
  }

  settle(record: SettledRecord): void {
    for (const name of record.groups) {
      const group = this.pending.get(name);
      this.pending.delete(name);
      if (group === undefined) continue;
      if (record.how === "taken-back") {
        putBack(this.steps, group.steps);
        putBack(this.originals, group.originals);
      }
      if (record.how === "confirmed") for (const key of group.record.keys) this.refused.delete(key);
    }
    // A rollback of everything is a person's word, and a new start.
    if (record.how === "rolled-back") this.refused.clear();
    for (const { key, valueText, profileDigest, isSuspicion = false } of record.refused) {
      this.refused.set(key, { valueText, profileDigest, isSuspicion, settled: record });
    }
  }
}

function putBack<V>(books: Map<string, V>, before: ReadonlyMap<string, V | undefined>): void {
  for (const [key, value] of before) {
    if (value === undefined) books.delete(key);
    else books.set(key, value);
  }
}
