import { readFile, readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot, field 22 of /proc/<pid>/stat. */
  readonly startTicks: string;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}

/** Start time out of a /proc/<pid>/stat line; `undefined` for a zombie, which runs nothing any more. */
export function parseStartTicks(stat: string): string | undefined {
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  return fields[19];
}

/**
 * Running QEMUs whose command line holds `argument`, which must be one that only this VM has. Looked for among all
 * processes instead of in a pid file: a caller that was killed while it started QEMU has left no file, and a number in
 * a file may by now be another program's.
 */
export async function findQemus(argument: string): Promise<ProcessIdentity[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid): Promise<ProcessIdentity | undefined> => {
      const words = (await readIfThere(`/proc/${pid}/cmdline`))?.split("\0") ?? [];
      if (!words[0]?.includes("qemu-system-") || !words.includes(argument)) return undefined;
      const stat = await readIfThere(`/proc/${pid}/stat`);
      const startTicks = stat === undefined ? undefined : parseStartTicks(stat);
      return startTicks === undefined ? undefined : { pid, startTicks };
    }),
  );
  return found.filter((process) => process !== undefined);
}

/** Is it still the same process, and running? */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const stat = await readIfThere(`/proc/${identity.pid}/stat`);
  return stat !== undefined && parseStartTicks(stat) === identity.startTicks;
}

/**
 * Ends a process at once and waits until it is gone. Checked right before the signal, so that a number which has since
 * become another process's is left alone.
 */
export async function killProcess(identity: ProcessIdentity, waitMillis = 10_000): Promise<void> {
  if (!(await isAlive(identity))) return;
  try {
    process.kill(identity.pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
  const deadline = Date.now() + waitMillis;
  while (await isAlive(identity)) {
    if (Date.now() > deadline)
      throw new Error(`Cannot end process ${identity.pid}: it is still there after SIGKILL`);
    await sleep(20);
  }
}
