import type { HostPlan, PlanStep } from "../engine/host-plan.ts";
import { type Tone, tint } from "./colour.ts";
import { plural, printable, renderTable, valueCell } from "./table.ts";

const COLUMNS = [
  { title: "knob", maxColumns: 40 },
  { title: "now", maxColumns: 16 },
  { title: "wanted", maxColumns: 16 },
  { title: "action", maxColumns: 100 },
] as const;

const TONES: Readonly<Record<PlanStep["action"], Tone>> = {
  set: "good",
  "already-right": "quiet",
  "needs-reboot": "warning",
  left: "quiet",
  unsupported: "quiet",
  failed: "bad",
};

const ACTIONS = ["set", "already-right", "needs-reboot", "left", "unsupported", "failed"] as const;

/** What a plan shows without being asked for all. */
const SHOWN: ReadonlySet<PlanStep["action"]> = new Set(["set", "needs-reboot", "failed"]);

/** A plan for people: what would change, and with `all` everything that would not. */
export function renderPlan(plan: HostPlan, options: { readonly all?: boolean } = {}): string {
  const shown = plan.steps.filter((step) => options.all === true || SHOWN.has(step.action));
  const host = printable(plan.hostname ?? "this host");
  const lines = [
    tint("strong", `Plan for ${host}`) + `, preset ${plan.profile.preset}, phase ${plan.phase}`,
    "",
  ];
  if (shown.length === 0) lines.push("Nothing to change.");
  else lines.push(table(shown));
  const counts = ACTIONS.map(
    (action) => [action, plan.steps.filter((step) => step.action === action).length] as const,
  )
    .filter(([, count]) => count > 0)
    .map(([action, count]) => tint(TONES[action], `${count} ${action === "set" ? "to set" : action}`));
  lines.push("", `${plural(plan.steps.length, "setting")}: ${counts.join(", ")}`, `digest ${plan.digest}`);
  return `${lines.join("\n")}\n`;
}

function table(steps: readonly PlanStep[]): string {
  const rows = steps.map((step) => ({
    cells: [
      step.key,
      valueCell(step.before === null ? null : step.beforeText),
      valueCell(step.after === null ? null : step.afterText),
      step.action,
    ],
    note: whyOf(step),
  }));
  return renderTable(COLUMNS, rows, (text, row, column) => {
    const step = steps[row];
    return step === undefined || column !== 3 ? text : tint(TONES[step.action], text);
  });
}

function whyOf(step: PlanStep): string {
  const notes = [
    step.isOverride ? "override" : "",
    step.action === "set" && step.takesEffect !== "now" ? `takes effect: ${step.takesEffect}` : "",
    step.alsoSetBy.length === 0 ? "" : `also set by ${step.alsoSetBy.join(", ")}`,
  ].filter((note) => note !== "");
  return notes.length === 0 ? step.because : `${step.because} (${notes.join("; ")})`;
}
