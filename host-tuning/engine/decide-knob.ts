import type { HostFacts } from "../facts/host-facts.ts";
import { type AnyKnob, type Target, WHOLE_HOST } from "../knobs/knob.ts";
import { digestOf } from "./canonical-json.ts";
import { decidePutBack, decideValue } from "./decide-value.ts";
import { type Decision, decision, undecided } from "./decision.ts";
import { nameOf } from "./knob-values.ts";
import { forgottenSteps, ownChangeOf } from "./own-changes.ts";
import type { PlanInput } from "./plan-input.ts";

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
    return [undecided(knob, WHOLE_HOST, input.facts, undefined, error)];
  }
  if (targets.length > 0) {
    const chosen = targets.filter((target) => input.isChosen?.(knob, target) ?? true);
    return await Promise.all(chosen.map((target) => decideTarget(knob, target, input)));
  }
  if (input.isChosen?.(knob, WHOLE_HOST) === false) return [];
  const because = whyAbsent(knob, input.facts);
  return [decision(knob, WHOLE_HOST, input.facts, { action: "unsupported", because })];
}

function whyAbsent({ absentBecause }: AnyKnob, facts: HostFacts): string {
  if (typeof absentBecause === "function") return absentBecause(facts);
  return absentBecause ?? "this host has nothing that it acts on";
}

/** What an earlier profile set on targets that this one does not name. */
export async function decideForgotten(
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
      return [undecided(knob, target, input.facts, undefined, error)];
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
      return decision(knob, target, input.facts, { action: "unsupported", because });
    }
    const own = await ownChangeOf(input.past, input.host, { knob, target, before });
    return decideValue({ knob, target, input, before }, own);
  } catch (error) {
    return undecided(knob, target, input.facts, before, error);
  }
}
