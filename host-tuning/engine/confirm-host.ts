import { API_VERSION } from "../profile/host-profile.ts";
import type { ConfirmationState } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { withAgentLock } from "./agent-lock.ts";
import { confirmGroups, stateOf } from "./confirm-changes.ts";
import { foldJournal } from "./journal-state.ts";
import { JournalWriter, readJournal } from "./journal.ts";
import { groupsAwaitingReboot, groupsOnTrial } from "./pending-changes.ts";
import { startRun } from "./run-context.ts";

/** What a person's word settled, and what no word can settle yet. */
export interface HostConfirmation {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: "HostConfirmation";
  readonly bootId: string | null;
  readonly confirmed: readonly ConfirmationState[];
  /** Boot changes that this boot does not have: only one with them can prove them. */
  readonly waiting: readonly ConfirmationState[];
}

/**
 * Takes a person's word that the host is well: what this boot had to prove stays.
 *
 * @throws {TuningError} AGENT_BUSY, JOURNAL_CORRUPT
 */
export async function confirmHost(host: LiveHost): Promise<HostConfirmation> {
  return await withAgentLock(host, "confirm", async () => {
    const run = await startRun(host);
    const content = readJournal(host);
    const state = foldJournal(content.records);
    const groups = groupsOnTrial(state, run.bootId);
    const because = "confirmed by hand";
    if (groups.length > 0) {
      using journal = new JournalWriter(host, content);
      await confirmGroups(groups, because, { host, journal, run });
    }
    return {
      apiVersion: API_VERSION,
      kind: "HostConfirmation",
      bootId: run.bootId,
      confirmed: groups.map((group) => stateOf(group, "confirmed", because)),
      waiting: groupsAwaitingReboot(state).map((group) =>
        stateOf(group, "waiting-for-reboot", "takes effect with the next reboot, which has to prove it"),
      ),
    };
  });
}
