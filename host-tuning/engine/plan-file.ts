import { type Fault, InputError, TuningError } from "../errors.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import { faultsOfOverrides } from "../profile/check-overrides.ts";
import { parseContract } from "../profile/parse-contract.ts";
import { canonicalJson, digestOf } from "./canonical-json.ts";
import { type HostPlan, type PlanStep, hostPlanSchema } from "./host-plan.ts";

/** How many differing steps a message names. */
const MAX_NAMED = 5;

/**
 * Reads a plan that was saved. Its steps are only ever compared with a plan made anew: nothing in the file is executed.
 *
 * @throws {InputError} with every fault: shape, overrides, or steps that the digest does not cover
 */
export function parsePlan(text: string, source: string, knobs: readonly AnyKnob[]): HostPlan {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "not readable";
    throw new InputError(source, [{ path: "", message: `Cannot read as JSON: ${why}` }], { cause });
  }
  const overrideFaults = faultsOfOverrides(overridesIn(data), knobs).map((fault) => ({
    ...fault,
    path: `profile.${fault.path}`,
  }));
  let plan: HostPlan | undefined;
  let faults: readonly Fault[] = [];
  try {
    plan = parseContract(hostPlanSchema, data, source);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    faults = error.faults;
  }
  if (plan !== undefined && digestOf(plan.steps) !== plan.digest) {
    faults = [
      { path: "digest", message: "does not cover the steps: the plan was changed after it was made" },
    ];
  }
  const known = new Set(faults.map((fault) => fault.path));
  const all = [...faults, ...overrideFaults.filter((fault) => !known.has(fault.path))];
  if (plan === undefined || all.length > 0) throw new InputError(source, all);
  return plan;
}

function overridesIn(data: unknown): unknown {
  if (typeof data !== "object" || data === null || !("profile" in data)) return undefined;
  const { profile } = data;
  return typeof profile === "object" && profile !== null && "overrides" in profile
    ? profile.overrides
    : undefined;
}

/**
 * Refuses a plan that is no longer what this host needs.
 *
 * @throws {TuningError} PLAN_STALE, naming what differs
 */
export function refuseIfStale(saved: HostPlan, now: HostPlan, source: string): void {
  if (saved.factsDigest === now.factsDigest && saved.digest === now.digest) return;
  const reasons: string[] = [];
  if (saved.factsDigest !== now.factsDigest) {
    reasons.push(`facts: ${saved.factsDigest.slice(0, 19)} then, ${now.factsDigest.slice(0, 19)} now`);
  }
  const differing = differingSteps(saved.steps, now.steps);
  reasons.push(...differing.slice(0, MAX_NAMED));
  if (differing.length > MAX_NAMED) reasons.push(`and ${differing.length - MAX_NAMED} steps more`);
  if (saved.agentVersion !== now.agentVersion) {
    reasons.push(`the plan is of agent ${saved.agentVersion}, this is ${now.agentVersion}`);
  }
  throw new TuningError(
    "PLAN_STALE",
    source,
    `Cannot apply ${source}: the host changed since it was made, nothing was written\n  ${reasons.join("\n  ")}`,
  );
}

function differingSteps(saved: readonly PlanStep[], now: readonly PlanStep[]): string[] {
  const nowByKey = new Map(now.map((step) => [step.key, step]));
  const savedKeys = new Set(saved.map((step) => step.key));
  const changed = saved.flatMap((step) => {
    const other = nowByKey.get(step.key);
    if (other === undefined) return [`${step.key}: not in a plan made now`];
    if (canonicalJson(step) === canonicalJson(other)) return [];
    return [`${step.key}: ${differenceOf(step, other)}`];
  });
  const added = now
    .filter((step) => !savedKeys.has(step.key))
    .map((step) => `${step.key}: not in the saved plan`);
  return [...changed, ...added];
}

function differenceOf(saved: PlanStep, now: PlanStep): string {
  if (canonicalJson(saved.before) !== canonicalJson(now.before)) {
    return `before was "${saved.beforeText}", is "${now.beforeText}"`;
  }
  if (canonicalJson(saved.after) !== canonicalJson(now.after)) {
    return `after was "${saved.afterText}", would be "${now.afterText}"`;
  }
  const then: Record<string, unknown> = saved;
  const fields = Object.entries(now)
    .filter(([name, value]) => canonicalJson(value) !== canonicalJson(then[name]))
    .map(([name]) => name);
  return `differs in ${fields.join(", ")}`;
}
