import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { HOST_PATHS } from "../boot/paths.ts";
import { InputError } from "../errors.ts";
import { errnoText } from "../sys/errno.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { replaceFile } from "../sys/replace-file.ts";
import { readAgentMetrics } from "./agent-metrics.ts";
import { readEnaAllowances } from "./ena-allowances.ts";
import { readHostCounters } from "./host-counters.ts";
import { readHostInfo } from "./host-info.ts";
import { renderMetrics } from "./metric-family.ts";

/** Folders of node_exporter's textfile collector: Debian's package, and what most installations name. */
const COLLECTOR_FOLDERS = ["/var/lib/prometheus/node-exporter", "/var/lib/node_exporter/textfile_collector"];

/** Where the metrics go when no collector is there yet; point one at it with --collector.textfile.directory. */
const OWN_FOLDER = `${HOST_PATHS.stateFolder}/textfile`;

const FILE_NAME = "bedplate.prom";

/** Every metric of this host as text. */
export async function readMetrics(host: LiveHost): Promise<string> {
  const [info, agent, counters, allowances] = await Promise.all([
    readHostInfo(host),
    readAgentMetrics(host),
    readHostCounters(host),
    readEnaAllowances(host),
  ]);
  return renderMetrics([...info, ...agent, ...counters, ...allowances]);
}

/**
 * Puts metrics into a file in one step: the collector may read at any moment, and half a file fails its whole scrape.
 *
 * @throws {InputError} when the folder is not there or not ours
 */
export function writeTextfile(path: string, text: string): void {
  try {
    const attributes = { mode: 0o644, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    replaceFile(path, Buffer.from(text, "utf8"), { attributes, isDurable: false });
  } catch (cause) {
    throw new InputError(path, [{ path: "", message: `Cannot write the metrics: ${errnoText(cause)}` }], {
      cause,
    });
  }
}

/** Refreshes the metrics where this host's collector looks for them. Returns the file. */
export async function refreshTextfile(host: LiveHost): Promise<string> {
  const folder = COLLECTOR_FOLDERS.find((candidate) => existsSync(host.machinePath(candidate))) ?? OWN_FOLDER;
  const path = join(host.machinePath(folder), FILE_NAME);
  const text = await readMetrics(host);
  if (folder === OWN_FOLDER) mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeTextfile(path, text);
  return path;
}
