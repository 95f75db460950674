import { readFileSync } from "node:fs";
import path from "node:path";
import { type HostFacts, hostFactsSchema } from "../../../host-tuning/facts/host-facts.ts";
import { type HostReport, hostReportSchema } from "../../../host-tuning/report/host-report.ts";
import { type HostChanges, agentPlanSchema, installationChanges, planChanges } from "./host-changes.ts";
import { type HostLook, parseHostLook } from "./host-look.ts";
import { LOOKING_MILLIS, askAgent, failedTo } from "./remote-agent.ts";
import { type HostConnection, HostError } from "./ssh-connection.ts";
import type { TunedHostSpec } from "./tuned-host-spec.ts";
import { wantedOn } from "./wanted-on-host.ts";

/** What of the agent is on a machine that exists already, and what an up would change there. Changes nothing. */

const LOOK_SCRIPT = readFileSync(path.join(import.meta.dirname, "look-at-host.sh"), "utf8");

/** What a host is, as it was measured there. */
export interface TunedState {
  readonly look: HostLook;
  readonly facts: HostFacts;
  readonly report: HostReport;
}

/** What is on the host now; changes nothing. @throws {HostError} when nobody may work there */
export async function lookAtHost(connection: HostConnection, spec: TunedHostSpec): Promise<HostLook> {
  const { files, units } = wantedOn(spec);
  const words = ["sh", "-c", LOOK_SCRIPT, "look-at-host", ...units, "--", ...files.map((file) => file.path)];
  const { stdout, stderr, exitCode } = await connection.run(words, { timeoutMillis: LOOKING_MILLIS });
  if (exitCode !== 0) throw failedTo(connection, "look at the host", { stdout, stderr, exitCode });
  const look = parseHostLook(stdout, connection.place);
  if (look.uid !== 0) {
    throw new HostError(
      "HOST_REFUSED",
      `${connection.place} is uid ${look.uid} and the agent needs root: set sudo: true, or another user`,
    );
  }
  return look;
}

/** What an up would change on the host, by the agent's own plan for the wanted profile; changes nothing. */
export async function readChanges(connection: HostConnection, spec: TunedHostSpec): Promise<HostChanges> {
  const look = await lookAtHost(connection, spec);
  const installation = installationChanges(spec, look, wantedOn(spec));
  // No agent, no plan; and another version's plan is not what up will do.
  if (look.agent !== spec.agent.sha256) return installation;
  const plan = await askAgent(connection, agentPlanSchema, ["plan", "--profile", "/dev/stdin"], {
    input: JSON.stringify(spec.profile),
    timeoutMillis: LOOKING_MILLIS,
  });
  return { ...installation, ...planChanges(plan.answer) };
}

/** Reads every value of the host back; undefined where there is no agent. Changes nothing. */
export async function readTunedState(
  connection: HostConnection,
  spec: TunedHostSpec,
): Promise<TunedState | undefined> {
  const look = await lookAtHost(connection, spec);
  if (look.agent === undefined) return undefined;
  const options = { timeoutMillis: LOOKING_MILLIS };
  const facts = await askAgent(connection, hostFactsSchema, ["facts"], options);
  const report = await askAgent(connection, hostReportSchema, ["verify"], options);
  return { look, facts: facts.answer, report: report.answer };
}
