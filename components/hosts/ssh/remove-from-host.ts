import { readFileSync } from "node:fs";
import path from "node:path";
import { DRIFT_TIMER } from "../../../host-tuning/boot/paths.ts";
import { EXIT_CODE } from "../../../host-tuning/exit-code.ts";
import { hostReportSchema } from "../../../host-tuning/report/host-report.ts";
import { describeFailures } from "../describe-failures.ts";
import { lookAtHost } from "./look-at-host.ts";
import { CHANGING_MILLIS, IN_AGENTS_TURN, TURN_FOLDER, askAgent, changeHost } from "./remote-agent.ts";
import { type HostConnection, HostError, withConnection } from "./ssh-connection.ts";
import type { TunedHostSpec } from "./tuned-host-spec.ts";
import type { Say } from "./tuning-progress.ts";

const UNINSTALL_SCRIPT = readFileSync(
  path.join(import.meta.dirname, "../../user-data/bedplate-uninstall.sh"),
  "utf8",
);

/** Puts everything back and takes the agent off the host, so that it is as it was before. */
export async function removeFromHost(args: {
  readonly spec: TunedHostSpec;
  readonly signal: AbortSignal;
  readonly say: Say;
}): Promise<{ readonly needsReboot: boolean }> {
  const { spec, signal, say } = args;
  return withConnection(spec.target, signal, async (connection) => {
    const look = await lookAtHost(connection, spec);
    if (look.agent === undefined && look.hasJournal) {
      throw new HostError(
        "HOST_FAILED",
        `${connection.place}: the agent is gone and its journal is not, so nobody can put the host's values back: run pulumi up, which installs the agent, and then this again`,
      );
    }
    const needsReboot = look.agent === undefined ? false : await rollBack(connection, spec, say);
    say("uninstalling");
    const units = spec.service === undefined ? [] : [spec.profile.service.unit];
    await changeHost(connection, "uninstall", ["sh", "-c", UNINSTALL_SCRIPT, "bedplate-uninstall", ...units]);
    return { needsReboot };
  });
}

/** The service goes first: it would lose its tuning while it serves; and no timer may find drift in what is put back. */
async function rollBack(connection: HostConnection, spec: TunedHostSpec, say: Say): Promise<boolean> {
  const service = spec.service === undefined ? [] : [spec.profile.service.unit];
  say("stopping");
  for (const unit of [...service, DRIFT_TIMER]) {
    const { exitCode } = await connection.run(["systemctl", "is-active", "--quiet", unit]);
    if (exitCode === 0) await changeHost(connection, `stop ${unit}`, ["systemctl", "stop", unit]);
  }
  say("rolling back");
  await changeHost(connection, "make its folders", ["mkdir", "-p", TURN_FOLDER]);
  const { answer, exitCode } = await askAgent(connection, hostReportSchema, ["rollback", "--log-json"], {
    timeoutMillis: CHANGING_MILLIS,
    turn: IN_AGENTS_TURN,
  });
  if (answer.counts.failed > 0) {
    throw new HostError(
      "HOST_FAILED",
      `${connection.place}: cannot put it back: ${describeFailures(answer)}`,
    );
  }
  return exitCode === EXIT_CODE.rebootNeeded;
}
