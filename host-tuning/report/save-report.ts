import { HOST_PATHS } from "../boot/paths.ts";
import type { Host } from "../sys/host.ts";
import { type ConfirmationState, type HostReport, hostReportSchema } from "./host-report.ts";
import { countsOf } from "./report-counts.ts";

/** The last apply of this boot, and the last apply of all. */
export const REPORT_PATHS = ["/run/bedplate/report.json", HOST_PATHS.report] as const;

/**
 * Keeps a report on the host for whoever asks later. At boot apply runs twice, before the network and after devices are
 * found: the second adds to the first, so that one file tells of every setting.
 *
 * @throws {TuningError} HOST_WRITE
 */
export async function saveReport(host: Host, report: HostReport): Promise<void> {
  const [ofThisBoot] = REPORT_PATHS;
  const earlier = parseReport(await host.readText(ofThisBoot));
  const whole = earlier === undefined ? report : joinPhases(earlier, report);
  const text = `${JSON.stringify(whole, null, 2)}\n`;
  for (const path of REPORT_PATHS) await host.writeConfigFile(path, text);
}

/** What cannot be understood is replaced: it is a copy for readers, and no source of anything. */
function parseReport(text: string | undefined): HostReport | undefined {
  if (text === undefined) return undefined;
  try {
    return hostReportSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Both phases of one boot as one report; anything else is two runs of which only the later counts. */
export function joinPhases(earlier: HostReport, later: HostReport): HostReport {
  const isOtherPhase = later.phase !== "all" && earlier.phase !== later.phase;
  if (!isOtherPhase || earlier.bootId !== later.bootId || earlier.verb !== later.verb) return later;
  const confirmations = joinConfirmations(earlier.confirmations ?? [], later.confirmations ?? []);
  const network = [...(earlier.network ?? []), ...(later.network ?? [])];
  const repairs = network.length === 0 ? {} : { network };
  const keys = new Set(later.entries.map((entry) => entry.key));
  const kept = earlier.entries.filter((entry) => !keys.has(entry.key));
  const entries = [...kept, ...later.entries];
  if (earlier.phase === "all") {
    // The other phase again, on top of a whole: its times have been told already.
    return { ...later, phase: "all", ...countsOf(entries), entries, ...confirmations, ...repairs };
  }
  const named = (report: HostReport): HostReport["phases"] =>
    report.phases.map((phase) => ({ ...phase, name: `${report.phase}: ${phase.name}` }));
  return {
    ...later,
    phase: "all",
    startedAt: earlier.startedAt,
    durationMillis: Math.round((earlier.durationMillis + later.durationMillis) * 100) / 100,
    phases: [...named(earlier), ...named(later)],
    planDigest: null,
    ...countsOf(entries),
    entries,
    ...confirmations,
    ...repairs,
  };
}

/** The later word on a change is the last; where it is silent, the earlier one stands. */
function joinConfirmations(
  earlier: readonly ConfirmationState[],
  later: readonly ConfirmationState[],
): Pick<HostReport, "confirmations"> {
  const told = new Set(later.flatMap(({ keys }) => keys));
  const all = [...earlier.filter(({ keys }) => !keys.every((key) => told.has(key))), ...later];
  return all.length === 0 ? {} : { confirmations: all };
}
