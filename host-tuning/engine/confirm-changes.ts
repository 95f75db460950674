import type { AnyKnob } from "../knobs/knob.ts";
import type { ConfirmationState } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import type { ApplyInput } from "./apply-plan.ts";
import { armTimer, stopTimers } from "./dead-man-timer.ts";
import { readGateway } from "./default-gateway.ts";
import type { TrialRecord } from "./journal-records.ts";
import { type JournalState, type PendingGroup, foldJournal } from "./journal-state.ts";
import { type JournalWriter, readJournal } from "./journal.ts";
import { isSatisfied } from "./knob-values.ts";
import {
  BOOT_ALLOWANCE_SECONDS,
  deadlineOf,
  groupsAwaitingReboot,
  groupsOnTrial,
} from "./pending-changes.ts";
import { whyNotReachable } from "./reachability.ts";
import type { RunContext } from "./run-context.ts";
import { recordBase } from "./step-records.ts";
import { timersOf } from "./take-back.ts";

/** Share of the time that apply tries for itself; the rest is for people who look at what is wrong. */
const OWN_SHARE = 1 / 2;

/** Longest time that apply tries for itself: the late unit has ten minutes for everything. Our choice. */
const MAX_OWN_SECONDS = 300;

interface Confirming {
  readonly host: LiveHost;
  readonly journal: JournalWriter;
  readonly run: RunContext;
}

/**
 * Confirms what this boot has to prove, when gateway and probes answer. Before the network is up nothing can answer:
 * then the late phase does it.
 *
 * @returns what became of each group that was waiting; empty when none was
 */
export async function confirmIfReachable(
  input: ApplyInput,
  { journal, run }: Omit<Confirming, "host">,
): Promise<ConfirmationState[]> {
  const { host, profile, phase, confirmation } = input;
  const state = foldJournal(readJournal(host).records);
  const states = groupsAwaitingReboot(state).map((group) =>
    stateOf(group, "waiting-for-reboot", "takes effect with the next reboot, which has to prove it"),
  );
  const groups = groupsOnTrial(state, run.bootId);
  if (groups.length === 0) return states;
  if (phase === "early" && (await readGateway(host)) === undefined) {
    const because = "the network is not up yet; the late phase confirms";
    return [...states, ...groups.map((group) => stateOf(group, "waiting", because))];
  }
  // What a boot has to prove may have cost the gateway; only a change of a running host knows that there was none.
  const isWithout = groups.every(({ record }) => record.takesEffect === "now" && record.hadNoGateway);
  const asked = { ...profile.confirm, gateway: profile.confirm.gateway && !isWithout };
  const check = confirmation?.whyNotReachable ?? whyNotReachable;
  const tryMillis = Math.min(profile.confirm.timeoutSeconds * OWN_SHARE, MAX_OWN_SECONDS) * 1000;
  const fault = await run.timed(
    "confirm",
    async () => await check(host, asked, performance.now() + tryMillis),
  );
  if (fault !== undefined) {
    return [...states, ...groups.map((group) => stateOf(group, "waiting", fault))];
  }
  const because = whatAnswered(asked);
  await confirmGroups(groups, because, { host, journal, run });
  return [...states, ...groups.map((group) => stateOf(group, "confirmed", because))];
}

function whatAnswered({ gateway, probes }: ApplyInput["profile"]["confirm"]): string {
  const answered = [...(gateway ? ["the default gateway"] : []), ...probes];
  return answered.length === 0 ? "no gateway or probe to ask" : `answered: ${answered.join(", ")}`;
}

export function stateOf(
  group: PendingGroup,
  state: ConfirmationState["state"],
  because: string,
): ConfirmationState {
  return { state, keys: [...group.record.keys], deadline: deadlineOf(group), because };
}

/** Durable first, then the timers: one that fires in between finds nothing to take back. */
export async function confirmGroups(
  groups: readonly PendingGroup[],
  because: string,
  { host, journal, run }: Confirming,
): Promise<void> {
  journal.append([
    {
      ...recordBase(run),
      record: "settled",
      how: "confirmed",
      groups: groups.map(({ record }) => record.group),
      because,
      refused: [],
    },
  ]);
  journal.sync();
  await stopTimers(host, timersOf(groups));
}

/**
 * After a reboot: groups that took effect with it have to prove themselves in this boot. One that did not take effect
 * cannot cut anything off, and goes on waiting.
 */
export async function startTrials(
  { host, knobs, profile, confirmation, phase }: ApplyInput,
  state: JournalState,
  { journal, run }: Omit<Confirming, "host">,
): Promise<void> {
  const records: TrialRecord[] = [];
  for (const { record, trial } of state.pending.values()) {
    if (record.takesEffect === "now" || trial !== undefined || record.bootId === run.bootId) continue;
    if (!(await isInForce(host, knobs, state, record.keys))) continue;
    const allowance = phase === "early" ? BOOT_ALLOWANCE_SECONDS : 0;
    const seconds = profile.confirm.timeoutSeconds + allowance;
    const name = `${run.id.slice(0, 8)}-trial${records.length}`;
    const armed =
      confirmation === undefined
        ? undefined
        : await armTimer(host, { name, seconds, command: confirmation.revert });
    records.push({
      ...recordBase(run),
      record: "trial",
      group: record.group,
      deadline: new Date(Date.now() + seconds * 1000).toISOString(),
      // Without a timer the next boot takes it back, as this one is on record.
      timer: armed !== undefined && "unit" in armed ? armed.unit : null,
    });
  }
  journal.append(records);
  journal.sync();
}

async function isInForce(
  host: LiveHost,
  knobs: readonly AnyKnob[],
  state: JournalState,
  keys: readonly string[],
): Promise<boolean> {
  for (const key of keys) {
    const latest = state.steps.get(key)?.latest;
    const knob = knobs.find(({ id }) => id === latest?.knob);
    // Steps that share a file with the risky ones; those say for themselves whether they are in force.
    if (latest === undefined || knob === undefined || knob.takesEffect !== "reboot") continue;
    const wanted = knob.value.safeParse(latest.value);
    const found = await knob.read(host, { name: latest.target });
    if (!wanted.success || found === undefined || !isSatisfied(knob, found, wanted.data)) return false;
  }
  return true;
}
