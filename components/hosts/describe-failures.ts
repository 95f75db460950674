import type { HostReport } from "../../host-tuning/report/host-report.ts";

/** So many failures are named; the report itself has all. */
const MAX_NAMED = 10;

/** What an agent reports as failed and why, for people who wait for the host. */
export function describeFailures(report: HostReport): string {
  const failed = report.entries.filter((entry) => entry.outcome === "failed");
  const named = failed.slice(0, MAX_NAMED).map((entry) => `\n  ${entry.key}: ${entry.because}`);
  const rest = failed.length > MAX_NAMED ? `\n  and ${failed.length - MAX_NAMED} more` : "";
  return `the agent reports ${failed.length} of ${report.entries.length} settings as failed${named.join("")}${rest}`;
}
