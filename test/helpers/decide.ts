import type { HostFacts, NicFacts } from "../../host-tuning/facts/host-facts.ts";
import { type AnyKnob, type Desired, WHOLE_HOST } from "../../host-tuning/knobs/knob.ts";
import type { HostProfileInput } from "../../host-tuning/profile/host-profile.ts";
import { type HostShape, factsOfShape, sampleNic, sampleProfile } from "./facts.ts";

export const GIB = 1024 ** 3;

type ProfileInput = Parameters<typeof sampleProfile>[0];

export interface Situation {
  readonly shape?: Partial<HostShape>;
  /** Instead of a shape. */
  readonly facts?: HostFacts;
  readonly profile?: ProfileInput;
  readonly current: unknown;
}

/** What a knob wants in this situation. */
export function decide(knob: AnyKnob, situation: Situation): Desired<unknown> {
  return knob.desired({
    facts: situation.facts ?? factsOfShape(situation.shape),
    profile: sampleProfile(situation.profile),
    current: situation.current,
    target: WHOLE_HOST,
  });
}

/** The value a knob sets; undefined when it leaves the host alone. */
export function valueSet(knob: AnyKnob, situation: Situation): unknown {
  const desired = decide(knob, situation);
  return desired.kind === "set" ? desired.value : undefined;
}

/** What a knob wants of the NIC eno1, which is as `nic` says. */
export function decideForNic(
  knob: AnyKnob,
  current: unknown,
  profile: Omit<HostProfileInput, "apiVersion" | "kind"> = {},
  nic: Partial<NicFacts> = {},
): Desired<unknown> {
  const facts = { ...factsOfShape(), nics: [sampleNic(nic)] };
  return knob.desired({ facts, profile: sampleProfile(profile), current, target: { name: "eno1" } });
}
