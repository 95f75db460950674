import { closeSync, linkSync, mkdirSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { TuningError } from "../errors.ts";
import { errnoOf, errnoText } from "../sys/errno.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { privatePath, writeAll } from "../sys/replace-file.ts";

export const LOCK_PATH = "/run/bedplate/agent.lock";

/** Taking a dead agent's lock can lose a race against another that does the same; then we look again. */
const MAX_ATTEMPTS = 5;

const holderSchema = z.object({ pid: z.int().min(1), started: z.string(), verb: z.string() });

/** Runs `work` while no other agent changes this host. @throws {TuningError} AGENT_BUSY when one does */
export async function withAgentLock<T>(host: LiveHost, verb: string, work: () => Promise<T>): Promise<T> {
  const lockFile = host.machinePath(LOCK_PATH);
  const ours = JSON.stringify({ pid: process.pid, started: startOf(process.pid) ?? "", verb });
  takeLock(lockFile, ours, verb);
  try {
    return await work();
  } finally {
    rmSync(lockFile, { force: true });
  }
}

/** How long who must not give up waits for another agent, and how often it looks. */
const WAIT_MILLIS = 60_000;
const LOOK_MILLIS = 250;

/** Like withAgentLock, but waits a minute for the other: starting this program anew costs more. @throws {TuningError} AGENT_BUSY */
export async function withAgentLockSoon<T>(host: LiveHost, verb: string, work: () => Promise<T>): Promise<T> {
  const untilMillis = performance.now() + WAIT_MILLIS;
  for (;;) {
    let isTaken = false;
    try {
      return await withAgentLock(host, verb, async () => {
        isTaken = true;
        return await work();
      });
    } catch (error) {
      const isBusy = !isTaken && error instanceof TuningError && error.code === "AGENT_BUSY";
      if (!isBusy || performance.now() > untilMillis) throw error;
      await sleep(LOOK_MILLIS);
    }
  }
}

function takeLock(lockFile: string, ours: string, verb: string): void {
  try {
    mkdirSync(dirname(lockFile), { recursive: true, mode: 0o755 });
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (createWhole(lockFile, ours)) return;
      removeIfStale(lockFile, verb);
    }
  } catch (cause) {
    if (cause instanceof TuningError) throw cause;
    throw new TuningError("HOST_WRITE", LOCK_PATH, `Cannot lock ${LOCK_PATH}: ${errnoText(cause)}`, {
      cause,
    });
  }
  throw new TuningError("AGENT_BUSY", LOCK_PATH, `Cannot start ${verb}: others keep taking ${LOCK_PATH}`);
}

/** link(2) makes the lock appear with its content, or not at all: an empty lock would name no holder. */
function createWhole(lockFile: string, content: string): boolean {
  const staging = privatePath(lockFile);
  try {
    const descriptor = openSync(staging, "wx", 0o644);
    try {
      writeAll(descriptor, Buffer.from(content));
    } finally {
      closeSync(descriptor);
    }
    linkSync(staging, lockFile);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(staging, { force: true });
  }
}

function removeIfStale(lockFile: string, verb: string): void {
  const content = readIfThere(lockFile);
  if (content === undefined) return;
  const holder = holderOf(content);
  if (holder !== undefined && startOf(holder.pid) === holder.started) {
    throw new TuningError(
      "AGENT_BUSY",
      LOCK_PATH,
      `Cannot start ${verb}: process ${holder.pid} is at ${holder.verb} on this host`,
    );
  }
  // Move it away, then look at what was moved: another agent may have replaced the dead one's lock since.
  const aside = privatePath(lockFile);
  try {
    renameSync(lockFile, aside);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  if (readIfThere(aside) !== content) linkSync(aside, lockFile);
  rmSync(aside, { force: true });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function holderOf(content: string): z.output<typeof holderSchema> | undefined {
  try {
    return holderSchema.parse(JSON.parse(content));
  } catch {
    // Nobody but us writes this file, and we write it whole: what cannot be read names no living process.
    return undefined;
  }
}

/** Start time of a process in clock ticks since boot (field 22 of stat): tells it from a later one with its number. */
function startOf(pid: number): string | undefined {
  const fields = statOf(pid)?.split(" ");
  // A zombie has stopped for good; only its parent has not noticed.
  return fields?.[0] === "Z" || fields?.[0] === "X" ? undefined : fields?.[19];
}

/** /proc/PID/stat from the third field on; the second may hold spaces and brackets. */
function statOf(pid: number): string | undefined {
  try {
    const stat = readIfThere(`/proc/${pid}/stat`);
    return stat?.slice(stat.lastIndexOf(")") + 2);
  } catch (error) {
    // It ended between open and read.
    if (errnoOf(error) === "ESRCH") return undefined;
    throw error;
  }
}
