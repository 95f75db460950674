import { cellText, renderBalance, renderColumns, wrapText } from "../report/render-table.ts";
import type { Showback } from "./showback.ts";

/** What was written, for a terminal: the mails, and the balance sheet that they are part of. */
export function renderShowbackTable({ month, folder, mails, currencies, notes }: Showback): string {
  const rows = mails.flatMap(({ team, to, file, amounts }) =>
    amounts.map(({ currency, billedRounded, effectiveRounded }) => [
      cellText(team, 20),
      cellText(to ?? "(no address)", 24),
      currency,
      billedRounded,
      effectiveRounded,
      cellText(file, 26),
    ]),
  );
  return `${[
    cellText(`Showback of ${month}: ${mails.length} mails in ${folder}; none was sent`, 100),
    "",
    renderColumns(
      [["team", "to", "", "billed", "effective", "file"], ...rows],
      ["left", "left", "left", "right", "right", "left"],
    ),
    ...currencies.flatMap(({ currency, balance }) => [
      "",
      `Balance sheet, ${currency}`,
      renderBalance({ plural: "mails to teams" }, { currency, balance }),
    ]),
    "The mails and what no team has are the bill: difference 0.",
    ...(notes.length === 0 ? [] : ["", "Notes", ...notes.map((note) => `- ${wrapText(note, "  ")}`)]),
  ].join("\n")}\n`;
}
