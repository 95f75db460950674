import { watchDrift } from "../engine/drift-watch.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { refreshTextfile } from "../metrics/textfile.ts";
import type { DriftReport } from "../report/drift-report.ts";
import { renderDrift } from "../report/render-drift.ts";
import { openHost } from "../sys/live-host.ts";
import { writeJson } from "./verb-frame.ts";
import { type PlanningOptions, readVerbInput } from "./verb-input.ts";
import { watcher } from "./watcher.ts";

export interface DriftOptions extends PlanningOptions {
  readonly textfile?: boolean;
}

/** What somebody changed after us, since when and who; puts it back where the profile says so. The timer runs this. */
export async function drift(options: DriftOptions): Promise<ExitCode> {
  const observer = watcher(options);
  let report: DriftReport;
  try {
    report = await watchDrift({ ...(await readVerbInput(options)), observer });
  } finally {
    // Also when looking failed: then the age of the last look tells of it.
    if (options.textfile === true) await refreshTextfile(openHost(options.root));
  }
  if (options.json === true) writeJson(report);
  else process.stdout.write(renderDrift(report));
  if (report.entries.some((entry) => entry.action === "heal-failed")) return EXIT_CODE.failed;
  return report.standing > 0 ? EXIT_CODE.drift : EXIT_CODE.asWanted;
}
