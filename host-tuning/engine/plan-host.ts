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
}

/** A plan's step with the knob it came from and its values as the knob typed them. */
export interface Decision {
  readonly step: PlanStep;
  readonly knob: AnyKnob;
  readonly target: Target;
  readonly before: unknown;
  readonly after: unknown;
  readonly writes: readonly Write[];
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
  const decisions = (await Promise.all(chosen.map((knob) => decideKnob(knob, input)))).flat();
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
  const because = knob.absentBecause ?? "this host has nothing that it acts on";
  return [decision(knob, WHOLE_HOST, input, { action: "unsupported", because })];
}

async function decideTarget(knob: AnyKnob, target: Target, input: PlanInput): Promise<Decision> {
  let before: unknown;
  try {
    before = await knob.read(input.host, target);
    if (before === undefined) {
      const range = knob.kernelRange === undefined ? "" : ` (${knob.kernelRange})`;
      const because = `this host has no ${nameOf(knob, target)}${range}`;
      return decision(knob, target, input, { action: "unsupported", because });
    }
    return decideValue(knob, target, input, before);
  } catch (error) {
    return undecided(knob, target, input, before, error);
  }
}

function decideValue(knob: AnyKnob, target: Target, input: PlanInput, before: unknown): Decision {
  const override = input.profile.overrides[knob.id];
  if (override !== undefined && "leave" in override) {
    return decision(knob, target, input, { action: "left", before, because: `profile: ${override.because}` });
  }
  const isOverride = override !== undefined;
  const desired: Desired<unknown> = isOverride
    ? { kind: "set", value: knob.value.parse(override.value), because: `profile: ${override.because}` }
    : knob.desired({ facts: input.facts, profile: input.profile, current: before, target });
  if (desired.kind === "leave") {
    return decision(knob, target, input, { action: "left", before, because: desired.because });
  }
  const after = checkedValue(knob, target, desired.value);
  const { because } = desired;
  const isRight = isOverride ? isSame(knob, before, after) : isSatisfied(knob, before, after);
  if (isRight) {
    return decision(knob, target, input, { action: "already-right", before, after, because, isOverride });
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
  const verdict = { before, after, because, isOverride, writes };
  return decision(knob, target, input, withOwner(knob, target, input, verdict));
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
  readonly writes?: readonly Write[];
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
    writes: (verdict.writes ?? []).map(plainWrite),
  };
  const { before, after, writes = [] } = verdict;
  return { step, knob, target, before, after, writes };
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
function plainWrite(write: Write): PlanStep["writes"][number] {
  if (write.kind === "kernel-file") return { ...write };
  if (write.kind === "config-file") {
    const { reload, ...rest } = write;
    return reload === undefined
      ? rest
      : { ...rest, reload: reload.map(([tool, ...args]) => [tool, ...args]) };
  }
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
