import { agentVersion } from "../agent-version.ts";
import { InputError, TuningError, messageOf } from "../errors.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import { stableFacts } from "../facts/stable-facts.ts";
import { type AnyKnob, type Desired, type Target, type Write, WHOLE_HOST, stepKey } from "../knobs/knob.ts";
import { faultsOfOverrides } from "../profile/check-overrides.ts";
import { API_VERSION, type HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { digestOf } from "./canonical-json.ts";
import type { HostPlan, PlanStep } from "./host-plan.ts";
import { isSame, isSatisfied, nameOf, textOf } from "./knob-values.ts";
import {
  type OwnChange,
  type Past,
  type PutBack,
  type RestoringWrite,
  forgottenSteps,
  isStillRight,
  ownChangeOf,
  putBackOf,
  writeOfOriginal,
} from "./own-changes.ts";
import { claimText, claimsOn, decideOwnership } from "./ownership.ts";
import { checkWrite } from "./write-guard.ts";

export type Phase = HostPlan["phase"];

export interface PlanInput {
  readonly host: Host;
  readonly facts: HostFacts;
  readonly profile: HostProfile;
  /** The registry. The engine names no knob, it gets them. */
  readonly knobs: readonly AnyKnob[];
  readonly phase: Phase;
  /** What to call the profile in messages. */
  readonly profileSource?: string;
  /** Only these steps: one device that was added, or what has drifted. Absent: all. */
  readonly isChosen?: (knob: AnyKnob, target: Target) => boolean;
  /** What Bedplate did here before; absent where the journal may not be read, and our values count as the host's then. */
  readonly past?: Past | undefined;
}

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

export interface DecidedPlan {
  readonly plan: HostPlan;
  readonly decisions: readonly Decision[];
}

/**
 * Decides what this host should have. Reads, never writes; the same host and profile give the same digests.
 *
 * @throws {InputError} when an override of the profile names no knob or a value that its knob does not take
 */
export async function planHost(input: PlanInput): Promise<HostPlan> {
  return (await decideHost(input)).plan;
}

/** planHost, with the knobs behind each step. */
export async function decideHost(input: PlanInput): Promise<DecidedPlan> {
  const { facts, profile, knobs, phase } = input;
  const faults = faultsOfOverrides(profile.overrides, knobs);
  if (faults.length > 0) throw new InputError(input.profileSource ?? "profile", faults);

  const chosen = knobs
    .filter((knob) => phase === "all" || knob.phase === phase)
    .toSorted((a, b) => Number(a.phase === "late") - Number(b.phase === "late"));
  const asked = (await Promise.all(chosen.map((knob) => decideKnob(knob, input)))).flat();
  const decisions = [...asked, ...(await decideForgotten(asked, chosen, input))];
  const steps = decisions.map((decision) => decision.step);
  return {
    decisions,
    plan: {
      apiVersion: API_VERSION,
      kind: "HostPlan",
      agentVersion,
      root: input.host.root,
      hostname: facts.hostname,
      kernelRelease: facts.kernel.release,
      phase,
      factsDigest: digestOf(stableFacts(facts)),
      digest: digestOf(steps),
      profile,
      steps,
    },
  };
}

/** Decides one step anew, from what is in force now. */
export async function decideAgain({ knob, target }: Decision, input: PlanInput): Promise<Decision> {
  return await decideTarget(knob, target, input);
}

/** Decides a knob for every target that the facts name. */
export async function decideKnob(knob: AnyKnob, input: PlanInput): Promise<Decision[]> {
  let targets: readonly Target[];
  try {
    targets = knob.targets?.(input.facts, input.profile) ?? [WHOLE_HOST];
  } catch (error) {
    return [undecided(knob, WHOLE_HOST, input, undefined, error)];
  }
  if (targets.length > 0) {
    const chosen = targets.filter((target) => input.isChosen?.(knob, target) ?? true);
    return await Promise.all(chosen.map((target) => decideTarget(knob, target, input)));
  }
  if (input.isChosen?.(knob, WHOLE_HOST) === false) return [];
  const because = whyAbsent(knob, input.facts);
  return [decision(knob, WHOLE_HOST, input, { action: "unsupported", because })];
}

function whyAbsent({ absentBecause }: AnyKnob, facts: HostFacts): string {
  if (typeof absentBecause === "function") return absentBecause(facts);
  return absentBecause ?? "this host has nothing that it acts on";
}

/** What an earlier profile set on targets that this one does not name. */
async function decideForgotten(
  asked: readonly Decision[],
  chosen: readonly AnyKnob[],
  input: PlanInput,
): Promise<Decision[]> {
  const keys = new Set(asked.map(({ step }) => step.key));
  const decisions = forgottenSteps(input.past, keys, digestOf(input.profile)).map(async ({ latest }) => {
    const knob = chosen.find(({ id }) => id === latest.knob);
    const target = { name: latest.target };
    if (knob === undefined || input.isChosen?.(knob, target) === false) return [];
    try {
      const before = await knob.read(input.host, target);
      if (before === undefined) return [];
      const own = await ownChangeOf(input.past, input.host, { knob, target, before });
      return own === undefined ? [] : [decidePutBack(own, { knob, target, input, before, because: "" })];
    } catch (error) {
      return [undecided(knob, target, input, undefined, error)];
    }
  });
  return (await Promise.all(decisions)).flat();
}

async function decideTarget(knob: AnyKnob, target: Target, input: PlanInput): Promise<Decision> {
  let before: unknown;
  try {
    before = await knob.read(input.host, target);
    if (before === undefined) {
      const range = knob.kernelRange === undefined ? "" : ` (${knob.kernelRange})`;
      const absence = await knob.readAbsence?.(input.host, target);
      const because = absence ?? `this host has no ${nameOf(knob, target)}${range}`;
      return decision(knob, target, input, { action: "unsupported", because });
    }
    const own = await ownChangeOf(input.past, input.host, { knob, target, before });
    return decideValue({ knob, target, input, before }, own);
  } catch (error) {
    return undecided(knob, target, input, before, error);
  }
}

/** A knob on a target, with the value in force there. */
interface Situation {
  readonly knob: AnyKnob;
  readonly target: Target;
  readonly input: PlanInput;
  readonly before: unknown;
}

function decideValue(situation: Situation, own: OwnChange | undefined): Decision {
  const { knob, target, input, before } = situation;
  const { overrides } = input.profile;
  const override = overrides[stepKey(knob.id, target)] ?? overrides[knob.id];
  if (override !== undefined && "leave" in override) {
    return decideLeave(situation, own, `profile: ${override.because}`);
  }
  const isOverride = override !== undefined;
  const desired: Desired<unknown> = isOverride
    ? { kind: "set", value: knob.value.parse(override.value), because: `profile: ${override.because}` }
    : knob.desired({
        facts: input.facts,
        profile: input.profile,
        // A value that we set is no wish of the host's: what it had before us is what a rule is judged against.
        current: own === undefined ? before : own.original,
        target,
      });
  if (desired.kind === "leave") return decideLeave(situation, own, desired.because);
  const after = checkedValue(knob, target, desired.value);
  const { because } = desired;
  const isRight = isOverride ? isSame(knob, before, after) : isStillRight(knob, own, { before, after });
  if (isRight) {
    return decision(knob, target, input, { action: "already-right", before, after, because, isOverride });
  }
  if (knob.isPending?.(before, after) === true) {
    return decision(knob, target, input, { action: "needs-reboot", before, after, because, isOverride });
  }
  if (!knob.isReversible && !input.profile.consent.includes("irreversible")) {
    const why = `cannot be taken back, and the profile's consent does not name "irreversible"; would be ${textOf(knob, after)}: ${because}`;
    return decision(knob, target, input, { action: "left", before, because: why });
  }
  if (knob.needsConsent !== undefined && !input.profile.consent.includes(knob.needsConsent)) {
    const why = `needs the profile's consent "${knob.needsConsent}" (${knob.risk.what}); would be ${textOf(knob, after)}: ${because}`;
    return decision(knob, target, input, { action: "left", before, because: why });
  }
  const writes = knob.writes(after, target, before);
  for (const write of writes) checkWrite(write);
  const isExact = isOverride || (own !== undefined && isSatisfied(knob, before, after));
  const verdict = { before, after, because, isOverride, isExact, writes };
  return decision(
    knob,
    target,
    input,
    refusalOf(situation, verdict) ?? withOwner(knob, target, input, verdict),
  );
}

/** A knob that has nothing to ask for: what an earlier profile set goes, the host's own value stays. */
function decideLeave(situation: Situation, own: OwnChange | undefined, because: string): Decision {
  const { knob, target, input, before } = situation;
  if (own === undefined || (!own.isConfigured && textOf(knob, before) === textOf(knob, own.original))) {
    return decision(knob, target, input, { action: "left", before, because });
  }
  return decidePutBack(own, { ...situation, because });
}

function decidePutBack(own: OwnChange, situation: Situation & { readonly because: string }): Decision {
  const { knob, target, input, before } = situation;
  const putBack = putBackOf(own);
  const writes = putBack.restores.length > 0 ? [] : knob.writes(own.original, target, before);
  for (const write of writes) checkWrite(write);
  const why = situation.because === "" ? "" : `: ${situation.because}`;
  const because = `an earlier profile set it; this one does not ask for it${why}`;
  const verdict = { before, after: own.original, because };
  return decision(
    knob,
    target,
    input,
    refusalOf(situation, verdict) ?? { ...verdict, action: "set", isExact: true, writes, putBack },
  );
}

/** A value that was taken back is not tried again by the same profile: whatever made it fail may still be there. */
function refusalOf({ knob, target, input }: Situation, wanted: Omit<Verdict, "action">): Verdict | undefined {
  const refused = input.past?.state.refused.get(stepKey(knob.id, target));
  const { before, after } = wanted;
  if (refused === undefined || refused.isSuspicion) return undefined;
  if (refused.valueText !== textOf(knob, after)) return undefined;
  if (refused.profileDigest !== digestOf(input.profile)) return undefined;
  const when = refused.settled.at.replace(/\.\d+Z$/, "Z");
  const because = `taken back on ${when}, was not confirmed (${refused.settled.because}); change the profile or roll back to try again; would be ${textOf(knob, after)}: ${wanted.because}`;
  return { action: "left", before, after, because };
}

/** What becomes of a value that somebody else sets too. */
function withOwner(
  knob: AnyKnob,
  target: Target,
  input: PlanInput,
  { writes, ...verdict }: Omit<Verdict, "action"> & { readonly writes: readonly Write[] },
): Verdict {
  const wanted = String(verdict.after);
  const ownership = decideOwnership(claimsOn(knob, writes, input.facts), wanted, verdict.isOverride === true);
  switch (ownership.kind) {
    case "free":
      return { ...verdict, action: "set", writes };
    case "take-over":
      return { ...verdict, action: "set", because: `${verdict.because}; ${ownership.because}`, writes };
    case "yield": {
      const because = `${ownership.because}; would be ${textOf(knob, verdict.after)}: ${verdict.because}`;
      return { action: "left", before: verdict.before, because };
    }
    case "refuse": {
      const because = `Cannot set ${nameOf(knob, target)} to ${textOf(knob, verdict.after)}: ${ownership.because}`;
      // A person's word that is not followed is a failure; our own wish is only dropped.
      return { action: verdict.isOverride === true ? "failed" : "left", before: verdict.before, because };
    }
  }
  return ownership.kind satisfies never;
}

/** A rule that went wrong (NaN, undefined, out of the kernel's range) ends here and not in a kernel file. */
function checkedValue(knob: AnyKnob, target: Target, value: unknown): unknown {
  const checked = knob.value.safeParse(value);
  if (checked.success) return checked.data;
  const why = checked.error.issues.map((issue) => issue.message).join("; ");
  throw new TuningError(
    "KNOB_INVALID",
    knob.id,
    `Cannot set ${nameOf(knob, target)}: its rule gave ${JSON.stringify(value) ?? "undefined"}, which the knob does not take: ${why}`,
  );
}

interface Verdict {
  readonly action: PlanStep["action"];
  readonly because: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly isOverride?: boolean;
  readonly isExact?: boolean;
  readonly writes?: readonly Write[];
  readonly putBack?: PutBack;
}

function decision(knob: AnyKnob, target: Target, input: PlanInput, verdict: Verdict): Decision {
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
    alsoSetBy: othersWhoSet(knob, target, input.facts, verdict),
    writes: [...(verdict.putBack?.restores ?? []).map(writeOfOriginal), ...(verdict.writes ?? [])].map(
      plainWrite,
    ),
  };
  const { before, after, writes = [], isExact = step.isOverride, putBack } = verdict;
  return { step, knob, target, before, after, writes, isExact, putBack };
}

/** One knob that throws costs only itself; the report says what it threw. */
function undecided(
  knob: AnyKnob,
  target: Target,
  input: PlanInput,
  before: unknown,
  error: unknown,
): Decision {
  const because = messageOf(error);
  const kept = error instanceof TuningError ? because : `Cannot decide ${nameOf(knob, target)}: ${because}`;
  return decision(knob, target, input, { action: "failed", before, because: kept });
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
