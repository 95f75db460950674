import type { LiveHost } from "../sys/live-host.ts";
import { type JournalRecord, formatRecord } from "./journal-records.ts";
import { foldJournal } from "./journal-state.ts";
import { type JournalContent, JOURNAL_PATH, readJournal } from "./journal.ts";

/** From here on a journal is worth rewriting: some dozens of boots of a large host. */
export const COMPACT_ABOVE_BYTES = 1024 * 1024;

/** The records that still say something: same originals, same steps, without what later records have settled. */
export function compactRecords(records: readonly JournalRecord[]): JournalRecord[] {
  const state = foldJournal(records);
  // What is pending remembers the books before it: those few minutes the journal stays as it is.
  if (state.pending.size > 0) return [...records];
  const refusing = new Set([...state.refused.values()].map(({ settled }) => settled));
  return records.flatMap((record, sequence): JournalRecord[] => {
    switch (record.record) {
      case "step": {
        const step = state.steps.get(record.key);
        const originals = record.originals.filter(({ id }) => state.originals.get(id)?.sequence === sequence);
        const named = [step?.first, step?.base, step?.sameSince, step?.latest];
        return named.includes(record) || originals.length > 0 ? [{ ...record, originals }] : [];
      }
      case "outcome":
        return state.steps.get(record.key)?.outcome === record ? [record] : [];
      case "settled":
        return refusing.has(record)
          ? [
              {
                ...record,
                refused: record.refused.filter(({ key }) => state.refused.get(key)?.settled === record),
              },
            ]
          : [];
      case "reboot":
        return state.reboots.get(record.changes) === record ? [record] : [];
      case "asked": {
        const keys = record.keys.filter((key) => state.steps.get(key)?.askedBy === record.profileDigest);
        return keys.length === 0 ? [] : [{ ...record, keys }];
      }
      case "restored":
      case "pending":
      case "trial":
        return [];
    }
    return record satisfies never;
  });
}

/**
 * Rewrites a journal that has grown with every boot to what is outstanding, in one rename, and gives back what it holds.
 *
 * @throws {TuningError} HOST_WRITE; the journal is as it was then
 */
export function compactJournal(host: LiveHost, content: JournalContent): JournalContent {
  if (content.wholeBytes <= COMPACT_ABOVE_BYTES) return content;
  const text = compactRecords(content.records)
    .map((record) => formatRecord(record))
    .join("");
  // One that holds little else than what is outstanding would only be copied, at every run.
  if (text.length > content.wholeBytes / 2) return content;
  host.writeConfigBytes(JOURNAL_PATH, Buffer.from(text, "utf8"), { mode: 0o600, uid: 0, gid: 0 });
  return readJournal(host);
}
