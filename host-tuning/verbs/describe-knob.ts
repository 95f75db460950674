import type { AnyKnob } from "../knobs/knob.ts";

/** What there is to know of a knob on any host, as `knobs --json` and `explain --json` print it. */
export function describeKnob(knob: AnyKnob) {
  const { id, title, family, unit, scope, phase, takesEffect, survivesReboot, isReversible, risk, sources } =
    knob;
  return {
    id,
    title,
    family,
    unit,
    scope,
    phase,
    takesEffect,
    survivesReboot,
    isReversible,
    risk,
    kernelDefault: knob.kernelDefault,
    kernelRange: knob.kernelRange ?? null,
    sources,
  };
}
