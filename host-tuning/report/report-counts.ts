import { type HostReport, type Outcome, type ReportEntry, OUTCOMES } from "./host-report.ts";

/** How many entries came out in which way, and how many had drifted. */
export function countsOf(entries: readonly ReportEntry[]): Pick<HostReport, "counts" | "drifted"> {
  const count = (outcome: Outcome): number => entries.filter((entry) => entry.outcome === outcome).length;
  return {
    counts: Object.fromEntries(OUTCOMES.map((outcome) => [outcome, count(outcome)])) as Record<
      Outcome,
      number
    >,
    drifted: entries.filter((entry) => entry.isDrifted).length,
  };
}
