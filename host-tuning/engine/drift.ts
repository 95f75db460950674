import type { JournalState, OutstandingStep } from "./journal-state.ts";
import { isSame } from "./knob-values.ts";
import type { Decision } from "./decision.ts";

/** Is what we set still of this boot: a kernel value of an earlier one is gone, and nobody's fault. */
export function isOfThisBoot(step: OutstandingStep, bootId: string | null): boolean {
  return step.latest.survivesReboot || step.latest.bootId === bootId;
}

/**
 * Did somebody change what we had set and read back. A run that was killed before it read back proves nothing, and
 * neither does a value of an earlier boot.
 */
export function isDrifted(state: JournalState, decision: Decision, bootId: string | null): boolean {
  const step = state.steps.get(decision.step.key);
  if (step?.outcome === undefined || decision.before === undefined) return false;
  if (step.outcome.outcome !== "changed" && step.outcome.outcome !== "already-right") return false;
  if (!isOfThisBoot(step, bootId)) return false;
  const set = decision.knob.value.safeParse(step.latest.value);
  return set.success && !isSame(decision.knob, decision.before, set.data);
}
