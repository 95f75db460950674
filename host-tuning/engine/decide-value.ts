import { TuningError } from "../errors.ts";
import { type AnyKnob, type Desired, type Target, type Write, stepKey } from "../knobs/knob.ts";
import { digestOf } from "./canonical-json.ts";
import { type Decision, type Verdict, decision } from "./decision.ts";
import { isSame, isSatisfied, nameOf, textOf } from "./knob-values.ts";
import { type OwnChange, isStillRight, putBackOf } from "./own-changes.ts";
import { claimsOn, decideOwnership } from "./ownership.ts";
import type { PlanInput } from "./plan-input.ts";
import { checkWrite } from "./write-guard.ts";

/** A knob on a target, with the value in force there. */
export interface Situation {
  readonly knob: AnyKnob;
  readonly target: Target;
  readonly input: PlanInput;
  readonly before: unknown;
}

/** What a knob wants on a target, against what is in force, what we set before, and who else sets it. */
export function decideValue(situation: Situation, own: OwnChange | undefined): Decision {
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
    return decision(knob, target, input.facts, {
      action: "already-right",
      before,
      after,
      because,
      isOverride,
    });
  }
  if (knob.isPending?.(before, after) === true) {
    return decision(knob, target, input.facts, {
      action: "needs-reboot",
      before,
      after,
      because,
      isOverride,
    });
  }
  if (!knob.isReversible && !input.profile.consent.includes("irreversible")) {
    const why = `cannot be taken back, and the profile's consent does not name "irreversible"; would be ${textOf(knob, after)}: ${because}`;
    return decision(knob, target, input.facts, { action: "left", before, because: why });
  }
  if (knob.needsConsent !== undefined && !input.profile.consent.includes(knob.needsConsent)) {
    const why = `needs the profile's consent "${knob.needsConsent}" (${knob.risk.what}); would be ${textOf(knob, after)}: ${because}`;
    return decision(knob, target, input.facts, { action: "left", before, because: why });
  }
  const writes = knob.writes(after, target, before);
  for (const write of writes) checkWrite(write);
  const isExact = isOverride || (own !== undefined && isSatisfied(knob, before, after));
  const verdict = { before, after, because, isOverride, isExact, writes };
  return decision(
    knob,
    target,
    input.facts,
    refusalOf(situation, verdict) ?? withOwner(knob, target, input, verdict),
  );
}

/** A knob that has nothing to ask for: what an earlier profile set goes, the host's own value stays. */
function decideLeave(situation: Situation, own: OwnChange | undefined, because: string): Decision {
  const { knob, target, input, before } = situation;
  if (own === undefined || (!own.isConfigured && textOf(knob, before) === textOf(knob, own.original))) {
    return decision(knob, target, input.facts, { action: "left", before, because });
  }
  return decidePutBack(own, { ...situation, because });
}

/** What an earlier profile set goes back to what the host had. */
export function decidePutBack(own: OwnChange, situation: Situation & { readonly because: string }): Decision {
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
    input.facts,
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
