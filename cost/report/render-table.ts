import Table from "cli-table3";
import type { CostReport, CurrencyReport, Money } from "./cost-report.ts";
import { balanceParts, filesText, keyText, labelOf, periodText } from "./wording.ts";

/** A terminal of common width shows every line whole. */
const WIDTH = 100;
const LABEL_WIDTH = 44;

const PLAIN = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

type Align = "left" | "right";

/** Lines of columns without a frame; a row of dashes where a row is "-". */
export function renderColumns(rows: readonly (readonly string[])[], aligns: readonly Align[]): string {
  const table = new Table({
    chars: PLAIN,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: [...aligns],
  });
  table.push(...rows.map((row) => [...row]));
  const lines = table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
  return lines.join("\n");
}

/** Control characters of a tag value must not reach a terminal; a long one is cut, with a sign that it is. */
export function cellText(text: string, width: number): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{FFFD}");
  const characters = Array.from(new Intl.Segmenter().segment(clean), ({ segment }) => segment);
  return characters.length <= width ? clean : `${characters.slice(0, width - 1).join("")}\u2026`;
}

/** Breaks a sentence between words so that no line is wider than a terminal. */
export function wrapText(text: string, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > WIDTH - indent.length) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${indent}`);
}

function renderRows(report: CostReport, currency: CurrencyReport): string {
  const { bill, lines } = currency.balance;
  const share = (percent: string | null): string => (percent === null ? "-" : `${percent} %`);
  const rows = currency.rows.map((row) => [
    cellText(labelOf(row), LABEL_WIDTH),
    String(row.lines),
    row.billedRounded,
    row.effectiveRounded,
    share(row.effectiveSharePercent),
  ]);
  const total = ["bill", String(lines.bill), bill.billedRounded, bill.effectiveRounded, ""];
  const head = [report.by, "lines", "billed", "effective", "share"];
  return renderColumns([head, ...rows, total], ["left", "right", "right", "right", "right"]);
}

function renderBalance(report: CostReport, currency: CurrencyReport): string {
  const { balance } = currency;
  const line = (name: string, money: Money): string[] => [
    name,
    money.billed,
    money.effective,
    money.billedRounded,
    money.effectiveRounded,
  ];
  const parts = balanceParts(report, currency).map(([name, money], index) =>
    line(`${index === 0 ? "=" : "+"} ${name}`, money),
  );
  return renderColumns(
    [
      ["", "billed, exact", "effective, exact", "billed", "effective"],
      line("bill", balance.bill),
      ...parts,
      line("difference", balance.difference),
    ],
    ["left", "right", "right", "right", "right"],
  );
}

function renderCurrency(report: CostReport, currency: CurrencyReport): string {
  const { coverage, balance, chargeDays } = currency;
  const percent = (value: string | null): string => (value === null ? "no usage above 0" : `${value} %`);
  const verdict = balance.balanced
    ? "The balance sheet closes: difference 0."
    : `THE BALANCE SHEET DOES NOT CLOSE: ${balance.lines.bill} lines in the bill, ${balance.lines.parts} in its parts.`;
  return [
    `${currency.currency}, billing period ${periodText(currency)}, charges of ${chargeDays.first} to ${chargeDays.last}`,
    "",
    renderRows(report, currency),
    "",
    `Balance sheet, ${currency.currency}`,
    renderBalance(report, currency),
    verdict,
    "",
    wrapText(
      `Coverage: ${percent(coverage.billedPercent)} of billed and ${percent(coverage.effectivePercent)} of effective usage above 0 has one of the ${report.plural}.`,
      "",
    ),
  ].join("\n");
}

/** The report for a terminal: at most 100 columns wide, the money of every owner, the balance sheet, the notes. */
export function renderTable(report: CostReport): string {
  const { source } = report;
  const notes = report.notes.map((note) => `- ${wrapText(cellText(note, 2000), "  ")}`);
  return `${[
    `Cost by ${cellText(keyText(report), 60)}`,
    cellText(
      `${source.name}: ${source.standard} ${source.version}, ${filesText(report)}${source.lines} lines, sha256 ${source.sha256.slice(0, 16)}`,
      WIDTH,
    ),
    ...report.currencies.map((currency) => `\n${renderCurrency(report, currency)}`),
    ...(notes.length === 0 ? [] : ["", "Notes", ...notes]),
  ].join("\n")}\n`;
}
