import { open, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type HostReport, hostReportSchema } from "../../../host-tuning/report/host-report.ts";
import { describeFailures } from "../describe-failures.ts";
import { type ProcessIdentity, isAlive } from "./process-identity.ts";
import { VM_FILES } from "./qemu-command.ts";
import { hasSshMaster, openSshMaster, runSsh, type SshTarget } from "./ssh-client.ts";
import { LocalVmError } from "./vm-error.ts";
import { reportPathIn } from "./vm-store.ts";

/** Longest waits. Emulation on a busy machine is ten times slower than on an idle one, so they are generous. */
const LIMIT_MILLIS = {
  ssh: 300_000,
  cloudInit: 300_000,
  agent: 300_000,
  service: 120_000,
} as const;

const POLL_MILLIS = 250;
const TAIL_BYTES = 4_000;

export interface GuestWait extends SshTarget {
  readonly qemu: ProcessIdentity;
  readonly signal?: AbortSignal | undefined;
}

/** The end of a log, for an error message: whole lines, no terminal colours. */
async function tailOf(path: string): Promise<string> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return "(none)";
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, start);
    // oxlint-disable-next-line no-control-regex -- terminal escapes begin with a control character
    const text = buffer.toString("utf8", 0, bytesRead).replaceAll(/\u001B\[[\d;]*[A-Za-z]/g, "");
    return text.split(/\r?\n/).slice(-20).join("\n").trim();
  } finally {
    await file.close();
  }
}

/**
 * Fetches the guest's journal while it can still be had: after a failed bring-up the VM is stopped. Returns where it
 * is and its last warnings, or nothing when ssh does not answer.
 */
async function saveGuestJournal(wait: GuestWait): Promise<string> {
  if (!(await hasSshMaster(wait))) return "";
  const journal = await runSsh(wait, "journalctl -b --no-pager -n 5000", { timeoutMillis: 60_000 });
  if (journal.exitCode !== 0) return "";
  const path = join(wait.stateDir, "guest-journal.log");
  await writeFile(path, journal.stdoutBytes, { mode: 0o600 });
  const warnings = await runSsh(wait, "journalctl -b --no-pager -p warning -n 15", { timeoutMillis: 60_000 });
  return `\nLast warnings of the guest's journal (all of it in ${path}):\n${warnings.stdout.trim()}`;
}

async function fail(wait: GuestWait, code: "WAIT_TIMEOUT" | "GUEST_FAILED", what: string): Promise<never> {
  if (!(await isAlive(wait.qemu))) throw await qemuEnded(wait, what);
  const serialLog = join(wait.stateDir, VM_FILES.serialLog);
  const journal = await saveGuestJournal(wait);
  throw new LocalVmError(code, `${what}\nEnd of ${serialLog}:\n${await tailOf(serialLog)}${journal}`);
}

/** QEMU is gone though nobody here ended it: it crashed, somebody killed it, or the guest switched itself off. */
async function qemuEnded(wait: GuestWait, what: string): Promise<LocalVmError> {
  const [qemuLog, serialLog] = [VM_FILES.qemuLog, VM_FILES.serialLog].map((name) =>
    join(wait.stateDir, name),
  );
  const ends = [qemuLog, serialLog].map(async (log = "") => `End of ${log}:\n${await tailOf(log)}`);
  return new LocalVmError(
    "QEMU_ENDED",
    `${what}: QEMU ended by itself\n${(await Promise.all(ends)).join("\n")}`,
  );
}

/** Looks again and again until `look` finds something; ends early when QEMU does. */
async function until<T>(
  wait: GuestWait,
  limitMillis: number,
  what: string,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + limitMillis;
  for (;;) {
    wait.signal?.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    if (!(await isAlive(wait.qemu))) throw await qemuEnded(wait, `Cannot reach ${what}`);
    if (Date.now() > deadline) {
      return fail(wait, "WAIT_TIMEOUT", `Cannot reach ${what} within ${limitMillis / 1000} s`);
    }
    await sleep(POLL_MILLIS);
  }
}

/** Does an ssh server greet on the port? QEMU itself accepts at once, so only the guest's own first bytes count. */
function greets(port: number): Promise<true | undefined> {
  return new Promise((done) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 3_000 });
    const end = (answer: true | undefined): void => {
      socket.destroy();
      done(answer);
    };
    socket.once("data", (bytes) => end(bytes.toString("latin1").startsWith("SSH-") ? true : undefined));
    for (const event of ["error", "close", "timeout"]) socket.once(event, () => end(undefined));
  });
}

/** Waits until ssh logs in, and leaves a shared connection open. */
export async function waitForSsh(wait: GuestWait): Promise<void> {
  await until(wait, LIMIT_MILLIS.ssh, "the guest by ssh", () => greets(wait.sshPort));
  await until(wait, LIMIT_MILLIS.ssh, "the guest's login", async () =>
    (await openSshMaster(wait)) ? true : undefined,
  );
}

/** One ssh call that waits in the guest for a file: polling with calls would steal the boot's own CPU time. */
async function waitForGuestFile(
  wait: GuestWait,
  path: string,
  limitMillis: number,
): Promise<string | undefined> {
  const result = await runSsh(wait, `until [ -s ${path} ]; do sleep 0.3; done; cat ${path}`, {
    timeoutMillis: limitMillis,
  });
  return result.exitCode === 0 ? result.stdout : undefined;
}

/** Waits until cloud-init has run everything. @throws {LocalVmError} GUEST_FAILED with its errors */
export async function waitForCloudInit(wait: GuestWait): Promise<void> {
  const text = await waitForGuestFile(wait, "/run/cloud-init/result.json", LIMIT_MILLIS.cloudInit);
  if (text === undefined) {
    return fail(
      wait,
      "WAIT_TIMEOUT",
      `Cannot see cloud-init end within ${LIMIT_MILLIS.cloudInit / 1000} s (in the guest: /var/log/cloud-init-output.log)`,
    );
  }
  const { v1 } = JSON.parse(text) as { v1: { errors: string[] } };
  if (v1.errors.length === 0) return undefined;
  const output = await runSsh(wait, "tail -n 40 /var/log/cloud-init-output.log");
  return fail(
    wait,
    "GUEST_FAILED",
    `cloud-init failed in the guest:\n  ${v1.errors.join("\n  ")}\nEnd of /var/log/cloud-init-output.log in the guest:\n${output.stdout.trim()}`,
  );
}

/** Waits for the agent's report of this boot. */
export async function waitForReport(wait: GuestWait, path: string): Promise<HostReport> {
  const bootId = (await runSsh(wait, "cat /proc/sys/kernel/random/boot_id")).stdout.trim();
  return until(wait, LIMIT_MILLIS.agent, `the agent's report ${path}`, async () => {
    const result = await runSsh(wait, `cat ${path}`);
    if (result.exitCode !== 0) return undefined;
    const report = hostReportSchema.parse(JSON.parse(result.stdout));
    // A report that outlived a reboot says nothing about this boot.
    return report.bootId === null || report.bootId === bootId ? report : undefined;
  });
}

/**
 * Ends a bring-up that waits for the service of a host whose agent reports failures: its unit requires the agent's.
 *
 * @throws {LocalVmError} GUEST_FAILED with what failed and why
 */
export async function refuseFailedTuning(wait: GuestWait, report: HostReport): Promise<void> {
  if (report.counts.failed === 0) return;
  const where = `All of its report: ${reportPathIn(wait.stateDir)}`;
  await fail(wait, "GUEST_FAILED", `the service does not start: ${describeFailures(report)}\n${where}`);
}

/** Waits until the service answers 200 on the port of this machine that leads to it. */
export async function waitForService(wait: GuestWait, servicePort: number, path: string): Promise<void> {
  await until(wait, LIMIT_MILLIS.service, `the service on ${path}`, async () => {
    try {
      const answer = await fetch(`http://127.0.0.1:${servicePort}${path}`, {
        signal: AbortSignal.timeout(5_000),
      });
      await answer.body?.cancel();
      return answer.status === 200 ? true : undefined;
    } catch {
      // Not listening yet: `until` bounds the wait and says what was waited for.
      return undefined;
    }
  });
}
