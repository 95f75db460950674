import { exitCodeOf } from "../engine/report-of.ts";
import { verifyHost } from "../engine/verify-host.ts";
import type { ExitCode } from "../exit-code.ts";
import { readServiceNamespaces } from "../namespaces/read-namespaces.ts";
import { renderNamespaces } from "../report/render-namespaces.ts";
import { renderReport } from "../report/render-report.ts";
import { writeJson } from "./verb-frame.ts";
import { type PlanningOptions, readVerbInput } from "./verb-input.ts";
import { watcher } from "./watcher.ts";

/** Re-reads every value; changes nothing. */
export async function verify(options: PlanningOptions): Promise<ExitCode> {
  const observer = watcher(options);
  const input = await readVerbInput(options);
  const [checked, namespaces] = await Promise.all([
    verifyHost({ ...input, observer }),
    readServiceNamespaces(input),
  ]);
  const report = { ...checked, namespaces };
  if (options.json === true) writeJson(report);
  else process.stdout.write(renderReport(report, options) + renderNamespaces(namespaces, options));
  return exitCodeOf(report);
}
