import type { HostFacts } from "../facts/host-facts.ts";
import type { Host } from "../sys/host.ts";
import { type Argument, type ArgumentName, argumentsNamed, parseCommandLine } from "./command-line.ts";
import { readEntryCommandLines } from "./entry-files.ts";
import { GRUB_CONFIG, parseGrubConfig, readGrubDropIn } from "./grub-config.ts";

/** Boot loaders whose arguments we write. */
export type SupportedLoader = Exclude<HostFacts["bootLoader"]["kind"], "unsupported">;

/** One argument's words, on the running kernel's command line and on those that the next boot may have. */
export interface ArgumentReading {
  readonly running: readonly Argument[];
  /** One for every entry and for what later entries are made from; never empty. */
  readonly configured: readonly (readonly Argument[])[];
}

/**
 * Reads one argument where it counts: from /proc/cmdline what the kernel got, from the loader's own files what it will
 * get. GRUB boots from grub.cfg and not from /etc/default/grub, so a drop-in that update-grub has not taken up is not
 * configured yet.
 *
 * @returns `undefined` when the loader's files are not there
 */
export async function readArgument(
  host: Host,
  loader: SupportedLoader,
  name: ArgumentName,
): Promise<ArgumentReading | undefined> {
  const running = await host.readText("/proc/cmdline");
  if (running === undefined) return undefined;
  const lines =
    loader === "grub" ? await readGrubCommandLines(host, name) : await readEntryCommandLines(host, loader);
  if (lines.length === 0) return undefined;
  const own = (line: string): readonly Argument[] => argumentsNamed(parseCommandLine(line), name);
  return { running: own(running), configured: lines.map(own) };
}

async function readGrubCommandLines(host: Host, name: ArgumentName): Promise<string[]> {
  const config = await host.readText(GRUB_CONFIG);
  if (config === undefined) return [];
  // Nobody runs update-grub in a captured tree: there the drop-in is what it would make of it.
  const dropIn = host.isLive ? undefined : await readGrubDropIn(host, name);
  return dropIn === undefined ? parseGrubConfig(config) : [dropIn];
}
