import { planHost } from "../engine/plan-host.ts";
import { InputError } from "../errors.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { unknownKnob } from "../profile/check-overrides.ts";
import { renderKnob } from "../report/render-explanation.ts";
import { describeKnob } from "./describe-knob.ts";
import { writeJson } from "./verb-frame.ts";
import { type PlanningOptions, readVerbInput } from "./verb-input.ts";

/** Everything there is to say about one knob, and about its values on this host. */
export async function explain(id: string, options: PlanningOptions): Promise<ExitCode> {
  const input = await readVerbInput({ ...options, phase: "all" });
  const canonicalId = id.startsWith("net/") || id.startsWith("vm/") ? id.replaceAll("/", ".") : id;
  const knob = input.knobs.find((candidate) => candidate.id === id || candidate.id === canonicalId);
  if (knob === undefined) {
    throw new InputError("explain", [{ path: JSON.stringify(id), message: unknownKnob(id, input.knobs) }]);
  }
  const override = input.profile.overrides[knob.id];
  const profile = { ...input.profile, overrides: override === undefined ? {} : { [knob.id]: override } };
  const { steps } = await planHost({ ...input, profile, knobs: [knob], phase: "all" });
  if (options.json === true) writeJson({ ...describeKnob(knob), here: steps });
  else process.stdout.write(renderKnob(knob, steps));
  return EXIT_CODE.asWanted;
}
