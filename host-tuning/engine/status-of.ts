import { agentVersion } from "../agent-version.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import { API_VERSION } from "../profile/host-profile.ts";
import type { ConfirmationState } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { stateOf } from "./confirm-changes.ts";
import { isOfThisBoot } from "./drift.ts";
import { type JournalState, type OutstandingStep, type PendingGroup, foldJournal } from "./journal-state.ts";
import type { Original } from "./journal-records.ts";
import { readJournal } from "./journal.ts";
import { isSame, textOf } from "./knob-values.ts";
import { groupsAwaitingReboot } from "./pending-changes.ts";
import { startRun } from "./run-context.ts";

/** How things stand with something that Bedplate set. */
export type Standing =
  | "in-force"
  | "drifted"
  /** Configured, and in force after the next reboot. */
  | "needs-reboot"
  /** A kernel value of an earlier boot; the next apply sets it again. */
  | "gone-with-reboot"
  /** The device or the knob is not there any more. */
  | "not-there"
  /** The run was killed, or the value did not come into force. */
  | "not-in-force"
  | "unreadable";

export interface StatusEntry {
  readonly key: string;
  readonly knob: string;
  readonly target: string;
  readonly unit: string;
  /** Value before Bedplate's first change. */
  readonly original: string;
  readonly set: string;
  readonly found: string | null;
  readonly standing: Standing;
  readonly since: string;
  readonly bootId: string | null;
  readonly isThisBoot: boolean;
  readonly survivesReboot: boolean;
  readonly places: readonly string[];
}

/** What the journal holds against what the host holds. */
export interface HostStatus {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: "HostStatus";
  readonly agentVersion: string;
  readonly bootId: string | null;
  readonly drifted: number;
  readonly entries: readonly StatusEntry[];
  /** Changes that nobody has confirmed yet. */
  readonly pending: readonly ConfirmationState[];
  /** Values that were taken back because nobody confirmed them; the same profile does not try them again. */
  readonly takenBack: readonly TakenBackEntry[];
}

export interface TakenBackEntry {
  readonly key: string;
  readonly value: string;
  readonly at: string;
  readonly because: string;
}

export interface StatusInput {
  readonly host: LiveHost;
  readonly knobs: readonly AnyKnob[];
}

/**
 * What Bedplate changed and has not taken back, and whether it is still in force. Reads only.
 *
 * @throws {TuningError} JOURNAL_CORRUPT
 */
export async function statusOf({ host, knobs }: StatusInput): Promise<HostStatus> {
  const { bootId } = await startRun(host);
  const state = foldJournal(readJournal(host).records);
  const entries = await Promise.all(
    [...state.steps.values()].map(async (step): Promise<StatusEntry> => {
      const { first, latest } = step;
      const isThisBoot = latest.bootId === bootId;
      const knob = knobs.find((candidate) => candidate.id === latest.knob);
      const places = [...state.originals.values()]
        .filter((outstanding) => outstanding.key === latest.key)
        .flatMap(({ original }) => placesOf(original));
      return {
        key: latest.key,
        knob: latest.knob,
        target: latest.target,
        unit: latest.unit,
        original: first.beforeText,
        set: latest.valueText,
        ...(await standingOf(host, knob, step, isOfThisBoot(step, bootId))),
        since: first.at,
        bootId: latest.bootId,
        isThisBoot,
        survivesReboot: latest.survivesReboot,
        places,
      };
    }),
  );
  const drifted = entries.filter((entry) => entry.standing === "drifted").length;
  return {
    apiVersion: API_VERSION,
    kind: "HostStatus",
    agentVersion,
    bootId,
    drifted,
    entries,
    pending: [...state.pending.values()].map((group) => pendingState(state, group, bootId)),
    takenBack: [...state.refused].map(([key, { valueText, settled, isSuspicion }]) => ({
      key,
      value: valueText,
      at: settled.at,
      because: isSuspicion ? `${settled.because}; tried once more` : settled.because,
    })),
  };
}

function pendingState(state: JournalState, group: PendingGroup, bootId: string | null): ConfirmationState {
  if (groupsAwaitingReboot(state).includes(group)) {
    return stateOf(group, "waiting-for-reboot", "takes effect with the next reboot, which has to prove it");
  }
  const isOfThisBoot = (group.trial ?? group.record).bootId === bootId;
  const because = isOfThisBoot
    ? '"bedplate confirm" keeps it'
    : "its boot ended before it was confirmed; the next apply takes it back";
  return stateOf(group, "waiting", because);
}

function placesOf(original: Original): string[] {
  if (original.kind === "tool") return [original.undo.join(" ")];
  return original.kind === "boot-entries" ? original.before.map(({ path }) => path) : [original.path];
}

async function standingOf(
  host: LiveHost,
  knob: AnyKnob | undefined,
  step: OutstandingStep,
  isStillOurs: boolean,
): Promise<{ standing: Standing; found: string | null }> {
  if (knob === undefined) return { standing: "unreadable", found: null };
  let value: unknown;
  try {
    value = await knob.read(host, { name: step.latest.target });
  } catch {
    return { standing: "unreadable", found: null };
  }
  if (value === undefined) return { standing: "not-there", found: null };
  const found = textOf(knob, value);
  const set = knob.value.safeParse(step.latest.value);
  if (set.success && isSame(knob, value, set.data)) return { standing: "in-force", found };
  if (set.success && knob.isPending?.(value, set.data) === true) return { standing: "needs-reboot", found };
  if (!isStillOurs) return { standing: "gone-with-reboot", found };
  const wasInForce = step.outcome?.outcome === "changed" || step.outcome?.outcome === "already-right";
  return { standing: wasInForce ? "drifted" : "not-in-force", found };
}
