import type { ReportEntry } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import type { Past } from "./own-changes.ts";
import type { Decision } from "./decision.ts";

/** The configuration says it already, and the next boot brings it about. */
export async function waitsForReboot(host: LiveHost, { step, knob }: Decision): Promise<boolean> {
  if (step.action === "needs-reboot") return true;
  if (step.action !== "set" || step.takesEffect !== "reboot" || step.writes.length === 0) return false;
  // A knob that can tell by itself has done so in the plan.
  if (knob.isPending !== undefined) return false;
  for (const write of step.writes) {
    if (write.kind !== "config-file") return false;
    if ((await host.readText(write.path)) !== (write.text ?? undefined)) return false;
  }
  return true;
}

/** Settings whose configuration has stood there, unchanged, since an earlier boot: the reboot was in vain. */
export async function keysRebootedFor(
  host: LiveHost,
  decisions: readonly Decision[],
  past: Past | undefined,
): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for (const decision of decisions) {
    const { step } = decision;
    const since = past?.state.steps.get(step.key)?.sameSince;
    const isOlder =
      since !== undefined && since.bootId !== past?.bootId && since.valueText === step.afterText;
    const isWaiting = step.action === "needs-reboot" || (await waitsForReboot(host, decision));
    if (isOlder && isWaiting) keys.add(step.key);
  }
  return keys;
}

/** A reboot was to bring it and has not; another one would not either. */
export function afterFutileReboot(entry: ReportEntry): ReportEntry {
  if (entry.outcome !== "needs-reboot") return entry;
  const holds = entry.found === null ? "it is not there any more" : `the host holds "${entry.found}"`;
  return {
    ...entry,
    outcome: "failed",
    because: `Cannot set ${entry.key} to "${entry.wanted ?? ""}": the host has rebooted since it was written, and ${holds}; ${entry.because}`,
  };
}
