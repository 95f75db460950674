import { setTimeout as sleep } from "node:timers/promises";
import { HOST_PATHS } from "../../../host-tuning/boot/paths.ts";
import { hostFactsSchema } from "../../../host-tuning/facts/host-facts.ts";
import { hostReportSchema } from "../../../host-tuning/report/host-report.ts";
import { packArchive, sha256Of } from "../../../tools/archive/pack.ts";
import type { FileEntry } from "../../user-data/render-user-data.ts";
import { describeFailures } from "../describe-failures.ts";
import type { HostLook } from "./host-look.ts";
import { type TunedState, lookAtHost } from "./look-at-host.ts";
import {
  CHANGING_MILLIS,
  IN_AGENTS_TURN,
  IN_INSTALLERS_TURN,
  LOOKING_MILLIS,
  TURN_FOLDER,
  askAgent,
  changeHost,
} from "./remote-agent.ts";
import { type HostConnection, HostError, withConnection } from "./ssh-connection.ts";
import type { TunedHostSpec } from "./tuned-host-spec.ts";
import { type Say, knobOfEvent, nowAndThen } from "./tuning-progress.ts";
import { type HostArchive, UPLOADS, archivesOf, uploadOf, wantedOn } from "./wanted-on-host.ts";

/**
 * The agent put on a machine that exists already, and run. Everything is done over one connection by commands that can be
 * repeated; a run that was cut off anywhere is finished by the next.
 */

/** A host whose agent reports failures: it is changed, and not as wanted. */
export class TuningFailed extends Error {
  override readonly name = "TuningFailed";
  readonly state: TunedState;

  constructor(place: string, state: TunedState) {
    super(`${place}: ${describeFailures(state.report)}`);
    this.state = state;
  }
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
    await changeHost(connection, "start the units", [HOST_PATHS.installer]);
    if (isServiceStale && spec.service !== undefined) {
      await changeHost(connection, "restart the service", [
        "systemctl",
        "restart",
        spec.profile.service.unit,
      ]);
    }
    await changeHost(connection, "remove the uploads", ["rm", "-f", ...archivesOf(spec).map(uploadOf)]);
  });
  return state;
}

async function installAndApply(connection: HostConnection, args: TuneArgs) {
  const { spec, say } = args;
  const look = await lookAtHost(connection, spec);
  refuseUnfit(connection, spec, look);
  args.onBegin();
  await changeHost(connection, "make its folders", ["mkdir", "-p", UPLOADS, TURN_FOLDER]);
  await changeHost(connection, "wait for an earlier installation", [...IN_INSTALLERS_TURN, "true"]);
  await removeObsolete(connection, args);
  for (const archive of archivesOf(spec)) {
    if (archive.sha256 === look[archive.name]) continue;
    say(`copying the ${archive.name}`);
    await upload(connection, archive);
  }
  const { files } = wantedOn(spec);
  await writeFiles(connection, files);
  say("installing");
  await changeHost(connection, "install the agent", [HOST_PATHS.installer, "--agent-only"]);
  const facts = await askAgent(connection, hostFactsSchema, ["facts"], { timeoutMillis: LOOKING_MILLIS });
  say("tuning");
  const bootId = await readBootId(connection);
  const report = await askAgent(connection, hostReportSchema, ["apply", "--log-json"], {
    timeoutMillis: CHANGING_MILLIS,
    turn: IN_AGENTS_TURN,
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

/** The installer checks the digest before it unpacks: an upload that was cut off is no fault of the next. */
async function upload(connection: HostConnection, archive: HostArchive): Promise<void> {
  const words = ["dd", `of=${uploadOf(archive)}`, "bs=1M", "iflag=fullblock", "status=none"];
  await changeHost(connection, `copy the ${archive.name}`, words, { file: archive.path });
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
  await changeHost(connection, "write its files", ["tar", "-xzf", "-", "-C", "/", ...options], packed);
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
    await changeHost(connection, `stop ${unit}`, ["systemctl", "disable", "--quiet", "--now", unit]);
  }
  if (obsolete.length > 0)
    await changeHost(connection, "remove what is not wanted", ["rm", "-f", ...obsolete]);
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
