import type { HostPlan } from "../engine/host-plan.ts";
import { planHost } from "../engine/plan-host.ts";
import { InputError, messageOf } from "../errors.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { type AnyKnob, type Target, parseStepKey } from "../knobs/knob.ts";
import { unknownKnob } from "../profile/check-overrides.ts";
import { renderKnob } from "../report/render-explanation.ts";
import type { Host } from "../sys/host.ts";
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
  const evidence = await readEvidence(input.host, knob, steps);
  if (options.json === true) {
    const here = steps.map((step) => ({ ...step, evidence: evidence.get(step.key) ?? null }));
    writeJson({ ...describeKnob(knob), here });
  } else process.stdout.write(renderKnob(knob, steps, evidence));
  return EXIT_CODE.asWanted;
}

/** What this host has counted, by step. Evidence that cannot be read is said as such; it never hides the rest. */
async function readEvidence(
  host: Host,
  knob: AnyKnob,
  steps: HostPlan["steps"],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const step of steps.filter(({ action }) => action !== "unsupported")) {
    try {
      const text = await knob.evidence?.(host, { name: step.target });
      if (text !== undefined) found.set(step.key, text);
    } catch (error) {
      found.set(step.key, messageOf(error));
    }
  }
  return found;
}
