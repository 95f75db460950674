import type { Fault } from "../errors.ts";
import { type AnyKnob, parseStepKey } from "../knobs/knob.ts";
import { formatPath } from "./parse-contract.ts";

/** How many known ids a message about an unknown one names. */
const MAX_SUGGESTIONS = 3;

/**
 * Checks overrides against the knobs there are: a key that is no knob's id ("queue/scheduler") and no knob's id with one
 * of its targets ("queue/scheduler[nvme0n1]"), or a value that its knob would not take. Whether a host has the target is
 * not looked at: one profile serves hosts with other devices.
 * Takes data of any shape, so that these faults stand beside those of the profile's own shape.
 */
export function faultsOfOverrides(overrides: unknown, knobs: readonly AnyKnob[]): Fault[] {
  if (typeof overrides !== "object" || overrides === null || Array.isArray(overrides)) return [];
  const byId = new Map(knobs.map((knob) => [knob.id, knob]));
  return Object.entries(overrides).flatMap(([key, override]: [string, unknown]): Fault[] => {
    const { id, target } = parseStepKey(key);
    const knob = byId.get(id);
    const fault = (message: string): Fault[] => [{ path: formatPath(["overrides", key]), message }];
    if (knob === undefined) return fault(unknownKnob(id, knobs));
    if (target !== undefined && knob.targets === undefined) {
      return fault(`${id} is one setting of the whole host and has no targets; write "${id}"`);
    }
    if (typeof override !== "object" || override === null || !("value" in override)) return [];
    const result = knob.value.safeParse(override.value);
    if (result.success) return [];
    return result.error.issues.map((issue) => ({
      path: formatPath(["overrides", key, "value", ...issue.path]),
      message: issue.message,
    }));
  });
}

/** Why an id is refused, with ids that look like it. */
export function unknownKnob(id: string, knobs: readonly AnyKnob[]): string {
  const last = id.split(/[./]/).at(-1) ?? id;
  const near = knobs.map((knob) => knob.id).filter((known) => last.length > 2 && known.includes(last));
  const hint =
    near.length === 0
      ? "`bedplate knobs` lists them"
      : `did you mean ${near.slice(0, MAX_SUGGESTIONS).join(", ")}`;
  return `no such knob; ${hint}`;
}
