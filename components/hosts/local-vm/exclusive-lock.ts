import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalVmError } from "./vm-error.ts";

const POLL_MILLIS = 200;

export interface LockOptions {
  readonly waitMillis: number;
  /** Called once when somebody else has the lock. */
  readonly onWait?: () => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `body` while nobody else on this machine does so for the same path.
 *
 * The lock is a listening socket in Linux's abstract namespace: the kernel gives it back when its holder dies, however
 * it dies, so no stale lock file has to be told from a live one.
 *
 * @throws {LocalVmError} VM_BUSY when it is still taken after `waitMillis`
 */
export async function withExclusiveLock<T>(
  path: string,
  options: LockOptions,
  body: () => Promise<T>,
): Promise<T> {
  const digest = createHash("sha256").update(resolve(path)).digest("hex").slice(0, 32);
  const deadline = Date.now() + options.waitMillis;
  for (let attempt = 0; ; attempt++) {
    options.signal?.throwIfAborted();
    const release = await tryAcquire(`\0bedplate-${digest}`);
    if (release !== undefined) {
      try {
        return await body();
      } finally {
        await release();
      }
    }
    if (attempt === 0) options.onWait?.();
    if (Date.now() > deadline) {
      throw new LocalVmError("VM_BUSY", `Cannot lock ${path}: another bedplate process holds it`);
    }
    await sleep(POLL_MILLIS);
  }
}

function tryAcquire(name: string): Promise<(() => Promise<void>) | undefined> {
  return new Promise((done, fail) => {
    const server = createServer((connection) => connection.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") done(undefined);
      else fail(error);
    });
    server.listen(name, () => {
      server.unref();
      done(() => new Promise((closed) => void server.close(() => closed())));
    });
  });
}
