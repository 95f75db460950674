import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { remoteCommandLine } from "./remote-command.ts";
import {
  CONNECTION_FILES,
  type SshTarget,
  TARGET_ALIAS,
  describeTarget,
  renderKnownHosts,
  renderSshConfig,
} from "./ssh-target.ts";

/** Why a host could not be worked on. */
export type HostErrorCode =
  /** No connection, or it broke. */
  | "HOST_UNREACHABLE"
  /** Something else answered than the host whose key is pinned. */
  | "HOST_KEY_CHANGED"
  /** It answered and let nobody in, or the user may not do what has to be done. */
  | "HOST_REFUSED"
  /** A command did not end in time. */
  | "HOST_SLOW"
  /** A command on the host failed; the message has what it said. */
  | "HOST_FAILED";

/** A failure of one host, named. */
export class HostError extends Error {
  override readonly name = "HostError";
  readonly code: HostErrorCode;

  constructor(code: HostErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface RemoteResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command reads: text, bytes, or a file of this machine, however large. */
export type RemoteInput = string | Uint8Array | { readonly file: string };

export interface RemoteOptions {
  /** @default 120 000 */
  readonly timeoutMillis?: number;
  /** @default - nothing: the command reads an empty input */
  readonly input?: RemoteInput;
  /** Each line of standard error as it comes. */
  readonly onLine?: (line: string) => void;
}

/** A host that is logged in to. Commands share the connection: a key exchange costs more than most of them. */
export interface HostConnection {
  /** `user@address`, for messages. */
  readonly place: string;
  /**
   * Runs a command as root (by sudo where the target says so). A non-zero exit is a result.
   *
   * @throws {HostError} when the connection broke, the command took too long, or sudo did not let it run
   */
  run(words: readonly string[], options?: RemoteOptions): Promise<RemoteResult>;
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const DEFAULT_LIMIT_MILLIS = 120_000;
/** Above ssh's own limit for a connection, with a jump in between. */
const LOGIN_LIMIT_MILLIS = 90_000;
const CLOSE_LIMIT_MILLIS = 10_000;
/** Exit code of ssh itself. */
const SSH_FAILED = 255;
const GREETING = "bedplate\n";

/**
 * Logs in to a host, runs `body` and closes the connection, whatever happens.
 *
 * The connection belongs to an ssh process that holds this process's pipe open: when this process dies in whatever way,
 * the pipe ends and the connection with it.
 *
 * @throws {HostError} when nobody can log in
 */
export async function withConnection<T>(
  target: SshTarget,
  signal: AbortSignal,
  body: (connection: HostConnection) => Promise<T>,
): Promise<T> {
  // Its path is short: a socket's may have 107 bytes.
  const folder = await mkdtemp(path.join(tmpdir(), "bedplate-ssh-"));
  try {
    const file = (name: keyof typeof CONNECTION_FILES) => path.join(folder, CONNECTION_FILES[name]);
    await writeFile(file("config"), renderSshConfig(target, folder), { mode: 0o600 });
    await writeFile(file("knownHosts"), renderKnownHosts(target), { mode: 0o600 });
    const ssh = ["-F", file("config"), "-S", file("control")];
    const logOut = await logIn(target, ssh, signal);
    try {
      return await body(connectionOver(target, ssh, signal));
    } finally {
      await logOut();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The greeting comes back when the host has let us in and runs commands. Returns what ends the connection. */
async function logIn(
  target: SshTarget,
  ssh: readonly string[],
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  signal.throwIfAborted();
  const child = execa("ssh", [...ssh, "-M", TARGET_ALIAS, remoteCommandLine(["cat"])], {
    stdin: "pipe",
    buffer: { stdout: false, stderr: true },
    reject: false,
    cancelSignal: signal,
    forceKillAfterDelay: CLOSE_LIMIT_MILLIS,
  });
  const timer = setTimeout(() => child.kill(), LOGIN_LIMIT_MILLIS);
  try {
    child.stdin.on("error", () => undefined); // Its end is told below, with the reason.
    child.stdin.write(GREETING);
    const isGreeted = new Promise<true>((resolve) => {
      let heard = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        heard += text;
        if (heard.endsWith(GREETING)) resolve(true);
      });
    });
    const first = await Promise.race([isGreeted, child]);
    if (first === true) {
      return async () => {
        child.stdin.end();
        const late = setTimeout(() => child.kill(), CLOSE_LIMIT_MILLIS);
        await child;
        clearTimeout(late);
      };
    }
    signal.throwIfAborted();
    throw loginError(target, first.stderr.trim());
  } finally {
    clearTimeout(timer);
  }
}

/** What ssh says when it cannot log in, as a kind of failure and what to do about it. */
export function loginError(target: SshTarget, said: string): HostError {
  const place = describeTarget(target);
  if (/host key verification failed|no .* host key is known|host identification has changed/i.test(said)) {
    return new HostError(
      "HOST_KEY_CHANGED",
      `Cannot trust ${place}: what answers there does not have the pinned host key. If the machine was reinstalled, take its new key from its console (/etc/ssh/ssh_host_*_key.pub) into hostKey (${said})`,
    );
  }
  if (/permission denied|too many authentication failures/i.test(said)) {
    return new HostError(
      "HOST_REFUSED",
      `Cannot log in to ${place}: it takes none of the keys that are offered. Set identityFile, or load the key with ssh-add (${said})`,
    );
  }
  const why = said === "" ? `no answer within ${LOGIN_LIMIT_MILLIS / 1000} s` : said;
  return new HostError("HOST_UNREACHABLE", `Cannot reach ${place}: ${why}`);
}

function connectionOver(target: SshTarget, ssh: readonly string[], signal: AbortSignal): HostConnection {
  const place = describeTarget(target);
  return {
    place,
    async run(words, options = {}) {
      const command = remoteCommandLine(target.sudo ? ["sudo", "-n", "--", ...words] : words);
      const timeoutMillis = options.timeoutMillis ?? DEFAULT_LIMIT_MILLIS;
      const child = execa("ssh", [...ssh, "-o", "ControlMaster=no", TARGET_ALIAS, command], {
        ...inputOf(options.input),
        cancelSignal: signal,
        maxBuffer: MAX_OUTPUT_BYTES,
        reject: false,
        stripFinalNewline: false,
        timeout: timeoutMillis,
      });
      if (options.onLine !== undefined) {
        const { onLine } = options;
        void (async () => {
          for await (const line of child.iterable({ from: "stderr" })) onLine(line);
        })().catch(() => undefined); // How the command ended is told by the result.
      }
      const result = await child;
      signal.throwIfAborted();
      if (result.timedOut) {
        throw new HostError("HOST_SLOW", `${place}: "${words[0]}" did not end in ${timeoutMillis / 1000} s`);
      }
      const stderr = result.stderr.trim();
      if (result.exitCode === undefined) {
        throw new HostError("HOST_FAILED", `${place}: cannot run ssh: ${result.shortMessage ?? stderr}`);
      }
      if (result.exitCode === SSH_FAILED) {
        throw new HostError("HOST_UNREACHABLE", `${place}: the connection broke: ${stderr}`);
      }
      if (target.sudo && /^sudo: /m.test(stderr) && result.exitCode === 1) {
        throw new HostError(
          "HOST_REFUSED",
          `${place} may not use sudo without a password: add "${target.user} ALL=(root) NOPASSWD: ALL" to its sudoers (${stderr})`,
        );
      }
      return { exitCode: result.exitCode, stdout: result.stdout, stderr };
    },
  };
}

function inputOf(input: RemoteInput | undefined) {
  if (input === undefined) return { stdin: "ignore" as const };
  return typeof input === "object" && "file" in input ? { inputFile: input.file } : { input };
}
