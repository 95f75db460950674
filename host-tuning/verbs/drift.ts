import { watchDrift } from "../engine/drift-watch.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { renderDrift } from "../report/render-drift.ts";
import { writeJson } from "./verb-frame.ts";
import { type PlanningOptions, readVerbInput } from "./verb-input.ts";
import { watcher } from "./watcher.ts";

/** What somebody changed after us, since when and who; puts it back where the profile says so. The timer runs this. */
export async function drift(options: PlanningOptions): Promise<ExitCode> {
  const observer = watcher(options);
  const report = await watchDrift({ ...(await readVerbInput(options)), observer });
  if (options.json === true) writeJson(report);
  else process.stdout.write(renderDrift(report));
  if (report.entries.some((entry) => entry.action === "heal-failed")) return EXIT_CODE.failed;
  return report.standing > 0 ? EXIT_CODE.drift : EXIT_CODE.asWanted;
}
