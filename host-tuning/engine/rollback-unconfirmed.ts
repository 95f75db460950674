import type { HostReport } from "../report/host-report.ts";
import { withAgentLockSoon } from "./agent-lock.ts";
import { digestOf } from "./canonical-json.ts";
import { stateOf } from "./confirm-changes.ts";
import { foldJournal } from "./journal-state.ts";
import { JournalWriter, readJournal } from "./journal.ts";
import { groupsOnTrial, groupsOverdue } from "./pending-changes.ts";
import { type RebootDecision, rebootOnce } from "./reboot-once.ts";
import { announce, announceConfirmations, announceNetwork, reportOf } from "./report-of.ts";
import type { RollbackInput } from "./rollback-host.ts";
import { startRun } from "./run-context.ts";
import { takeBack } from "./take-back.ts";

/**
 * Puts back what nobody has confirmed, to what stood there just before, and nothing else. The dead-man timer runs this.
 * What waits for its reboot is not in force yet, and goes on waiting.
 *
 * @throws {TuningError} AGENT_BUSY, JOURNAL_CORRUPT
 */
export async function rollbackUnconfirmed(input: RollbackInput): Promise<HostReport> {
  const { host, knobs, observer, hostname, kernelRelease } = input;
  return await withAgentLockSoon(host, "rollback", async () => {
    const run = await startRun(host);
    const content = readJournal(host);
    const state = foldJournal(content.records);
    using journal = new JournalWriter(host, content);
    const groups = [...groupsOverdue(state, run.bootId), ...groupsOnTrial(state, run.bootId)];
    const because = "nobody confirmed it in time";
    const entries =
      groups.length === 0
        ? []
        : await run.timed(
            "take back",
            async () => await takeBack(groups, { host, knobs, state, journal, run, because }),
          );
    for (const entry of entries) announce(entry, observer);
    const hasFailed = entries.some(({ outcome }) => outcome === "failed");
    const confirmations = groups.map((group) =>
      stateOf(group, hasFailed ? "waiting" : "taken-back", because),
    );
    // The kernel still runs with what a boot had to prove: only another one is rid of it.
    const booted = groups.filter(({ record, trial }) => trial !== undefined && record.mayReboot);
    let reboot: RebootDecision | undefined;
    if (booted.length > 0 && !hasFailed && host.isLive) {
      const changes = digestOf(["taken back", ...booted.map(({ record }) => record.group)]);
      const keys = booted.flatMap(({ record }) => record.keys);
      reboot = await rebootOnce(state, { changes, keys }, { host, journal, run });
    }
    announceConfirmations(confirmations, reboot, observer);
    announceNetwork(run, observer);
    const base = { verb: "rollback", run, phase: "all", hostname, kernelRelease, planDigest: null } as const;
    return reportOf({ ...base, entries, confirmations, reboot });
  });
}
