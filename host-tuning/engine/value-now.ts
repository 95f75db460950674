import type { AnyKnob } from "../knobs/knob.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { textOf } from "./knob-values.ts";

/** A knob's value for a report only; `null` when it cannot be read: whether bytes are back is settled elsewhere. */
export async function readNow(
  host: LiveHost,
  knob: AnyKnob | undefined,
  target: string,
): Promise<string | null> {
  if (knob === undefined) return null;
  try {
    const value = await knob.read(host, { name: target });
    return value === undefined ? null : textOf(knob, value);
  } catch {
    return null;
  }
}
