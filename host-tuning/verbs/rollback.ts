import { exitCodeOf } from "../engine/report-of.ts";
import { rollbackHost } from "../engine/rollback-host.ts";
import type { ExitCode } from "../exit-code.ts";
import { KNOBS } from "../knobs/index.ts";
import { renderReport } from "../report/render-report.ts";
import { openHost } from "../sys/live-host.ts";
import { type CommonOptions, writeJson } from "./verb-frame.ts";
import { watcher } from "./watcher.ts";

/** Puts every original of the journal back. Needs neither facts nor a profile, so that a broken one cannot stop it. */
export async function rollback(options: CommonOptions): Promise<ExitCode> {
  const host = openHost(options.root);
  const [hostname, kernelRelease] = await Promise.all(
    ["hostname", "osrelease"].map(
      async (name) => (await host.readText(`/proc/sys/kernel/${name}`))?.trim() ?? null,
    ),
  );
  const report = await rollbackHost({
    host,
    knobs: KNOBS,
    hostname: hostname ?? null,
    kernelRelease: kernelRelease ?? null,
    observer: watcher(options),
  });
  if (options.json === true) writeJson(report);
  else process.stdout.write(renderReport(report));
  return exitCodeOf(report);
}
