import type { Fault } from "../errors.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import { formatPath } from "./parse-contract.ts";

/** How many known ids a message about an unknown one names. */
const MAX_SUGGESTIONS = 3;

/**
 * Checks overrides against the knobs there are: an id that no knob has, or a value that its knob would not take.
 * Takes data of any shape, so that these faults stand beside those of the profile's own shape.
 */
export function faultsOfOverrides(overrides: unknown, knobs: readonly AnyKnob[]): Fault[] {
  if (typeof overrides !== "object" || overrides === null || Array.isArray(overrides)) return [];
  const byId = new Map(knobs.map((knob) => [knob.id, knob]));
  return Object.entries(overrides).flatMap(([id, override]: [string, unknown]): Fault[] => {
    const knob = byId.get(id);
    if (knob === undefined) return [{ path: formatPath(["overrides", id]), message: unknownKnob(id, knobs) }];
    if (typeof override !== "object" || override === null || !("value" in override)) return [];
    const result = knob.value.safeParse(override.value);
    if (result.success) return [];
    return result.error.issues.map((issue) => ({
      path: formatPath(["overrides", id, "value", ...issue.path]),
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
