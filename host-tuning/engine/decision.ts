import { TuningError, messageOf } from "../errors.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import { type AnyKnob, type Target, type Write, stepKey } from "../knobs/knob.ts";
import type { PlanStep } from "./host-plan.ts";
import { nameOf, textOf } from "./knob-values.ts";
import { type PutBack, type RestoringWrite, writeOfOriginal } from "./own-changes.ts";
import { claimText, claimsOn } from "./ownership.ts";

/** A plan's step with the knob it came from and its values as the knob typed them. */
export interface Decision {
  readonly step: PlanStep;
  readonly knob: AnyKnob;
  readonly target: Target;
  readonly before: unknown;
  readonly after: unknown;
  readonly writes: readonly Write[];
  /** What an earlier profile changed comes back: from the journal, or by the knob's own writes. */
  readonly putBack?: PutBack | undefined;
  /** As good is not enough: we had set more before, and this value is wanted now. */
  readonly isExact: boolean;
}

/** What is to become of a knob on a target, and why. */
export interface Verdict {
  readonly action: PlanStep["action"];
  readonly because: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly isOverride?: boolean;
  readonly isExact?: boolean;
  readonly writes?: readonly Write[];
  readonly putBack?: PutBack;
}

/** The plan's step of a verdict. */
export function decision(knob: AnyKnob, target: Target, facts: HostFacts, verdict: Verdict): Decision {
  const step: PlanStep = {
    key: stepKey(knob.id, target),
    knob: knob.id,
    target: target.name,
    family: knob.family,
    unit: knob.unit,
    scope: knob.scope,
    namespace: knob.scope === "netns" ? "host" : null,
    phase: knob.phase,
    action: verdict.action,
    before: verdict.before ?? null,
    after: verdict.after ?? null,
    beforeText: textOf(knob, verdict.before),
    afterText: textOf(knob, verdict.after),
    because: verdict.because,
    isOverride: verdict.isOverride ?? false,
    sources: [...knob.sources],
    risk: `${knob.risk.level}: ${knob.risk.what}`,
    takesEffect: knob.takesEffect,
    survivesReboot: knob.survivesReboot,
    isReversible: knob.isReversible,
    alsoSetBy: othersWhoSet(knob, target, facts, verdict),
    writes: [...(verdict.putBack?.restores ?? []).map(writeOfOriginal), ...(verdict.writes ?? [])].map(
      plainWrite,
    ),
  };
  const { before, after, writes = [], isExact = step.isOverride, putBack } = verdict;
  return { step, knob, target, before, after, writes, isExact, putBack };
}

/** One knob that throws costs only itself; the report says what it threw. */
export function undecided(
  knob: AnyKnob,
  target: Target,
  facts: HostFacts,
  before: unknown,
  error: unknown,
): Decision {
  const because = messageOf(error);
  const kept = error instanceof TuningError ? because : `Cannot decide ${nameOf(knob, target)}: ${because}`;
  return decision(knob, target, facts, { action: "failed", before, because: kept });
}

/** Others who set this knob, known by its id and by the files that it would write. */
function othersWhoSet(knob: AnyKnob, target: Target, facts: HostFacts, verdict: Verdict): string[] {
  const writes = verdict.writes ?? writesOf(knob, target, verdict.before);
  return claimsOn(knob, writes, facts).map((claim) => claimText(claim));
}

/** Where a knob writes, asked with the value that is in force; a knob that has none writes nowhere here. */
function writesOf(knob: AnyKnob, target: Target, before: unknown): readonly Write[] {
  if (before === undefined) return [];
  try {
    return knob.writes(before, target, before);
  } catch {
    // A value that the kernel has and the knob would never set.
    return [];
  }
}

/** A knob's write as plain data of the plan. */
export function plainWrite(write: RestoringWrite): PlanStep["writes"][number] {
  if (write.kind === "kernel-file") return { ...write };
  if (write.kind === "config-file") {
    const { reload, ...rest } = write;
    return reload === undefined
      ? rest
      : { ...rest, reload: reload.map(([tool, ...args]) => [tool, ...args]) };
  }
  if (write.kind === "boot-entries") return { ...write, words: [...write.words] };
  const [tool, ...args] = write.command;
  const [undoTool, ...undoArgs] = write.undo;
  const { survivesReboot } = write;
  return {
    kind: "tool",
    command: [tool, ...args],
    undo: [undoTool, ...undoArgs],
    ...(survivesReboot === undefined ? {} : { survivesReboot }),
  };
}
