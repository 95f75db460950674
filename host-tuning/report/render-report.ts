import { tint, toneOf } from "./colour.ts";
import { type HostReport, type ReportEntry, OUTCOMES } from "./host-report.ts";
import { renderConfirmations } from "./render-confirmations.ts";
import { renderNote } from "./render-note.ts";
import { plural, printable, renderTable, valueCell } from "./table.ts";

const COLUMNS = [
  { title: "knob", maxColumns: 40 },
  { title: "before", maxColumns: 14 },
  { title: "wanted", maxColumns: 14 },
  { title: "found", maxColumns: 14 },
  { title: "outcome", maxColumns: 100 },
] as const;

const VERBS = { apply: "Applied to", verify: "Verified on", rollback: "Rolled back on" } as const;

/** A report for people. What this host cannot have is only counted, unless `all` is asked for. */
export function renderReport(report: HostReport, options: { readonly all?: boolean } = {}): string {
  const shown = report.entries.filter((entry) => options.all === true || entry.outcome !== "unsupported");
  const host = printable(report.hostname ?? "this host");
  const kernel = report.kernelRelease === null ? "" : `, Linux ${printable(report.kernelRelease)}`;
  const lines = [
    tint("strong", `${VERBS[report.verb]} ${host}${kernel}`) + ` in ${report.durationMillis.toFixed(0)} ms`,
    "",
  ];
  if (shown.length > 0) lines.push(table(shown), "");
  else lines.push(nothing(report), "");
  lines.push(summary(report), ...renderConfirmations(report.confirmations ?? []));
  for (const { device, state, because } of report.network ?? []) {
    const words = state === "lost" ? "has no address any more" : "has its address again";
    lines.push(...renderNote(state === "lost" ? "bad" : "warning", `${device} ${words}`, because));
  }
  if (report.reboot !== undefined) {
    const words = report.reboot.isAsked ? "asked for a reboot" : "no reboot";
    lines.push(...renderNote("warning", words, report.reboot.because));
  }
  return `${lines.join("\n")}\n`;
}

function nothing(report: HostReport): string {
  return report.verb === "rollback"
    ? "The journal holds nothing to take back."
    : "No knob has anything to do here.";
}

function table(entries: readonly ReportEntry[]): string {
  const rows = entries.map((entry) => ({
    cells: [
      entry.key,
      valueCell(entry.before),
      valueCell(entry.wanted),
      valueCell(entry.found),
      entry.isDrifted ? `${entry.outcome} (drifted)` : entry.outcome,
    ],
    note: whyOf(entry),
  }));
  return renderTable(COLUMNS, rows, (text, row, column) => {
    const entry = entries[row];
    if (entry === undefined || column !== 4) return text;
    return tint(entry.isDrifted ? "warning" : toneOf(entry.outcome), text);
  });
}

function whyOf(entry: ReportEntry): string {
  const notes = [
    entry.survivesReboot && entry.wanted !== null ? "survives reboot" : "",
    entry.namespace === null ? "" : `namespace: ${entry.namespace}`,
    entry.alsoSetBy.length === 0 ? "" : `also set by ${entry.alsoSetBy.join(", ")}`,
  ].filter((note) => note !== "");
  return notes.length === 0 ? entry.because : `${entry.because} (${notes.join("; ")})`;
}

function summary(report: HostReport): string {
  const counts = OUTCOMES.filter((outcome) => report.counts[outcome] > 0).map((outcome) =>
    tint(toneOf(outcome), `${report.counts[outcome]} ${outcome}`),
  );
  const verified = report.entries.filter((entry) => entry.isVerified).length;
  const drifted = report.drifted === 0 ? "" : `, ${tint("warning", `${report.drifted} drifted`)}`;
  const total = plural(report.entries.length, "setting");
  return `${total}: ${counts.length === 0 ? "none" : counts.join(", ")}${drifted}; ${verified} re-read and as wanted`;
}
