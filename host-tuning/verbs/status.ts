import { statusOf } from "../engine/status-of.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { KNOBS } from "../knobs/index.ts";
import { renderStatus } from "../report/render-status.ts";
import { openHost } from "../sys/live-host.ts";
import { type CommonOptions, writeJson } from "./verb-frame.ts";

/** What Bedplate holds changed, since when, and whether it is still in force. */
export async function status(options: CommonOptions): Promise<ExitCode> {
  const hostStatus = await statusOf({ host: openHost(options.root), knobs: KNOBS });
  if (options.json === true) writeJson(hostStatus);
  else process.stdout.write(renderStatus(hostStatus));
  return hostStatus.drifted > 0 ? EXIT_CODE.drift : EXIT_CODE.asWanted;
}
