import type { AnyKnob } from "../knobs/knob.ts";
import type { LiveHost } from "../sys/live-host.ts";
import type { Original } from "./journal-records.ts";
import type { Restoration } from "./originals.ts";

/**
 * A tool cannot undo what it did to a device that is gone (a virtual function, an unplugged NIC), and has not to: whether
 * it is gone, its knob says. `undefined` when the device is there, or may be: the undo's own error counts then.
 */
export async function goneWithDevice(
  host: LiveHost,
  original: Original,
  knob: AnyKnob | undefined,
  target: string | undefined,
): Promise<Restoration | undefined> {
  if (original.kind !== "tool" || knob === undefined || target === undefined) return undefined;
  try {
    if ((await knob.read(host, { name: target })) !== undefined) return undefined;
  } catch {
    // What cannot be read may well be there still.
    return undefined;
  }
  return { kind: "gone", because: `${target} is not there any more` };
}
