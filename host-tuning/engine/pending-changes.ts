import { messageOf } from "../errors.ts";
import type { Write } from "../knobs/knob.ts";
import type { LiveHost } from "../sys/live-host.ts";
import type { ApplyInput } from "./apply-plan.ts";
import type { Attempt } from "./attempt.ts";
import { armTimer } from "./dead-man-timer.ts";
import { readGateway } from "./default-gateway.ts";
import type { PendingRecord } from "./journal-records.ts";
import type { JournalState, PendingGroup } from "./journal-state.ts";
import { captureOriginal, idOf, placeOf } from "./originals.ts";
import { type SavingContext, recordBase } from "./step-records.ts";
import type { whyNotReachable } from "./reachability.ts";

/** How changes that can cut the host off are watched over. */
export interface Confirmation {
  /** The command that takes back what is unconfirmed; the timer runs it, whatever became of this agent. */
  readonly revert: readonly [tool: string, ...args: string[]];
  /** Says what does not answer; the real one unless a test has no network to cut. */
  readonly whyNotReachable?: typeof whyNotReachable;
}

/**
 * What a boot may take from the early unit until the network is up, beyond the profile's timeout: a change of the early
 * phase can only be confirmed then. Our choice, as long as the late unit may take to start.
 */
export const BOOT_ALLOWANCE_SECONDS = 300;

export interface Guarded {
  readonly records: readonly PendingRecord[];
  /** Attempts that are not carried out, and why. */
  readonly left: ReadonlyMap<Attempt, string>;
}

/**
 * Sees to it that every attempt which can cut the host off is taken back unless somebody confirms it: keeps what stands
 * there now and arms a timer, before anything is written. What cannot be guarded is not written. A captured tree cannot
 * be cut off, and needs none of it.
 */
export async function guardAttempts(
  input: ApplyInput,
  attempts: readonly Attempt[],
  context: SavingContext,
): Promise<Guarded> {
  const left = new Map<Attempt, string>();
  const records: PendingRecord[] = [];
  if (!input.host.isLive) return { records, left };
  const risky = attempts.filter(({ decision }) => decision.knob.canCutOff === true);
  const now = withSharers(
    risky.filter(({ decision }) => decision.step.takesEffect !== "reboot"),
    attempts,
  );
  const atReboot = withSharers(
    risky.filter((attempt) => !now.includes(attempt) && !isPending(context.state, attempt)),
    attempts,
  ).filter((attempt) => !now.includes(attempt));
  for (const [group, takesEffect] of [
    [now, "now"],
    [atReboot, "reboot"],
  ] as const) {
    if (group.length === 0) continue;
    const guarded = await guardGroup(input, group, takesEffect, context);
    if ("because" in guarded) for (const attempt of group) left.set(attempt, guarded.because);
    else records.push(guarded);
  }
  return { records, left };
}

async function guardGroup(
  { host, profile, phase, confirmation }: ApplyInput,
  group: readonly Attempt[],
  takesEffect: PendingRecord["takesEffect"],
  { run, profileDigest, groups }: SavingContext,
): Promise<PendingRecord | { readonly because: string }> {
  const hasGateway = (await readGateway(host)) !== undefined;
  const base = {
    ...recordBase(run),
    record: "pending" as const,
    group: `${run.id}#${groups.length}`,
    takesEffect,
    keys: group.map(({ decision }) => decision.step.key),
    profileDigest,
    mayReboot: profile.reboot === "once-when-needed",
    hadNoGateway: phase !== "early" && !hasGateway,
  };
  let undo: PendingRecord["undo"];
  try {
    undo = undoOf(host, group);
  } catch (error) {
    return { because: messageOf(error) };
  }
  if (confirmation === undefined) return { because: "nothing here could take the change back in time" };
  if (takesEffect === "reboot") {
    const hasSystemd = await host.exists("/run/systemd/system");
    if (!hasSystemd) return { because: "systemd does not run here, so that no boot could take it back" };
    groups.push(base.group);
    return { ...base, deadline: null, timer: null, undo };
  }
  const isBeforeNetwork = phase === "early" && !hasGateway;
  const seconds = profile.confirm.timeoutSeconds + (isBeforeNetwork ? BOOT_ALLOWANCE_SECONDS : 0);
  const deadline = new Date(Date.now() + seconds * 1000).toISOString();
  const name = `${run.id.slice(0, 8)}-${groups.length}`;
  const armed = await armTimer(host, { name, seconds, command: confirmation.revert });
  if ("because" in armed) return armed;
  groups.push(base.group);
  return { ...base, deadline, timer: armed.unit, undo };
}

/** Steps that write what one of the group writes go with it: there is only one state to go back to. */
function withSharers(risky: readonly Attempt[], attempts: readonly Attempt[]): Attempt[] {
  const group = new Set(risky);
  const ids = new Set(risky.flatMap((attempt) => idsOf(attempt)));
  let size = -1;
  while (size !== group.size) {
    size = group.size;
    for (const attempt of attempts) {
      const own = idsOf(attempt);
      if (group.has(attempt) || !own.some((id) => ids.has(id))) continue;
      group.add(attempt);
      for (const id of own) ids.add(id);
    }
  }
  return attempts.filter((attempt) => group.has(attempt));
}

function idsOf({ decision }: Attempt): string[] {
  const { putBack, writes, step } = decision;
  return [
    ...(putBack?.restores ?? []).map(({ id }) => id),
    ...writes.map((write, index) => idOf(write, step.key, index)),
  ];
}

/** The same wish waits for its reboot already. */
function isPending(state: JournalState, { decision: { step } }: Attempt): boolean {
  const isWaiting = [...state.pending.values()].some(
    ({ record }) => record.takesEffect === "reboot" && record.keys.includes(step.key),
  );
  return isWaiting && state.steps.get(step.key)?.latest.valueText === step.afterText;
}

/** What stands now where the group writes, the first of each. @throws {TuningError} HOST_READ */
function undoOf(host: LiveHost, group: readonly Attempt[]): PendingRecord["undo"] {
  const undo = new Map<string, PendingRecord["undo"][number]>();
  for (const { decision } of group) {
    const { key } = decision.step;
    const add = (id: string, write: Write): void => {
      if (!undo.has(id)) undo.set(id, { id, key, original: captureOriginal(host, write) });
    };
    for (const { id, original } of decision.putBack?.restores ?? []) add(id, placeOf(original));
    for (const [index, write] of decision.writes.entries()) add(idOf(write, key, index), write);
  }
  return [...undo.values()];
}

/** Groups that this boot has to prove: their changes are in force now. */
export function groupsOnTrial(state: JournalState, bootId: string | null): PendingGroup[] {
  return [...state.pending.values()].filter(
    ({ record, trial }) => (record.takesEffect === "now" ? record : trial)?.bootId === bootId,
  );
}

/** Groups that an earlier boot had to prove and has not. */
export function groupsOverdue(state: JournalState, bootId: string | null): PendingGroup[] {
  return [...state.pending.values()].filter(({ record, trial }) => {
    const proving = record.takesEffect === "now" ? record : trial;
    return proving !== undefined && proving.bootId !== bootId;
  });
}

/** Groups that take effect with a reboot which has not been yet. */
export function groupsAwaitingReboot(state: JournalState): PendingGroup[] {
  return [...state.pending.values()].filter(
    ({ record, trial }) => record.takesEffect === "reboot" && trial === undefined,
  );
}

/** Until when a group has to be confirmed; `null` for one that waits for its reboot. */
export function deadlineOf({ record, trial }: PendingGroup): string | null {
  return trial?.deadline ?? record.deadline;
}
