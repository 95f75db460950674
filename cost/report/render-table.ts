import Table from "cli-table3";
import {
  addDecimals,
  formatDecimal,
  parseDecimal,
  percentOf,
  roundDecimal,
  roundToTotal,
  ZERO,
} from "../money/exact-decimal.ts";
import type { Allocation, CostReport, CurrencyReport, Money } from "./cost-report.ts";
import { balanceParts, filesText, keyText, labelOf, periodText, SPLIT_TEXT } from "./wording.ts";

/** A terminal of common width shows every line whole. */
const WIDTH = 100;
const LABEL_WIDTH = 34;
/** Rows of a section that may have thousands; the other formats have all. */
const MOST_ROWS = 30;

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
  const list = (money: Money): string[] =>
    bill.listRounded === null ? [] : [money.listRounded ?? "unpriced"];
  const rows = currency.rows.map((row) => [
    cellText(labelOf(row), LABEL_WIDTH),
    String(row.lines),
    ...list(row),
    row.billedRounded,
    row.effectiveRounded,
    share(row.effectiveSharePercent),
  ]);
  const total = ["bill", String(lines.bill), ...list(bill), bill.billedRounded, bill.effectiveRounded, ""];
  const listHead = bill.listRounded === null ? [] : ["list"];
  const head = [report.by, "lines", ...listHead, "billed", "effective", "share"];
  return renderColumns(
    [head, ...rows, total],
    head.map((_, index) => (index === 0 ? "left" : "right")),
  );
}

/** The balance sheet of one currency, with its proof to the last digit. */
export function renderBalance(
  report: Pick<CostReport, "plural">,
  currency: Pick<CurrencyReport, "balance" | "currency">,
): string {
  const { balance } = currency;
  const sheet = (heads: readonly string[], pick: (money: Money) => string[]): string => {
    const parts = balanceParts(report, currency).map(([name, money], index) => [
      `${index === 0 ? "=" : "+"} ${name}`,
      ...pick(money),
    ]);
    return renderColumns(
      [
        ["", ...heads],
        ["bill", ...pick(balance.bill)],
        ...parts,
        ["difference", ...pick(balance.difference)],
      ],
      ["left", ...heads.map((): Align => "right")],
    );
  };
  const invoiced = sheet(["billed, exact", "effective, exact", "billed", "effective"], (money) => [
    money.billed,
    money.effective,
    money.billedRounded,
    money.effectiveRounded,
  ]);
  if (balance.bill.list === null) return invoiced;
  const listed = sheet(["list, exact", "list"], (money) => [
    money.list ?? "unpriced",
    money.listRounded ?? "unpriced",
  ]);
  return `${invoiced}\n\nBalance sheet at list prices, ${currency.currency}\n${listed}`;
}

function shortened(rows: readonly (readonly string[])[], aligns: readonly Align[]): string {
  const [head = [], ...rest] = rows;
  const more = rest.length - MOST_ROWS;
  const text = renderColumns([head, ...rest.slice(0, MOST_ROWS)], aligns);
  return more > 0 ? `${text}\n${more} more: see --format json or csv` : text;
}

/** Amounts of one allocation to the cent, adding up to 0 as they do exactly. */
function allocationRows(group: readonly Allocation[], minorDigits: number): string[][] {
  const rounded = (pick: (one: Allocation) => string): readonly string[] =>
    roundToTotal(
      group.map((one) => parseDecimal(pick(one))),
      minorDigits,
      { units: 0n, scale: minorDigits },
    ).map((amount) => formatDecimal(amount, minorDigits));
  const billed = rounded((one) => one.billed);
  const effective = rounded((one) => one.effective);
  return group.map((one, index) => [
    cellText(one.allocation, 24),
    SPLIT_TEXT[one.split],
    cellText(labelOf(one), LABEL_WIDTH),
    billed[index] ?? "",
    effective[index] ?? "",
  ]);
}

function renderAllocations({ allocations, currency, minorDigits }: CurrencyReport): string[] {
  if (allocations.length === 0) return [];
  const groups = [...Map.groupBy(allocations, (one) => one.allocation).values()];
  const rows = groups.flatMap((group) => allocationRows(group, minorDigits));
  const head = ["moved by", "split", "from (below 0) and to", "billed", "effective"];
  const table = shortened([head, ...rows], ["left", "left", "left", "right", "right"]);
  return ["", `Shared out, ${currency}; each adds up to 0`, table];
}

function cents(amount: string, minorDigits: number): string {
  return formatDecimal(roundDecimal(parseDecimal(amount), minorDigits), minorDigits);
}

function renderCommitments({ commitments, currency, minorDigits }: CurrencyReport): string[] {
  if (commitments.length === 0) return [];
  const rows = commitments.map((one) => [
    cellText(one.commitmentId.split(/[:/]/).at(-1) ?? "", 26),
    cellText(one.type ?? "-", 14),
    ...[one.purchased, one.used, one.unused].map((amount) => cents(amount, minorDigits)),
    one.usedAtListPrice === null ? "-" : cents(one.usedAtListPrice, minorDigits),
    one.utilizationPercent === null ? "-" : `${one.utilizationPercent} %`,
  ]);
  const head = ["commitment", "type", "purchased", "used", "unused", "used, list", "utilized"];
  const aligns: Align[] = ["left", "left", "right", "right", "right", "right", "right"];
  return ["", `Savings plans and reservations, ${currency}`, shortened([head, ...rows], aligns)];
}

function renderNodes({ nodes, currency, minorDigits }: CurrencyReport): string[] {
  if (nodes.length === 0) return [];
  const idle = addDecimals(nodes.map((node) => parseDecimal(node.idle)));
  const all = addDecimals([idle, ...nodes.map((node) => parseDecimal(node.used))]);
  const rows = nodes.map((node) => [
    cellText(node.node.split(/[:/]/).at(-1) ?? "", 40),
    node.resource ?? "-",
    cents(node.used, minorDigits),
    cents(node.idle, minorDigits),
    node.idlePercent === null ? "-" : `${node.idlePercent} %`,
  ]);
  const head = ["node", "resource", "used by pods", "idle", "idle"];
  const percent = all.units === ZERO.units ? "" : `, ${percentOf(idle, all, 1) ?? "-"} % idle`;
  return [
    "",
    `Nodes, effective cost, ${currency}${percent}`,
    shortened([head, ...rows], ["left", "left", "right", "right", "right"]),
  ];
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
    ...renderAllocations(currency),
    ...renderCommitments(currency),
    ...renderNodes(currency),
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
