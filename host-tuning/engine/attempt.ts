import type { Decision } from "./decision.ts";

/** One step on its way from decision to report. */
export interface Attempt {
  readonly decision: Decision;
  /** The first thing that went wrong; the step is not written any further then. */
  error: unknown;
  millis: number;
}

export function attemptsFor(decisions: readonly Decision[]): Attempt[] {
  return decisions
    .filter((decision) => decision.step.action === "set")
    .map((decision) => ({ decision, error: undefined, millis: 0 }));
}
