import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";

/** A process with more files than this is a server with sockets; reading each of its files would take seconds. */
const MOST_FILES = 2000;

/** Processes looked into, so that a host with very many does not make `explain` slow. */
const MOST_PROCESSES = 4000;

/**
 * Inotify instances and watches that all processes hold, counted from /proc/PID/fdinfo. Read by `explain` alone: it
 * opens every file description of the host. What it could not look into (processes of others, or that just ended) is
 * said beside the figure.
 */
export async function inotifyUse(host: Host): Promise<string | undefined> {
  const pids = (await host.list("/proc")).filter((name) => /^\d+$/.test(name)).slice(0, MOST_PROCESSES);
  if (pids.length === 0) return undefined;
  let [instances, watches, skipped] = [0, 0, 0];
  for (const pid of pids) {
    const found = await watchesOf(host, pid);
    if (found === undefined) skipped += 1;
    else for (const count of found) [instances, watches] = [instances + 1, watches + count];
  }
  const note =
    skipped === 0
      ? ""
      : `; ${skipped} processes not looked into (rights, ended, or over ${MOST_FILES} files)`;
  return `${instances} instances with ${watches} watches, all users together (/proc/PID/fdinfo)${note}`;
}

/** Watches of each inotify instance of a process. */
async function watchesOf(host: Host, pid: string): Promise<number[] | undefined> {
  const folder = `/proc/${pid}/fdinfo`;
  try {
    const files = await host.list(folder);
    if (files.length > MOST_FILES) return undefined;
    const texts = await Promise.all(files.map((file) => host.readText(`${folder}/${file}`)));
    const counts = texts.map((text) => text?.match(/^inotify wd:/gm)?.length ?? 0);
    return counts.filter((count) => count > 0);
  } catch (error) {
    if (error instanceof TuningError && error.code === "HOST_READ") return undefined;
    throw error;
  }
}
