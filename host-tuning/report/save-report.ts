import type { Host } from "../sys/host.ts";
import type { HostReport } from "./host-report.ts";

/** The last apply of this boot, and the last apply of all. */
export const REPORT_PATHS = ["/run/bedplate/report.json", "/var/lib/bedplate/report.json"] as const;

/** Keeps a report on the host for whoever asks later. @throws {TuningError} HOST_WRITE */
export async function saveReport(host: Host, report: HostReport): Promise<void> {
  const text = `${JSON.stringify(report, null, 2)}\n`;
  for (const path of REPORT_PATHS) await host.writeConfigFile(path, text);
}
