import { csvLine, foreignText } from "../report/render-csv.ts";
import { cellText, renderBalance, renderColumns, wrapText } from "../report/render-table.ts";
import type { CurrencyJournal, Journal, JournalEntry } from "./journal.ts";

function zeroAsNothing(amount: string): string {
  return /^[0.]+$/.test(amount) ? "" : amount;
}

function renderEntry({ entryId, type, reverses, lines, debits, credits }: JournalEntry): string {
  const rows = lines.map((line) => [
    cellText(line.account, 24),
    cellText(line.costCenter ?? "-", 24),
    line.part,
    zeroAsNothing(line.debit),
    zeroAsNothing(line.credit),
  ]);
  return [
    reverses === null ? `Entry ${entryId}, ${type}` : `Entry ${entryId}, ${type} of ${reverses}`,
    renderColumns(
      [["account", "cost center", "part", "debit", "credit"], ...rows, ["", "", "sum", debits, credits]],
      ["left", "left", "left", "right", "right"],
    ),
  ].join("\n");
}

function renderChanges({ changes, currency }: CurrencyJournal): string[] {
  if (changes.length === 0) return [];
  const rows = changes.map((change) => [
    cellText(change.account, 18),
    cellText(change.costCenter ?? "-", 18),
    change.part,
    change.before,
    change.after,
    change.change,
  ]);
  const head = ["account", "cost center", "part", "before", "after", "change"];
  return [
    "",
    `What the entries change, ${currency}; debit above 0, credit below`,
    renderColumns([head, ...rows], ["left", "left", "left", "right", "right", "right"]),
  ];
}

function renderCurrency(one: CurrencyJournal): string[] {
  const { currency, entries, balance } = one;
  return [
    ...(entries.length === 0 ? ["", `${currency}: nothing to book`] : []),
    ...entries.flatMap((entry) => ["", renderEntry(entry)]),
    ...renderChanges(one),
    ...(balance === null
      ? []
      : ["", `Balance sheet, ${currency}`, renderBalance({ plural: "cost centers" }, { currency, balance })]),
  ];
}

/** The journal for a terminal, at most 100 columns wide. */
export function renderJournalTable(journal: Journal): string {
  const { month, date, cost, source, digest, supersedes, currencies, notes } = journal;
  return `${[
    `Chargeback journal of ${month}, ${cost} cost, dated ${date}`,
    cellText(`${source.name}: sha256 ${source.sha256.slice(0, 16)}; journal ${digest.slice(0, 16)}`, 100),
    ...(supersedes === null ? [] : [`Restates journal ${supersedes.slice(0, 16)}`]),
    ...currencies.flatMap(renderCurrency),
    ...(notes.length === 0
      ? []
      : ["", "Notes", ...notes.map((note) => `- ${wrapText(cellText(note, 2000), "  ")}`)]),
  ].join("\n")}\n`;
}

const HEADER =
  "entry_id,type,reverses,date,period,currency,line,account,cost_center,part,debit,credit,memo,bill_sha256,journal_digest".split(
    ",",
  );

/** The entries to book as CSV by RFC 4180, a line each; no line where there is nothing to book. */
export function renderJournalCsv(journal: Journal): string {
  const { month, date, cost, source, digest, currencies } = journal;
  const lines = currencies.flatMap(({ currency, entries }) =>
    entries.flatMap((entry) =>
      entry.lines.map((line, index) =>
        csvLine([
          entry.entryId,
          entry.type,
          entry.reverses ?? "",
          date,
          month,
          currency,
          String(index + 1),
          foreignText(line.account),
          foreignText(line.costCenter ?? ""),
          line.part,
          line.debit,
          line.credit,
          `Cloud ${month}: ${line.part}, ${line.part === "bill" ? "billed" : cost}`,
          source.sha256,
          digest,
        ]),
      ),
    ),
  );
  return csvLine(HEADER) + lines.join("");
}
