import { entryFilesAmong, withArgumentIn } from "../boot-loader/entry-files.ts";
import type { LiveHost } from "../sys/live-host.ts";
import type { PlanStep } from "./host-plan.ts";
import { type Decision, plainWrite } from "./decision.ts";

type AnyWrite = PlanStep["writes"][number];

/** A write that a script can do by itself: a file, or a command. */
export type ScriptWrite = Exclude<AnyWrite, { readonly kind: "boot-entries" }>;

/** One step of a plan as a script does it. */
export interface ScriptStep {
  readonly step: PlanStep;
  /** Files and commands alone: what is edited in place stands here as the whole file that it becomes. */
  readonly writes: readonly ScriptWrite[];
  /** It was right, and a write before it resets it: written only if it is not right any more. */
  readonly isAgain: boolean;
}

export interface ScriptSteps {
  readonly steps: readonly ScriptStep[];
  /** Steps on targets that a write of this plan replaces (a NIC's queues have other interrupts then), and after which. */
  readonly waiting: readonly { readonly step: PlanStep; readonly after: readonly string[] }[];
}

/**
 * What a script has to do so that the host is as after apply: the plan's writes, then once more what those reset.
 * Apply can look again in between; a script cannot, so what would need that is named and not done.
 */
export function scriptStepsOf(host: LiveHost, decisions: readonly Decision[]): ScriptSteps {
  const writing = new Set(
    decisions.filter(({ step }) => step.action === "set").map((decision) => decision.knob.id),
  );
  const files = new Map<string, string>();
  const steps: ScriptStep[] = [];
  const again: ScriptStep[] = [];
  const waiting: ScriptSteps["waiting"][number][] = [];
  for (const { step, knob, target, after } of decisions) {
    const replacedBy = (knob.rediscoverAfter ?? []).filter((id) => writing.has(id));
    if (replacedBy.length > 0) {
      if (step.action === "set") waiting.push({ step, after: replacedBy });
    } else if (step.action === "set") {
      const writes = step.writes.flatMap((write) => scriptWrites(host, write, files));
      steps.push({ step, writes, isAgain: false });
    } else if (step.action === "already-right" && knob.after?.some((id) => writing.has(id)) === true) {
      const writes = knob
        .writes(after, target, after)
        .flatMap((write) => scriptWrites(host, plainWrite(write), files));
      again.push({ step, writes, isAgain: true });
    }
  }
  return { steps: [...steps, ...again], waiting };
}

/** @param files what files will hold that several steps edit, each edit on top of the one before */
function scriptWrites(host: LiveHost, write: AnyWrite, files: Map<string, string>): ScriptWrite[] {
  if (write.kind !== "boot-entries") return [write];
  const entries = entryFilesAmong(write.loader, {
    names: (path) => host.names(path),
    text: (path) => files.get(path) ?? host.readBytes(path)?.toString("utf8"),
  });
  return entries.flatMap((entry): ScriptWrite[] => {
    const text = withArgumentIn(entry, write.argument, write.words);
    if (text === entry.text) return [];
    files.set(entry.path, text);
    return [{ kind: "config-file", path: entry.path, text }];
  });
}
