import type { PlanStep } from "../engine/host-plan.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import { tint } from "./colour.ts";
import { PAGE_COLUMNS, printable, wrap } from "./table.ts";

const LABEL_COLUMNS = 17;

/** One knob for people: what it is, and what it is on this host. */
export function renderKnob(
  knob: AnyKnob,
  steps: readonly PlanStep[],
  evidence: ReadonlyMap<string, string> = new Map(),
): string {
  const lines = [
    tint("strong", knob.id),
    ...wrap(knob.title, PAGE_COLUMNS),
    "",
    ...field("unit", knob.unit),
    ...field("kernel default", knob.kernelDefault),
    ...field("kernels", knob.kernelRange ?? "all that Bedplate supports"),
    ...field("risk", `${knob.risk.level}: ${knob.risk.what}`),
    ...field("takes effect", knob.takesEffect),
    ...field("after a reboot", knob.survivesReboot ? "stays" : "is gone, and set again at boot"),
    ...field("taken back", knob.isReversible ? "by rollback" : "cannot be, so it needs consent"),
    ...field(
      "namespace",
      knob.scope === "netns" ? NAMESPACE_NOTE : "none of its own: one value for the host",
    ),
    ...Object.entries(knob.anchors ?? {}).flatMap(([tuner, text], index) =>
      field(index === 0 ? "others set" : "", `${tuner}: ${text}`),
    ),
    ...knob.sources.flatMap((source, index) => field(index === 0 ? "sources" : "", source)),
  ];
  for (const step of steps) lines.push("", ...here(step, evidence.get(step.key)));
  return `${lines.join("\n")}\n`;
}

const NAMESPACE_NOTE =
  "every network namespace has its own; set and read in the host's, it does not reach a container's";

function here(step: PlanStep, evidence: string | undefined): string[] {
  return [
    tint("strong", step.target === "" ? "On this host" : `On this host, ${printable(step.target)}`),
    ...field("current", step.beforeText === "" ? "-" : step.beforeText),
    ...field("wanted", step.after === null ? "-" : step.afterText),
    ...field("action", step.isOverride ? `${step.action} (override in the profile)` : step.action),
    ...field("because", step.because),
    ...(evidence === undefined ? [] : field("counted here", evidence)),
    ...field("also set by", step.alsoSetBy.length === 0 ? "nobody found" : step.alsoSetBy.join("; ")),
    ...step.writes.flatMap((write, index) => field(index === 0 ? "writes" : "", writeText(write))),
  ];
}

function writeText(write: PlanStep["writes"][number]): string {
  if (write.kind === "tool") return write.command.join(" ");
  if (write.kind === "boot-entries")
    return `${write.argument} in the ${write.loader} entries <- ${write.words.join(" ") || "taken away"}`;
  return write.kind === "kernel-file" ? `${write.path} <- ${write.text.trim()}` : write.path;
}

function field(label: string, text: string): string[] {
  const [first = "", ...rest] = wrap(text, PAGE_COLUMNS - LABEL_COLUMNS);
  return [label.padEnd(LABEL_COLUMNS) + first, ...rest.map((line) => " ".repeat(LABEL_COLUMNS) + line)];
}
