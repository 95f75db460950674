import { planHost } from "../engine/plan-host.ts";
import { InputError } from "../errors.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { type AnyKnob, type Target, parseStepKey } from "../knobs/knob.ts";
import { unknownKnob } from "../profile/check-overrides.ts";
import { renderKnob } from "../report/render-explanation.ts";
import { describeKnob } from "./describe-knob.ts";
import { writeJson } from "./verb-frame.ts";
import { type PlanningOptions, readVerbInput } from "./verb-input.ts";

/** Everything there is to say about one knob, or one of its targets (`queue/scheduler[nvme0n1]`), and its values here. */
export async function explain(key: string, options: PlanningOptions): Promise<ExitCode> {
  const input = await readVerbInput({ ...options, phase: "all" });
  const { id, target } = parseStepKey(key);
  const canonicalId = id.startsWith("net/") || id.startsWith("vm/") ? id.replaceAll("/", ".") : id;
  const knob = input.knobs.find((candidate) => candidate.id === id || candidate.id === canonicalId);
  if (knob === undefined) {
    throw new InputError("explain", [{ path: JSON.stringify(id), message: unknownKnob(id, input.knobs) }]);
  }
  const isChosen = (other: AnyKnob, { name }: Target): boolean =>
    other.id === knob.id && (target === undefined || target === name);
  const { steps } = await planHost({ ...input, phase: "all", isChosen });
  if (target !== undefined && steps.length === 0) {
    const targets = knob.targets?.(input.facts, input.profile) ?? [];
    const names = targets.map(({ name }) => name).join(", ");
    const message = names === "" ? "the knob has no targets here" : `no such target; there are ${names}`;
    throw new InputError("explain", [{ path: JSON.stringify(key), message }]);
  }
  if (options.json === true) writeJson({ ...describeKnob(knob), here: steps });
  else process.stdout.write(renderKnob(knob, steps));
  return EXIT_CODE.asWanted;
}
