import { exitCodeOf } from "../engine/report-of.ts";
import { rollbackHost } from "../engine/rollback-host.ts";
import { rollbackUnconfirmed } from "../engine/rollback-unconfirmed.ts";
import type { ExitCode } from "../exit-code.ts";
import { KNOBS } from "../knobs/index.ts";
import { renderReport } from "../report/render-report.ts";
import { openHost } from "../sys/live-host.ts";
import { type CommonOptions, writeJson } from "./verb-frame.ts";
import { watcher } from "./watcher.ts";

export interface RollbackOptions extends CommonOptions {
  readonly unconfirmed?: boolean;
}

/** Puts every original of the journal back, or only what nobody confirmed. Needs neither facts nor a profile, so that a broken one cannot stop it. */
export async function rollback(options: RollbackOptions): Promise<ExitCode> {
  const host = openHost(options.root);
  const [hostname, kernelRelease] = await Promise.all(
    ["hostname", "osrelease"].map(
      async (name) => (await host.readText(`/proc/sys/kernel/${name}`))?.trim() ?? null,
    ),
  );
  const roll = options.unconfirmed === true ? rollbackUnconfirmed : rollbackHost;
  const report = await roll({
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
