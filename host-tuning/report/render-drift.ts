import { type Tone, tint } from "./colour.ts";
import type { DriftEntry, DriftReport } from "./drift-report.ts";
import { plural, printable, renderTable, valueCell } from "./table.ts";

const COLUMNS = [
  { title: "knob", maxColumns: 40 },
  { title: "set to", maxColumns: 14 },
  { title: "found", maxColumns: 14 },
  { title: "action", maxColumns: 100 },
] as const;

const TONES: Readonly<Record<DriftEntry["action"], Tone>> = {
  reported: "warning",
  healed: "good",
  "heal-failed": "bad",
  "not-healed": "warning",
};

/** What somebody changed, for people: since when, who, and what became of it. */
export function renderDrift(report: DriftReport): string {
  const host = printable(report.hostname ?? "this host");
  const title =
    tint("strong", `Drift on ${host}`) +
    `, ${plural(report.checked, "setting")} checked in ${report.durationMillis.toFixed(0)} ms`;
  if (report.entries.length === 0) return `${title}\n\nEverything is as it was set.\n`;
  const rows = report.entries.map((entry) => ({
    cells: [entry.key, valueCell(entry.set), valueCell(entry.found), entry.action],
    note: noteOf(entry),
  }));
  const table = renderTable(COLUMNS, rows, (text, row, column) => {
    const entry = report.entries[row];
    return entry === undefined || column !== 3 ? text : tint(TONES[entry.action], text);
  });
  const counts = `${plural(report.drifted, "setting")} changed by others, ${report.standing} still so`;
  return `${title}\n\n${table}\n\n${counts}\n`;
}

function noteOf(entry: DriftEntry): string {
  const who =
    entry.suspects.length === 0
      ? "by whom is unknown"
      : entry.suspects
          .map(({ who, confidence, evidence }) => `${confidence}: ${who} (${evidence})`)
          .join("; ");
  const [good, seen] = [entry.lastGoodAt, entry.firstSeenAt].map((at) => at.replace(/\.\d+Z$/, "Z"));
  return `right at ${good}, changed by ${seen}; ${who}; ${entry.because}`;
}
