import { mkdir, realpath, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { parseContract } from "../../../host-tuning/profile/parse-contract.ts";
import { chooseAccelerator } from "./accelerator.ts";
import { withExclusiveLock } from "./exclusive-lock.ts";
import {
  refuseFailedTuning,
  waitForCloudInit,
  waitForReport,
  waitForService,
  waitForSsh,
} from "./guest-wait.ts";
import type { VmImage } from "./image/image-cache.ts";
import { recipeOf } from "./image/recipe.ts";
import { ensureLocalImage } from "./local-image.ts";
import { findVmProcesses, makeVm, startVm } from "./make-vm.ts";
import { ensureParts } from "./packages.ts";
import { isAlive, killProcess, type ProcessIdentity } from "./process-identity.ts";
import {
  closeSshMaster,
  copyOverSsh,
  hasSshMaster,
  openSshMaster,
  runSsh,
  type SshTarget,
  sshCommand,
} from "./ssh-client.ts";
import { LocalVmError } from "./vm-error.ts";
import { type LocalVmSpec, type LocalVmSpecInput, localVmSpecSchema, replacedFor } from "./vm-spec.ts";
import type { BringUpOptions, LocalVm, LocalVmBringUp, LocalVmPhase, LocalVmState } from "./vm-state.ts";
import {
  cacheDir,
  defaultStateDir,
  readRecord,
  removeRecord,
  saveReport,
  type VmRecord,
} from "./vm-store.ts";

export { defaultStateDir } from "./vm-store.ts";
export { artifactUrl, localVmSpecSchema } from "./vm-spec.ts";
export type { LocalVmSpec, LocalVmSpecInput } from "./vm-spec.ts";
export type { BringUpOptions, LocalVm, LocalVmBringUp, LocalVmProgress, LocalVmState } from "./vm-state.ts";
export { LocalVmError } from "./vm-error.ts";

const LOCK_WAIT_MILLIS = 120_000;
const POWERDOWN_MILLIS = 60_000;
const REMINDER_MILLIS = 15_000;

interface Started {
  readonly record: VmRecord;
  readonly qemu: ProcessIdentity;
  /** Made by this call: nothing on its disks is anybody's yet. */
  readonly isNew: boolean;
}

/** Measures phases and passes progress on. */
class PhaseClock {
  readonly phases: { name: LocalVmPhase; durationMillis: number }[] = [];
  readonly #progress: NonNullable<BringUpOptions["progress"]>;

  constructor(progress: BringUpOptions["progress"]) {
    this.#progress = progress ?? (() => undefined);
  }

  async run<T>(
    name: LocalVmPhase,
    message: string,
    body: (say: (message: string) => void) => Promise<T>,
  ): Promise<T> {
    const startedAt = performance.now();
    const elapsedMillis = (): number => Math.round(performance.now() - startedAt);
    let current = message;
    const say = (text: string): void => {
      current = text;
      this.#progress({ phase: name, message: text });
    };
    say(message);
    const reminder = setInterval(() => {
      this.#progress({ phase: name, message: `${current} (${Math.round(elapsedMillis() / 1000)} s)` });
    }, REMINDER_MILLIS);
    try {
      return await body(say);
    } finally {
      clearInterval(reminder);
      const known = this.phases.find((phase) => phase.name === name);
      if (known === undefined) this.phases.push({ name, durationMillis: elapsedMillis() });
      else known.durationMillis += elapsedMillis();
    }
  }
}

function stateOf(stateDir: string, record: VmRecord, isRunning: boolean): LocalVmState {
  return {
    name: record.spec.name,
    id: record.id,
    stateDir,
    spec: record.spec,
    isRunning,
    accelerator: record.accelerator,
    address: "127.0.0.1",
    sshPort: record.sshPort,
    servicePort: record.servicePort,
    sshCommand: sshCommand(stateDir, record.sshPort),
  };
}

/**
 * Has the guest power off, which writes its disks out; after a minute, or where it does not answer, the power is cut. Not
 * by its power button, which is systemd-logind's and the image has none.
 */
async function powerDown(target: SshTarget, qemu: ProcessIdentity): Promise<void> {
  const isConnected = (await hasSshMaster(target)) || (await openSshMaster(target));
  const deadline = Date.now() + POWERDOWN_MILLIS;
  if (isConnected && (await runSsh(target, "systemctl --no-block poweroff")).exitCode === 0) {
    while ((await isAlive(qemu)) && Date.now() < deadline) await sleep(200);
  }
  await closeSshMaster(target);
  await killProcess(qemu);
}

async function killAll(qemus: readonly ProcessIdentity[]): Promise<void> {
  await Promise.all(qemus.map((qemu) => killProcess(qemu)));
}

/** A VM of this spec that runs already, else `undefined`. */
async function findRunning(stateDir: string, spec: LocalVmSpec): Promise<Started | undefined> {
  const record = await readRecord(stateDir);
  const [qemu, ...others] = await findVmProcesses(stateDir);
  if (record?.isComplete !== true || qemu === undefined || others.length > 0) return undefined;
  return isDeepStrictEqual(record.spec, spec) ? { record, qemu, isNew: false } : undefined;
}

/** Brings the folder from whatever state a former run left it in to a started QEMU of `spec`. */
async function startFrom(
  stateDir: string,
  spec: LocalVmSpec,
  image: VmImage,
  say: (message: string) => void,
): Promise<Started> {
  const qemus = await findVmProcesses(stateDir);
  const record = await readRecord(stateDir);
  const { accelerator, because } = await chooseAccelerator({ ...image, cacheDir: cacheDir() });
  const how = accelerator === "kvm" ? `KVM: ${because}` : `software emulation: ${because}`;
  const isKept =
    record?.isComplete === true &&
    replacedFor(record.spec, spec).length === 0 &&
    record.rootDiskSha256 === image.manifest.files["root.qcow2"]?.sha256;
  if (isKept) {
    const [qemu] = qemus;
    if (qemus.length === 1 && qemu !== undefined) {
      say("restarting the VM: its size or ports changed");
      await powerDown({ stateDir, sshPort: record.sshPort }, qemu);
    } else await killAll(qemus);
    say(`starting the VM again (${how})`);
    return { ...(await startVm(stateDir, { ...record, spec, accelerator }, image)), isNew: false };
  }
  if (record !== undefined)
    say("replacing the VM that is there: it is of another spec or image, or was never complete");
  await killAll(qemus);
  say(`starting a new VM (${how})`);
  const made = await makeVm(stateDir, spec, image, accelerator);
  return { ...(await startVm(stateDir, made, image)), isNew: true };
}

/**
 * Makes the VM of `spec`, or finds it running, or starts it again, and waits until it is ready as the spec's readiness
 * says. Whatever an earlier call left, even one that was killed half-way, the end is the same. A VM whose change needs
 * it (`replacedFor`) is replaced, disks and all. When QEMU ends by itself meanwhile it is started once more: anew
 * where this call had made the VM, else with its disks.
 *
 * @throws {InputError} for a wrong spec, with every fault
 * @throws {LocalVmError} when it cannot be made or does not become ready; QEMU is then stopped and its logs are kept
 */
export async function bringUp(
  input: LocalVmSpecInput,
  options: BringUpOptions = {},
): Promise<LocalVmBringUp> {
  const spec = parseContract(localVmSpecSchema, input, "LocalVm");
  const clock = new PhaseClock(options.progress);
  const asked = options.stateDir ?? defaultStateDir(spec.name);
  await mkdir(asked, { recursive: true, mode: 0o700 });
  const stateDir = await realpath(asked);
  await clock.run("packages", "checking for QEMU and mmdebstrap", ensureParts);
  const { signal } = options;
  const started = await start({ stateDir, spec, clock, signal });
  try {
    return await waitUntilReady(started, { stateDir, spec, clock, signal });
  } catch (error) {
    if (!(error instanceof LocalVmError && error.code === "QEMU_ENDED")) throw error;
    options.progress?.({ phase: "boot", message: `once more. ${error.message}` });
  }
  if (started.isNew) await removeRecord(stateDir);
  return waitUntilReady(await start({ stateDir, spec, clock, signal }), { stateDir, spec, clock, signal });
}

interface BringUp {
  readonly stateDir: string;
  readonly spec: LocalVmSpec;
  readonly clock: PhaseClock;
  readonly signal: AbortSignal | undefined;
}

function start({ stateDir, spec, clock, signal }: BringUp): Promise<Started> {
  return withExclusiveLock(stateDir, { waitMillis: LOCK_WAIT_MILLIS, signal }, async () => {
    const running = await findRunning(stateDir, spec);
    if (running !== undefined) return running;
    const image = await clock.run("image", "checking the image", (say) =>
      ensureLocalImage(say, signal, recipeOf(spec.image)),
    );
    return clock.run("boot", "starting", (say) => startFrom(stateDir, spec, image, say));
  });
}

async function waitUntilReady(
  { record, qemu }: Started,
  { stateDir, spec, clock, signal }: BringUp,
): Promise<LocalVmBringUp> {
  const wait = { stateDir, sshPort: record.sshPort, qemu, signal };
  try {
    await clock.run("boot", "waiting for ssh", () => waitForSsh(wait));
    await clock.run("cloud-init", "waiting for cloud-init", () => waitForCloudInit(wait));
    const { agentReportPath, serviceHealthPath } = spec.readiness;
    const report =
      agentReportPath === undefined
        ? undefined
        : await clock.run("agent", "waiting for the agent's report", () =>
            waitForReport(wait, agentReportPath),
          );
    if (report !== undefined) await saveReport(stateDir, report);
    if (serviceHealthPath !== undefined) {
      if (report !== undefined) await refuseFailedTuning(wait, report);
      await clock.run("service", "waiting for the service", () =>
        waitForService(wait, record.servicePort, serviceHealthPath),
      );
    }
    return { ...stateOf(stateDir, record, true), phases: clock.phases, report };
  } catch (error) {
    await killProcess(qemu);
    throw error;
  }
}

/** Stops the VM of a folder and removes all of it. Does nothing where there is none. */
export async function tearDown(stateDir: string): Promise<void> {
  let folder: string;
  try {
    folder = await realpath(stateDir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  await withExclusiveLock(folder, { waitMillis: LOCK_WAIT_MILLIS }, async () => {
    const record = await readRecord(folder);
    if (record !== undefined) await closeSshMaster({ stateDir: folder, sshPort: record.sshPort });
    await killAll(await findVmProcesses(folder));
    await rm(folder, { recursive: true, force: true });
  });
}

/** What is known of the VM in a folder; `undefined` when there is none, or none that was ever complete. */
export async function describe(stateDir: string): Promise<LocalVmState | undefined> {
  const folder = await realpath(stateDir).catch(() => undefined);
  const record = folder === undefined ? undefined : await readRecord(folder);
  if (folder === undefined || record?.isComplete !== true) return undefined;
  return stateOf(folder, record, (await findVmProcesses(folder)).length > 0);
}

/** A VM that is up, to work with. @throws {LocalVmError} VM_UNKNOWN when none runs there */
export async function openVm(stateDir: string): Promise<LocalVm> {
  const state = await describe(stateDir);
  if (state?.isRunning !== true) {
    throw new LocalVmError("VM_UNKNOWN", `Cannot open the VM in ${stateDir}: none is running there`);
  }
  const run: LocalVm["ssh"] = async (command, options) => {
    if (!(await hasSshMaster(state))) await openSshMaster(state);
    const { exitCode, stdout, stderr } = await runSsh(state, command, options);
    return { exitCode, stdout, stderr };
  };
  const bootId = async (): Promise<string> =>
    (await run("cat /proc/sys/kernel/random/boot_id")).stdout.trim();
  return {
    state,
    ssh: run,
    async readFile(path) {
      const result = await runSsh(state, `cat -- '${path.replaceAll("'", String.raw`'\''`)}'`);
      return result.exitCode === 0 ? result.stdoutBytes : undefined;
    },
    copyIn: (localPath, guestPath) => copyOverSsh(state, localPath, guestPath),
    async reboot() {
      const [qemu] = await findVmProcesses(state.stateDir);
      if (qemu === undefined)
        throw new LocalVmError("VM_UNKNOWN", `Cannot reboot ${state.name}: it is not running`);
      const before = await bootId();
      await run("systemctl reboot");
      await closeSshMaster(state);
      const wait = { ...state, qemu };
      for (;;) {
        await waitForSsh(wait);
        if ((await bootId()) !== before) return;
        // Still the old boot, on its way down.
        await closeSshMaster(state);
        await sleep(1_000);
      }
    },
    kill: async () => killAll(await findVmProcesses(state.stateDir)),
  };
}
