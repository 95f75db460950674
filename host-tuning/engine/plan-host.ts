import { agentVersion } from "../agent-version.ts";
import { InputError } from "../errors.ts";
import { stableFacts } from "../facts/stable-facts.ts";
import { faultsOfOverrides } from "../profile/check-overrides.ts";
import { API_VERSION } from "../profile/host-profile.ts";
import { digestOf } from "./canonical-json.ts";
import { decideForgotten, decideKnob } from "./decide-knob.ts";
import type { Decision } from "./decision.ts";
import type { HostPlan } from "./host-plan.ts";
import type { PlanInput } from "./plan-input.ts";

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
