import { HOST_PATHS } from "../boot/paths.ts";
import { readFile } from "node:fs/promises";
import { type Fault, InputError } from "../errors.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import { errnoText } from "../sys/errno.ts";
import type { Host } from "../sys/host.ts";
import { faultsOfOverrides } from "./check-overrides.ts";
import { API_VERSION, type HostProfile, hostProfileSchema } from "./host-profile.ts";
import { parseContract, parseYamlText } from "./parse-contract.ts";

/** Where a host keeps its profile; user data puts it there. */
export const PROFILE_PATH = HOST_PATHS.profile;

/** A profile is a page of text; a larger file is something else. */
const MAX_PROFILE_CHARACTERS = 1024 * 1024;

export interface LoadedProfile {
  readonly profile: HostProfile;
  /** File it came from, or "(defaults)". */
  readonly source: string;
}

/**
 * The profile to tune by: the file that was named (a path of this machine), else the host's own, else the defaults.
 *
 * @throws {InputError} with every fault of its shape and of its overrides
 */
export async function loadProfile(
  host: Host,
  knobs: readonly AnyKnob[],
  file?: string,
): Promise<LoadedProfile> {
  if (file !== undefined) return { source: file, profile: parseProfile(await readNamed(file), file, knobs) };
  const text = await host.readText(PROFILE_PATH);
  if (text !== undefined) return { source: PROFILE_PATH, profile: parseProfile(text, PROFILE_PATH, knobs) };
  const defaults = hostProfileSchema.parse({ apiVersion: API_VERSION, kind: "HostProfile" });
  return { source: "(defaults)", profile: defaults };
}

async function readNamed(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new InputError(file, [{ path: "", message: `Cannot read: ${errnoText(cause)}` }], { cause });
  }
}

/**
 * YAML or JSON text to a profile.
 *
 * @throws {InputError} with every fault of its shape and of its overrides
 */
export function parseProfile(text: string, source: string, knobs: readonly AnyKnob[]): HostProfile {
  if (text.length > MAX_PROFILE_CHARACTERS) {
    throw new InputError(source, [
      { path: "", message: `Cannot read: over ${MAX_PROFILE_CHARACTERS} characters` },
    ]);
  }
  const data = parseYamlText(text, source);
  const overrides =
    typeof data === "object" && data !== null && "overrides" in data ? data.overrides : undefined;
  const overrideFaults = faultsOfOverrides(overrides, knobs);
  let faults: readonly Fault[] = [];
  try {
    const profile = parseContract(hostProfileSchema, data, source);
    if (overrideFaults.length === 0) return profile;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    ({ faults } = error);
  }
  const known = new Set(faults.map((fault) => fault.path));
  throw new InputError(source, [...faults, ...overrideFaults.filter((fault) => !known.has(fault.path))]);
}
