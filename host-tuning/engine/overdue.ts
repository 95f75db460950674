import type { ConfirmationState } from "../report/host-report.ts";
import type { ApplyInput } from "./apply-plan.ts";
import { stateOf } from "./confirm-changes.ts";
import { type PendingGroup, foldJournal } from "./journal-state.ts";
import { JournalWriter, readJournal } from "./journal.ts";
import { deadlineOf, groupsOnTrial, groupsOverdue } from "./pending-changes.ts";
import { announce } from "./report-of.ts";
import type { RunContext } from "./run-context.ts";
import { takeBack } from "./take-back.ts";

/**
 * Takes back what an earlier boot left unconfirmed, and what this one did not confirm in time and no timer took back.
 * The first thing an apply does: the early unit is the first of a boot that can.
 *
 * @throws {TuningError} JOURNAL_CORRUPT
 */
export async function takeBackOverdue(
  { host, knobs, observer }: Pick<ApplyInput, "host" | "knobs" | "observer">,
  run: RunContext,
): Promise<ConfirmationState[]> {
  const content = readJournal(host);
  const state = foldJournal(content.records);
  const overdue = [
    ...groupsOverdue(state, run.bootId),
    ...groupsOnTrial(state, run.bootId).filter((group) => isPast(deadlineOf(group))),
  ];
  if (overdue.length === 0) return [];
  using journal = new JournalWriter(host, content);
  const because = whyOverdue(overdue, run.bootId);
  const entries = await run.timed(
    "take back",
    async () => await takeBack(overdue, { host, knobs, state, journal, run, because }),
  );
  for (const entry of entries) announce(entry, observer);
  const hasFailed = entries.some(({ outcome }) => outcome === "failed");
  const told = hasFailed ? entries.map((entry) => entry.because).join("; ") : because;
  return overdue.map((group) => stateOf(group, hasFailed ? "waiting" : "taken-back", told));
}

/** Why nobody can confirm them any more. */
function whyOverdue(groups: readonly PendingGroup[], bootId: string | null): string {
  const boots = new Set(groups.map(({ record, trial }) => (trial ?? record).bootId));
  const ended = [...boots].filter((boot) => boot !== bootId).map((boot) => boot?.slice(0, 8) ?? "unknown");
  if (ended.length > 0) return `boot ${ended.join(", ")} ended before it was confirmed`;
  const [last = "its deadline"] = groups
    .flatMap((group) => deadlineOf(group) ?? [])
    .toSorted()
    .toReversed();
  return `no confirmation by ${last.replace(/\.\d+Z$/, "Z")}`;
}

function isPast(deadline: string | null): boolean {
  return deadline !== null && Date.parse(deadline) < Date.now();
}
