import { LATE_UNIT } from "../boot/paths.ts";
import type { ConfirmationState } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { digestOf } from "./canonical-json.ts";
import { type JournalState, type OutstandingStep, foldJournal } from "./journal-state.ts";
import { type JournalWriter, readJournal } from "./journal.ts";
import type { RunContext } from "./run-context.ts";
import { recordBase } from "./step-records.ts";

/** What became of a wish to reboot, for people. */
export interface RebootDecision {
  readonly isAsked: boolean;
  readonly because: string;
}

interface Rebooting {
  readonly host: LiveHost;
  readonly journal: JournalWriter;
  readonly run: RunContext;
}

/**
 * Asks for the one reboot that pending changes wait for. Never while a change is unconfirmed, and never twice for the
 * same changes: a host that comes back without them would go round for ever.
 *
 * @returns `undefined` when nothing waits for a reboot
 */
export async function rebootForPending(
  confirmations: readonly ConfirmationState[],
  rebooting: Rebooting,
): Promise<RebootDecision | undefined> {
  const state = foldJournal(readJournal(rebooting.host).records);
  const waiting = stepsThatWait(state, rebooting.run.bootId);
  if (waiting.length === 0) return undefined;
  const unconfirmed = confirmations.find((one) => one.state === "waiting");
  if (unconfirmed !== undefined) {
    return { isAsked: false, because: `not while ${unconfirmed.keys.join(", ")} is unconfirmed` };
  }
  const changes = digestOf(Object.fromEntries(waiting.map(({ latest }) => [latest.key, latest.valueText])));
  const keys = waiting.map(({ latest }) => latest.key);
  return await rebootOnce(state, { changes, keys }, rebooting);
}

/** Written in this boot, and in force only after the next start. */
function stepsThatWait(state: JournalState, bootId: string | null): OutstandingStep[] {
  return [...state.steps.values()].filter(
    ({ outcome }) => outcome?.outcome === "needs-reboot" && outcome.bootId === bootId,
  );
}

export async function rebootOnce(
  state: JournalState,
  { changes, keys }: { readonly changes: string; readonly keys: readonly string[] },
  { host, journal, run }: Rebooting,
): Promise<RebootDecision> {
  const earlier = state.reboots.get(changes);
  if (earlier !== undefined) {
    return { isAsked: false, because: `this host was asked to reboot for the same on ${earlier.at} already` };
  }
  if (!(await host.exists("/run/systemd/system"))) {
    return { isAsked: false, because: "systemd does not run here" };
  }
  journal.append([{ ...recordBase(run), record: "reboot", changes, keys: [...keys] }]);
  journal.sync();
  const result = await host.runTool("systemd-run", rebootArguments(run.id.slice(0, 8)));
  if (result?.exitCode === 0) return { isAsked: true, because: `for ${keys.join(", ")}` };
  return { isAsked: false, because: result?.stderr.trim() ?? "systemd-run is not installed" };
}

/**
 * A unit of its own, because the agent's may not reboot (CAP_SYS_BOOT), and ordered after whatever is at work: the
 * agent's late unit, which has yet to save its report, and cloud-init's last step, which would not be repeated.
 */
function rebootArguments(name: string): string[] {
  return [
    "--quiet",
    "--collect",
    "--no-block",
    `--unit=bedplate-reboot-${name}`,
    "--description=Bedplate reboots once for changes that need it",
    `--property=After=${LATE_UNIT} cloud-final.service`,
    "--property=SyslogIdentifier=bedplate",
    "--",
    "systemctl",
    "reboot",
  ];
}
