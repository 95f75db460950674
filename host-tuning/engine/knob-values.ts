import type { AnyKnob, Target } from "../knobs/knob.ts";

/** A value for people; "" for a knob that the host does not have. */
export function textOf(knob: AnyKnob, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (knob.format !== undefined) return knob.format(value);
  if (Array.isArray(value)) return value.join(" ");
  return typeof value === "object" ? JSON.stringify(value) : `${value as string | number | boolean}`;
}

/** Is the value in force as good as the one wanted, in the knob's own sense. */
export function isSatisfied(knob: AnyKnob, current: unknown, wanted: unknown): boolean {
  return knob.isSatisfied?.(current, wanted) ?? textOf(knob, current) === textOf(knob, wanted);
}

/**
 * Is the value in force the one that a person named, or that we had set. A number must be the same in both directions,
 * so that "at least" is not enough; anything else is judged by the knob, as the kernel may narrow a CPU list.
 */
export function isSame(knob: AnyKnob, current: unknown, wanted: unknown): boolean {
  if (!isSatisfied(knob, current, wanted)) return false;
  return typeof wanted !== "number" || isSatisfied(knob, wanted, current);
}

/** `net.core.somaxconn`, or `queue/scheduler of nvme0n1`. */
export function nameOf(knob: AnyKnob, target: Target): string {
  return target.name === "" ? knob.id : `${knob.id} of ${target.name}`;
}

const WORDLESS_UNITS: ReadonlySet<string> = new Set(["enum", "flag", "text", "hexmask"]);

/** A value with its unit as it stands in a sentence: `4096 connections`, `none`. */
export function quantityOf(knob: AnyKnob, value: unknown): string {
  const text = textOf(knob, value);
  if (WORDLESS_UNITS.has(knob.unit) || text === "") return JSON.stringify(text);
  return knob.format === undefined ? `${text} ${knob.unit}` : text;
}
