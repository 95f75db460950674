import { messageOf } from "../errors.ts";
import type { ReportEntry } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import type { Attempt } from "./attempt.ts";
import { isSame, isSatisfied, nameOf, quantityOf, textOf } from "./knob-values.ts";
import type { Decision } from "./decision.ts";
import { entryOf } from "./report-of.ts";
import { roundMillis } from "./run-context.ts";

/** Re-reads what is in force for each attempt and says what became of it. A write that reported success proves nothing. */
export async function readBack(
  host: LiveHost,
  attempts: readonly Attempt[],
): Promise<Map<string, ReportEntry>> {
  const entries = await Promise.all(
    attempts.map(async (attempt): Promise<[string, ReportEntry]> => {
      const fromMillis = performance.now();
      const judged = await judge(host, attempt);
      const durationMillis = roundMillis(attempt.millis + performance.now() - fromMillis);
      return [judged.key, { ...judged, durationMillis }];
    }),
  );
  return new Map(entries);
}

async function judge(host: LiveHost, attempt: Attempt): Promise<ReportEntry> {
  const { decision, error } = attempt;
  const { step, knob, target, after } = decision;
  const entry = entryOf(step);
  let found: unknown;
  try {
    found = await knob.read(host, target);
  } catch (cause) {
    const because = `Cannot read ${nameOf(knob, target)} back: ${messageOf(cause)}`;
    return { ...entry, outcome: "failed", found: null, isVerified: false, because };
  }
  const foundText = found === undefined ? null : textOf(knob, found);
  const isRight =
    found !== undefined && (decision.isExact ? isSame(knob, found, after) : isSatisfied(knob, found, after));
  if (isRight) {
    const despite = error === undefined ? "" : ` (in force although: ${messageOf(error)})`;
    return {
      ...entry,
      outcome: "changed",
      found: foundText,
      isVerified: true,
      because: step.because + despite,
    };
  }
  const wanted = `Cannot set ${nameOf(knob, target)} to ${quantityOf(knob, after)}`;
  if (error !== undefined) {
    const because = `${wanted}: ${messageOf(error)}`;
    return { ...entry, outcome: "failed", found: foundText, isVerified: false, because };
  }
  const isWaiting = knob.isPending?.(found, after) ?? step.takesEffect === "reboot";
  if (found !== undefined && isWaiting) {
    return { ...entry, outcome: "needs-reboot", found: foundText, isVerified: false, because: step.because };
  }
  const holds = foundText === null ? "it is not there any more" : `the host holds "${foundText}"`;
  const why = found === undefined ? [] : await explain(host, decision, found);
  const because = [`${wanted}: ${holds} after the write`, ...why].join("; ");
  return { ...entry, outcome: "failed", found: foundText, isVerified: false, because };
}

/** The knob's own words on a value that fell short, and what the host says about it now. */
async function explain(host: LiveHost, decision: Decision, found: unknown): Promise<string[]> {
  const { knob, target, after } = decision;
  const meaning = knob.explainShortfall?.(after, found);
  let state: string | undefined;
  try {
    state = await knob.readShortfall?.(host, target);
  } catch (cause) {
    state = messageOf(cause);
  }
  return [meaning, state].filter((part) => part !== undefined);
}
