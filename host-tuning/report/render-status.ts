import type { HostStatus, Standing, StatusEntry } from "../engine/status-of.ts";
import { type Tone, tint } from "./colour.ts";
import { renderConfirmations, secondsOf } from "./render-confirmations.ts";
import { renderNote } from "./render-note.ts";
import { plural, renderTable, valueCell } from "./table.ts";

const COLUMNS = [
  { title: "knob", maxColumns: 40 },
  { title: "original", maxColumns: 14 },
  { title: "set to", maxColumns: 14 },
  { title: "now", maxColumns: 14 },
  { title: "standing", maxColumns: 100 },
] as const;

const TONES: Readonly<Record<Standing, Tone>> = {
  "in-force": "good",
  drifted: "warning",
  "needs-reboot": "warning",
  "gone-with-reboot": "quiet",
  "not-there": "quiet",
  "not-in-force": "bad",
  unreadable: "bad",
};

/** What Bedplate holds changed on a host, for people. */
export function renderStatus(status: HostStatus): string {
  const notes = [
    ...renderConfirmations(status.pending),
    ...status.takenBack.flatMap(({ key, value, at, because }) =>
      renderNote("warning", "taken back", `${key} = ${value} on ${secondsOf(at)}, ${because}`),
    ),
  ].map((line) => `${line}\n`);
  const more = notes.length === 0 ? "" : `\n${notes.join("")}`;
  if (status.entries.length === 0) return `Nothing on this host is changed by Bedplate.\n${more}`;
  const rows = status.entries.map((entry) => ({
    cells: [
      entry.key,
      valueCell(entry.original),
      valueCell(entry.set),
      valueCell(entry.found),
      entry.standing,
    ],
    note: sinceOf(entry),
  }));
  const table = renderTable(COLUMNS, rows, (text, row, column) => {
    const entry = status.entries[row];
    return entry === undefined || column !== 4 ? text : tint(TONES[entry.standing], text);
  });
  const drifted = status.drifted === 0 ? "no drift" : tint("warning", `${status.drifted} drifted`);
  return `${table}\n\n${plural(status.entries.length, "setting")} changed by Bedplate, ${drifted}; "bedplate rollback" takes them back\n${more}`;
}

function sinceOf(entry: StatusEntry): string {
  const when = secondsOf(entry.since);
  const boot = entry.isThisBoot ? "this boot" : `boot ${entry.bootId?.slice(0, 8) ?? "unknown"}`;
  return `since ${when}, ${boot}${entry.survivesReboot ? ", survives reboot" : ""}`;
}
