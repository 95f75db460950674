import { exitCodeOf } from "../engine/report-of.ts";
import { verifyHost } from "../engine/verify-host.ts";
import type { ExitCode } from "../exit-code.ts";
import { renderReport } from "../report/render-report.ts";
import { writeJson } from "./verb-frame.ts";
import { type PlanningOptions, readVerbInput } from "./verb-input.ts";
import { watcher } from "./watcher.ts";

/** Re-reads every value; changes nothing. */
export async function verify(options: PlanningOptions): Promise<ExitCode> {
  const observer = watcher(options);
  const report = await verifyHost({ ...(await readVerbInput(options)), observer });
  if (options.json === true) writeJson(report);
  else process.stdout.write(renderReport(report, options));
  return exitCodeOf(report);
}
