import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { shareWhileUnderWay } from "./under-way.ts";

/** One number of a NIC and the most that the device takes. The maximum is the device's, so an override has none. */
export const nicSettingSchema = z.preprocess(
  (value) => (typeof value === "number" ? { value } : value),
  z.strictObject({ value: z.int().min(1), maximum: z.int().min(1).optional() }),
);

export type NicSetting = z.output<typeof nicSettingSchema>;

/** What `ethtool -g` and `ethtool -l` print: numbers by name, those that the device does not have left out. */
export interface EthtoolSettings {
  readonly maximums: ReadonlyMap<string, number>;
  readonly current: ReadonlyMap<string, number>;
}

/**
 * Parses `ethtool -g` (rings) or `ethtool -l` (channels). Lines with "n/a" (ethtool 5.10 and newer) and words ("TX Push:
 * off", since 6.1) are left out; older versions print 0 for what a device does not have.
 *
 * @returns `undefined` when the two sections are not there
 */
export function parseEthtoolSettings(text: string): EthtoolSettings | undefined {
  const maximums = new Map<string, number>();
  const current = new Map<string, number>();
  let section: Map<string, number> | undefined;
  const found = new Set<Map<string, number>>();
  for (const line of text.split("\n")) {
    if (line.startsWith("Pre-set maximums:")) section = maximums;
    else if (line.startsWith("Current hardware settings:")) section = current;
    else {
      const [, name, value] = /^([A-Za-z][A-Za-z -]*):\s+(\d+)\s*$/.exec(line) ?? [];
      if (section !== undefined && name !== undefined && value !== undefined)
        section.set(name, Number(value));
      continue;
    }
    found.add(section);
  }
  return found.size === 2 ? { maximums, current } : undefined;
}

/**
 * What ethtool prints about a NIC; knobs that are read together ask once.
 *
 * @param what what is asked, for messages
 * @returns `undefined` when the driver does not offer it, ethtool is not installed, or the host is not the machine we
 * run on: tools speak only of the running machine
 * @throws {TuningError} TOOL_FAILED when ethtool fails in another way
 */
export async function askEthtool(
  host: Host,
  nic: string,
  option: "-a" | "-c" | "-g" | "-k" | "-l",
  what: string,
): Promise<string | undefined> {
  const result = await shareWhileUnderWay(
    host,
    `ethtool ${option} ${nic}`,
    async () => await host.runTool("ethtool", [option, nic]),
  );
  if (result === undefined) return undefined;
  if (result.exitCode === 0) return result.stdout;
  if (/operation not supported|no such device/i.test(result.stderr + result.stdout)) return undefined;
  throw new TuningError(
    "TOOL_FAILED",
    nic,
    `Cannot read ${what} of ${nic}: ethtool ${option} ended with ${result.exitCode}: ${result.stderr.trim()}`,
  );
}

/** ethtool answered, and not in a form that is known. */
export function unreadableAnswer(nic: string, option: string, what: string, stdout: string): TuningError {
  return new TuningError(
    "HOST_PARSE",
    nic,
    `Cannot read ${what} of ${nic}: ethtool ${option} printed no settings: ${JSON.stringify(stdout.slice(0, 200))}`,
  );
}

/**
 * One number of a NIC as its driver reports it.
 *
 * @returns `undefined` as askEthtool does, and when the driver offers 0 of it
 * @throws {TuningError} TOOL_FAILED, HOST_PARSE
 */
export async function readNicSetting(
  host: Host,
  nic: string,
  option: "-g" | "-l",
  name: string,
): Promise<NicSetting | undefined> {
  const stdout = await askEthtool(host, nic, option, name);
  if (stdout === undefined) return undefined;
  const settings = parseEthtoolSettings(stdout);
  if (settings === undefined) throw unreadableAnswer(nic, option, name, stdout);
  const value = settings.current.get(name);
  const maximum = settings.maximums.get(name);
  if (value === undefined || value === 0) return undefined;
  return maximum === undefined || maximum === 0 ? { value } : { value, maximum };
}

export function isSameSetting(current: NicSetting, wanted: NicSetting): boolean {
  return current.value === wanted.value;
}

export function formatSetting(setting: NicSetting): string {
  return String(setting.value);
}
