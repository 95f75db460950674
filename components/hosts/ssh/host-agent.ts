import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { DRIFT_TIMER, EARLY_UNIT, HOST_PATHS, LATE_UNIT } from "../../../host-tuning/boot/paths.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { EXIT_CODE } from "../../../host-tuning/exit-code.ts";
import { type HostFacts, hostFactsSchema } from "../../../host-tuning/facts/host-facts.ts";
import { parseContract } from "../../../host-tuning/profile/parse-contract.ts";
import { type HostReport, hostReportSchema } from "../../../host-tuning/report/host-report.ts";
import { packArchive, sha256Of } from "../../../tools/archive/pack.ts";
import { type FileEntry, renderHostFiles } from "../../user-data/render-user-data.ts";
import { describeFailures } from "../describe-failures.ts";
import { type HostChanges, agentPlanSchema, installationChanges, planChanges } from "./host-changes.ts";
import { type HostLook, parseHostLook } from "./host-look.ts";
import {
  type HostConnection,
  HostError,
  type RemoteInput,
  type RemoteResult,
  withConnection,
} from "./ssh-connection.ts";
import type { TunedHostSpec } from "./tuned-host-spec.ts";

/**
 * The agent on a machine that exists already: what of it is there, put there, run, taken away. Everything is done over one
 * connection by commands that can be repeated; a run that was cut off anywhere is finished by the next.
 */

const LOOK_SCRIPT = readFileSync(path.join(import.meta.dirname, "look-at-host.sh"), "utf8");
const UNINSTALL_SCRIPT = readFileSync(
  path.join(import.meta.dirname, "../../user-data/bedplate-uninstall.sh"),
  "utf8",
);

/** The agent's command in the archive that is in force. */
const AGENT = `${HOST_PATHS.agentCurrent}/bin/bedplate`;
/** Where archives wait for the installer. */
const UPLOADS = "/var/cache/bedplate";
/** Whoever starts the agent beside the boot's own units takes this in turn. */
const TURN_LOCK = "/run/bedplate/turn.lock";
const INSTALL_LOCK = "/run/bedplate-install.lock";

/** Generous: an emulated machine under load takes thirty times what hardware does. */
const LOOKING_MILLIS = 180_000;
const CHANGING_MILLIS = 900_000;
/** How long an earlier run on the host, whose Pulumi was killed, may still take; in seconds as flock has it. */
const TURN_SECONDS = 600;

/** Tells people what is being done. */
export type Say = (message: string) => void;

/** What a host is, as it was measured there. */
export interface TunedState {
  readonly look: HostLook;
  readonly facts: HostFacts;
  readonly report: HostReport;
}

/** A host whose agent reports failures: it is changed, and not as wanted. */
export class TuningFailed extends Error {
  override readonly name = "TuningFailed";
  readonly state: TunedState;

  constructor(place: string, state: TunedState) {
    super(`${place}: ${describeFailures(state.report)}`);
    this.state = state;
  }
}

/** What is on the host now; changes nothing. @throws {HostError} when nobody may work there */
export async function lookAtHost(connection: HostConnection, spec: TunedHostSpec): Promise<HostLook> {
  const { files, units } = wantedOn(spec);
  const words = ["sh", "-c", LOOK_SCRIPT, "look-at-host", ...units, "--", ...files.map((file) => file.path)];
  const { stdout, stderr, exitCode } = await connection.run(words, { timeoutMillis: LOOKING_MILLIS });
  if (exitCode !== 0) throw failed(connection, "look at the host", { stdout, stderr, exitCode });
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

export interface TuneArgs {
  readonly spec: TunedHostSpec;
  /** What an earlier up wanted: files of it that nobody wants any more go. */
  readonly before?: TunedHostSpec;
  readonly signal: AbortSignal;
  readonly say: Say;
  /** Called before the first change. */
  readonly onBegin: () => void;
}

/**
 * Installs the agent, tunes the host and starts the service. Whatever an earlier run left, the end is the same.
 *
 * @throws {HostError} when the host cannot be worked on
 * @throws {TuningFailed} when a value is not as wanted after all
 */
export async function tuneHost(args: TuneArgs): Promise<TunedState> {
  const { spec, signal, say } = args;
  say("logging in");
  const { state, isServiceStale, bootId } = await withConnection(spec.target, signal, (connection) =>
    installAndApply(connection, args),
  );
  if (state.report.counts.failed > 0) throw new TuningFailed(spec.name, state);
  if (state.report.reboot?.isAsked === true) await waitForBoot(args, bootId);
  await withConnection(spec.target, signal, async (connection) => {
    say("starting the units");
    await change(connection, "start the units", [HOST_PATHS.installer]);
    if (isServiceStale && spec.service !== undefined) {
      await change(connection, "restart the service", ["systemctl", "restart", spec.profile.service.unit]);
    }
    await change(connection, "remove the uploads", ["rm", "-f", ...archivesOf(spec).map(uploadOf)]);
  });
  return state;
}

async function installAndApply(connection: HostConnection, args: TuneArgs) {
  const { spec, say } = args;
  const look = await lookAtHost(connection, spec);
  refuseUnfit(connection, spec, look);
  args.onBegin();
  const turn = ["flock", "--timeout", String(TURN_SECONDS)];
  await change(connection, "make its folders", ["mkdir", "-p", UPLOADS, path.dirname(TURN_LOCK)]);
  await change(connection, "wait for an earlier installation", [...turn, INSTALL_LOCK, "true"]);
  await removeObsolete(connection, args);
  for (const archive of archivesOf(spec)) {
    if (archive.sha256 === look[archive.name]) continue;
    say(`copying the ${archive.name}`);
    await upload(connection, archive);
  }
  const { files } = wantedOn(spec);
  await writeFiles(connection, files);
  say("installing");
  await change(connection, "install the agent", [HOST_PATHS.installer, "--agent-only"]);
  const facts = await askAgent(connection, hostFactsSchema, ["facts"], { timeoutMillis: LOOKING_MILLIS });
  say("tuning");
  const bootId = await readBootId(connection);
  const report = await askAgent(connection, hostReportSchema, ["apply", "--log-json"], {
    timeoutMillis: CHANGING_MILLIS,
    turn: [...turn, TURN_LOCK],
    onLine: nowAndThen((line) => {
      const knob = knobOfEvent(line);
      if (knob !== undefined) say(`tuning: ${knob}`);
    }),
  });
  const unitFile = `${HOST_PATHS.unitFolder}/${spec.profile.service.unit}`;
  const unit = files.find((file) => file.path === unitFile);
  const isServiceStale =
    unit !== undefined &&
    look.files.has(unitFile) &&
    look.files.get(unitFile) !== sha256Of(unit.content) &&
    look.service === spec.service?.archive.sha256;
  return { state: { look, facts: facts.answer, report: report.answer }, isServiceStale, bootId };
}

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
    await change(connection, "uninstall", ["sh", "-c", UNINSTALL_SCRIPT, "bedplate-uninstall", ...units]);
    return { needsReboot };
  });
}

/** The service goes first: it would lose its tuning while it serves; and no timer may find drift in what is put back. */
async function rollBack(connection: HostConnection, spec: TunedHostSpec, say: Say): Promise<boolean> {
  const service = spec.service === undefined ? [] : [spec.profile.service.unit];
  say("stopping");
  for (const unit of [...service, DRIFT_TIMER]) {
    const { exitCode } = await connection.run(["systemctl", "is-active", "--quiet", unit]);
    if (exitCode === 0) await change(connection, `stop ${unit}`, ["systemctl", "stop", unit]);
  }
  say("rolling back");
  await change(connection, "make its folders", ["mkdir", "-p", path.dirname(TURN_LOCK)]);
  const { answer, exitCode } = await askAgent(connection, hostReportSchema, ["rollback", "--log-json"], {
    timeoutMillis: CHANGING_MILLIS,
    turn: ["flock", "--timeout", String(TURN_SECONDS), TURN_LOCK],
  });
  if (answer.counts.failed > 0) {
    throw new HostError(
      "HOST_FAILED",
      `${connection.place}: cannot put it back: ${describeFailures(answer)}`,
    );
  }
  return exitCode === EXIT_CODE.rebootNeeded;
}

/** @throws {HostError} before anything is changed */
function refuseUnfit(connection: HostConnection, spec: TunedHostSpec, look: HostLook): void {
  if (look.missingTools.length > 0) {
    throw new HostError(
      "HOST_REFUSED",
      `${connection.place} lacks ${look.missingTools.join(", ")}: install them, or use another machine`,
    );
  }
  const wanted = spec.architecture === "arm64" ? "aarch64" : "x86_64";
  if (look.architecture !== wanted) {
    throw new HostError(
      "HOST_REFUSED",
      `${connection.place} is ${look.architecture} and its pool needs ${spec.architecture}: put it into a pool with another needs.architecture`,
    );
  }
}

interface WantedOnHost {
  readonly files: readonly FileEntry[];
  /** Enabled, so that the next boot starts them. */
  readonly units: readonly string[];
}

function wantedOn(spec: TunedHostSpec): WantedOnHost {
  const placed = ({ sha256 }: { readonly sha256: string }) => ({
    url: `file://${uploadOf({ sha256 })}`,
    sha256,
  });
  const { service } = spec;
  const files = renderHostFiles({
    profile: spec.profile,
    artifacts: {
      agent: placed(spec.agent),
      ...(service === undefined ? {} : { service: placed(service.archive) }),
    },
    ...(service === undefined ? {} : { service: service.settings }),
  });
  const units = [EARLY_UNIT, LATE_UNIT, DRIFT_TIMER];
  return { files, units: service === undefined ? units : [...units, spec.profile.service.unit] };
}

interface HostArchive {
  readonly name: "agent" | "service";
  readonly path: string;
  readonly sha256: string;
}

function archivesOf({ agent, service }: TunedHostSpec): HostArchive[] {
  return [
    { name: "agent" as const, ...agent },
    ...(service === undefined ? [] : [{ name: "service" as const, ...service.archive }]),
  ];
}

function uploadOf({ sha256 }: { readonly sha256: string }): string {
  return `${UPLOADS}/${sha256}.tar.gz`;
}

/** The installer checks the digest before it unpacks: an upload that was cut off is no fault of the next. */
async function upload(connection: HostConnection, archive: HostArchive): Promise<void> {
  const words = ["dd", `of=${uploadOf(archive)}`, "bs=1M", "iflag=fullblock", "status=none"];
  await change(connection, `copy the ${archive.name}`, words, { file: archive.path });
}

/** As a tar stream: folders that are there keep their owner, mode and times. */
async function writeFiles(connection: HostConnection, files: readonly FileEntry[]): Promise<void> {
  const packed = await packArchive(
    files.map((file) => ({
      name: file.path.slice(1),
      content: Buffer.from(file.content),
      isExecutable: file.permissions === "0755",
    })),
  );
  const options = ["--no-same-owner", "--no-overwrite-dir", "--keep-directory-symlink", "--touch"];
  await change(connection, "write its files", ["tar", "-xzf", "-", "-C", "/", ...options], packed);
}

/** Files of the last up that this one does not want: a drop-in, or the unit of a service that is gone. */
async function removeObsolete(connection: HostConnection, { spec, before }: TuneArgs): Promise<void> {
  if (before === undefined) return;
  const kept = new Set(wantedOn(spec).files.map((file) => file.path));
  const obsolete = wantedOn(before)
    .files.map((file) => file.path)
    .filter((file) => !kept.has(file));
  if (
    before.service !== undefined &&
    obsolete.includes(`${HOST_PATHS.unitFolder}/${before.profile.service.unit}`)
  ) {
    const unit = before.profile.service.unit;
    await change(connection, `stop ${unit}`, ["systemctl", "disable", "--quiet", "--now", unit]);
  }
  if (obsolete.length > 0) await change(connection, "remove what is not wanted", ["rm", "-f", ...obsolete]);
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const REBOOT_MILLIS = 900_000;
const LOOK_AGAIN_MILLIS = 5000;

async function readBootId(connection: HostConnection): Promise<string> {
  const { stdout } = await connection.run(["cat", BOOT_ID]);
  return stdout.trim();
}

/** The profile lets the agent reboot the host once: what comes after has to wait for the boot that has it all. */
async function waitForBoot({ spec, signal, say }: TuneArgs, bootId: string): Promise<void> {
  const deadline = performance.now() + REBOOT_MILLIS;
  say("waiting for its reboot");
  for (;;) {
    const now = await withConnection(spec.target, signal, readBootId).catch((error: unknown) => {
      if (error instanceof HostError && error.code === "HOST_UNREACHABLE") return bootId;
      throw error;
    });
    if (now !== bootId) return;
    if (performance.now() > deadline) {
      throw new HostError("HOST_SLOW", `${spec.name}: not back from its reboot in ${REBOOT_MILLIS / 1000} s`);
    }
    await sleep(LOOK_AGAIN_MILLIS, undefined, { signal });
  }
}

/** Runs a command that has to succeed. */
async function change(
  connection: HostConnection,
  what: string,
  words: readonly string[],
  input?: RemoteInput,
): Promise<void> {
  const result = await connection.run(words, {
    timeoutMillis: CHANGING_MILLIS,
    ...(input === undefined ? {} : { input }),
  });
  if (result.exitCode !== 0) throw failed(connection, what, result);
}

function failed(
  connection: HostConnection,
  what: string,
  { stdout, stderr, exitCode }: RemoteResult,
): HostError {
  const said = (stderr || stdout).trim().slice(-2000) || `exit code ${exitCode}`;
  return new HostError("HOST_FAILED", `${connection.place}: cannot ${what}: ${said}`);
}

interface AskOptions {
  readonly timeoutMillis: number;
  readonly input?: string;
  readonly onLine?: (line: string) => void;
  /** Words before the command. */
  readonly turn?: readonly string[];
}

const agentErrorSchema = z.object({ kind: z.literal("Error"), message: z.string() });

/** Runs a verb of the installed agent and reads its answer. @throws {HostError} with the agent's own words */
async function askAgent<S extends z.ZodType>(
  connection: HostConnection,
  schema: S,
  verb: readonly string[],
  { turn = [], ...options }: AskOptions,
): Promise<{ readonly answer: z.output<S>; readonly exitCode: number }> {
  const result = await connection.run([...turn, AGENT, ...verb, "--json"], options);
  return {
    answer: parseAnswer(schema, result, `${connection.place}: bedplate ${verb[0]}`),
    exitCode: result.exitCode,
  };
}

/** @throws {HostError} when the agent failed, or said what this version does not understand */
export function parseAnswer<S extends z.ZodType>(
  schema: S,
  { stdout, stderr, exitCode }: RemoteResult,
  source: string,
): z.output<S> {
  let data: unknown;
  try {
    data = JSON.parse(stdout);
  } catch (cause) {
    const said = (stderr || stdout).trim().slice(-2000) || "nothing";
    throw new HostError("HOST_FAILED", `${source} ended with exit code ${exitCode} and said: ${said}`, {
      cause,
    });
  }
  const refusal = agentErrorSchema.safeParse(data);
  if (refusal.success) throw new HostError("HOST_FAILED", `${source}: ${refusal.data.message}`);
  try {
    return parseContract(schema, data, source);
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    throw new HostError("HOST_FAILED", `Cannot understand the agent there: ${cause.message}`, { cause });
  }
}

const SAY_EVERY_MILLIS = 1000;

/** The agent logs every setting: nobody can read two hundred lines of progress in a second. */
function nowAndThen(say: (line: string) => void): (line: string) => void {
  let nextMillis = 0;
  return (line) => {
    if (performance.now() < nextMillis) return;
    nextMillis = performance.now() + SAY_EVERY_MILLIS;
    say(line);
  };
}

const eventSchema = z.object({ knob: z.string() });

/** The knob that a line of the agent's log is about. */
function knobOfEvent(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return eventSchema.safeParse(JSON.parse(line)).data?.knob;
  } catch {
    // A line of another program, or one that was cut: progress only.
    return undefined;
  }
}
