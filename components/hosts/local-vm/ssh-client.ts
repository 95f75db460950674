import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { SshResult } from "./vm-state.ts";

/** Files of ssh in the VM's folder. */
export const SSH_FILES = {
  identity: "ssh-login-key",
  hostKey: "ssh-host-key",
  knownHosts: "known-hosts",
  control: "ssh.sock",
} as const;

const CONNECT_SECONDS = 30;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export interface SshKeys {
  readonly authorizedKey: string;
  readonly hostKey: { readonly private: string; readonly public: string };
}

/** Makes the VM's login key and host key. Both live and die with the VM's folder. */
export async function makeSshKeys(stateDir: string): Promise<SshKeys> {
  const make = async (file: string, comment: string): Promise<{ private: string; public: string }> => {
    const path = join(stateDir, file);
    await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path], {
      timeout: 30_000,
    });
    return {
      private: await readFile(path, "utf8"),
      public: (await readFile(`${path}.pub`, "utf8")).trim(),
    };
  };
  const login = await make(SSH_FILES.identity, "bedplate-login");
  return { authorizedKey: login.public, hostKey: await make(SSH_FILES.hostKey, "bedplate-host") };
}

/** Pins the host key: an answer from anything else on that port is refused. */
export async function pinHostKey(stateDir: string, sshPort: number): Promise<void> {
  const key = (await readFile(join(stateDir, `${SSH_FILES.hostKey}.pub`), "utf8")).trim();
  await writeFile(join(stateDir, SSH_FILES.knownHosts), `[127.0.0.1]:${sshPort} ${key}\n`);
}

/** OpenSSH options for a VM. `folder` is "" for calls that run in the VM's folder, where socket paths stay short. */
function sshOptions(folder: string): string[] {
  const options = {
    BatchMode: "yes",
    ConnectTimeout: `${CONNECT_SECONDS}`,
    GlobalKnownHostsFile: "/dev/null",
    IdentitiesOnly: "yes",
    IdentityFile: join(folder, SSH_FILES.identity),
    LogLevel: "ERROR",
    ServerAliveInterval: "15",
    ServerAliveCountMax: "8",
    StrictHostKeyChecking: "yes",
    UserKnownHostsFile: join(folder, SSH_FILES.knownHosts),
  };
  // -F: the user's own configuration could add proxies or agents that make the pinning moot.
  const words = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return ["-F", "none", ...words];
}

/** A command that a person can paste from anywhere. */
export function sshCommand(stateDir: string, sshPort: number): string[] {
  return ["ssh", ...sshOptions(stateDir), "-p", `${sshPort}`, "root@127.0.0.1"];
}

export interface SshTarget {
  readonly stateDir: string;
  readonly sshPort: number;
}

/**
 * Opens one connection that later calls share: under emulation a key exchange costs a second, a shared call a tenth.
 * Returns false when the guest does not answer (yet).
 */
export async function openSshMaster(target: SshTarget): Promise<boolean> {
  const result = await execa(
    "ssh",
    [
      ...sshOptions(""),
      "-p",
      `${target.sshPort}`,
      "-o",
      "ControlMaster=yes",
      "-o",
      `ControlPath=${SSH_FILES.control}`,
      "-o",
      "ControlPersist=600",
      "-f",
      "-N",
      "root@127.0.0.1",
    ],
    // ssh -f stays and would keep pipes open; "ignore" lets this call end.
    { cwd: target.stateDir, stdio: "ignore", reject: false, timeout: (CONNECT_SECONDS + 15) * 1000 },
  );
  return result.exitCode === 0;
}

export async function hasSshMaster(target: SshTarget): Promise<boolean> {
  const result = await execa("ssh", ["-O", "check", "-S", SSH_FILES.control, "root@127.0.0.1"], {
    cwd: target.stateDir,
    reject: false,
    timeout: 10_000,
  });
  return result.exitCode === 0;
}

export async function closeSshMaster(target: SshTarget): Promise<void> {
  await execa("ssh", ["-O", "exit", "-S", SSH_FILES.control, "root@127.0.0.1"], {
    cwd: target.stateDir,
    stdio: "ignore",
    reject: false,
    timeout: 10_000,
  });
}

export interface SshRunOptions {
  readonly timeoutMillis?: number;
  readonly input?: string | Uint8Array;
}

async function runOverSsh(target: SshTarget, command: string, options: SshRunOptions) {
  return execa(
    "ssh",
    [
      ...sshOptions(""),
      "-p",
      `${target.sshPort}`,
      "-o",
      "ControlMaster=no",
      "-o",
      `ControlPath=${SSH_FILES.control}`,
      "root@127.0.0.1",
      command,
    ],
    {
      cwd: target.stateDir,
      encoding: "buffer",
      maxBuffer: MAX_OUTPUT_BYTES,
      reject: false,
      stripFinalNewline: false,
      timeout: options.timeoutMillis ?? 120_000,
      ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
    },
  );
}

/** Runs a command line in the guest. Exit code 255 is ssh's own: no connection; 124: it took too long. */
export async function runSsh(
  target: SshTarget,
  command: string,
  options: SshRunOptions = {},
): Promise<SshResult & { readonly stdoutBytes: Buffer }> {
  const result = await runOverSsh(target, command, options);
  const stdoutBytes = Buffer.from(result.stdout);
  return {
    exitCode: result.timedOut ? 124 : (result.exitCode ?? 255),
    stdout: stdoutBytes.toString("utf8"),
    stderr: Buffer.from(result.stderr).toString("utf8"),
    stdoutBytes,
  };
}

/** Copies a file or folder into the guest. */
export async function copyOverSsh(target: SshTarget, localPath: string, guestPath: string): Promise<void> {
  await execa(
    "scp",
    [
      "-q",
      "-r",
      "-p",
      ...sshOptions(""),
      "-o",
      `ControlPath=${SSH_FILES.control}`,
      "-P",
      `${target.sshPort}`,
      localPath,
      `root@127.0.0.1:${guestPath}`,
    ],
    { cwd: target.stateDir, timeout: 300_000 },
  );
}
