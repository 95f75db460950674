import { csvLine } from "../report/render-csv.ts";
import { cellText, renderColumns, wrapText } from "../report/render-table.ts";
import type { DiffLine, DiffSide, EstimateDiff } from "./estimate-diff.ts";
import { remainderText } from "./render-estimate.ts";

const ITEM_WIDTH = 28;

/** A change reads as one only with its sign. */
function signed(change: string): string {
  return change.startsWith("-") || /^0(\.0+)?$/.test(change) ? change : `+${change}`;
}

function sideText(side: DiffSide | null): string {
  return side === null ? "-" : side.item;
}

function changeText(line: DiffLine): string {
  if (line.changeRounded !== null) return signed(line.changeRounded);
  const isUnpriced = line.before?.kind === "unpriced" || line.after?.kind === "unpriced";
  return isUnpriced ? "unpriced" : "not billed";
}

function headline({ total, currency, base }: EstimateDiff): string {
  return `${signed(total.changeRounded)} ${currency} a month against ${base}: ${total.beforeRounded} before, ${total.afterRounded} after`;
}

function budgetText({ budget, currency }: EstimateDiff): string {
  return `Budget ${budget.perMonth} ${currency} a month: ${remainderText(budget.remaining)}`;
}

function unpricedText({ unpriced: { before, after } }: EstimateDiff): readonly string[] {
  if (before + after === 0) return [];
  return [
    `lines without a price, in no total: ${before === after ? after : `${before} before, ${after} after`}`,
  ];
}

/** The lines that changed, and a word for those that did not. */
function changedLines(diff: EstimateDiff): {
  readonly changed: readonly DiffLine[];
  readonly same: readonly string[];
} {
  const changed = diff.lines.filter(({ outcome }) => outcome !== "same");
  const same = diff.lines.length - changed.length;
  return { changed, same: same === 0 ? [] : [`${same === 1 ? "1 line is" : `${same} lines are`} the same`] };
}

function notesOf(diff: EstimateDiff): readonly string[] {
  return [...diff.notes, ...changedLines(diff).same, ...unpricedText(diff)];
}

function assumptionsOf(diff: EstimateDiff): readonly string[] {
  return [`both sides at the prices of ${diff.pricesAsOf}`, ...diff.assumptions];
}

/** A change for a terminal, at most 100 columns wide. */
export function renderEstimateDiffTable(diff: EstimateDiff): string {
  const { changed } = changedLines(diff);
  const lines = [
    ["", "pool", "before", "after", "per month"],
    ...changed.map((line) => [
      line.outcome,
      cellText(line.pool ?? "-", 16),
      cellText(sideText(line.before), ITEM_WIDTH),
      cellText(sideText(line.after), ITEM_WIDTH),
      changeText(line),
    ]),
  ];
  const money = (name: string, change: EstimateDiff["total"]): readonly string[] => [
    name,
    change.beforeRounded,
    change.afterRounded,
    signed(change.changeRounded),
  ];
  const owners = [
    [diff.by, "before", "after", "change"],
    ...diff.rows.map((row) => money(cellText(row.owner, 40), row)),
    money("total", diff.total),
    money("at most", diff.atMost),
  ];
  const list = (title: string, items: readonly string[]): readonly string[] =>
    items.length === 0 ? [] : ["", title, ...items.map((item) => `- ${wrapText(item, "  ")}`)];
  return `${[
    `Change of ${diff.environment} in ${diff.region}`,
    wrapText(headline(diff), ""),
    ...(changed.length === 0 ? [] : ["", renderColumns(lines, ["left", "left", "left", "left", "right"])]),
    "",
    renderColumns(owners, ["left", "right", "right", "right"]),
    "",
    wrapText(budgetText(diff), ""),
    ...list("Notes", notesOf(diff)),
    ...list("Assumptions", assumptionsOf(diff)),
  ].join("\n")}\n`;
}

/** Text that Markdown shows as it is: no link, no mark-up, nobody notified, no further table cell. */
function markdownText(text: string): string {
  return cellText(text, 200)
    .replaceAll(/[\\`*_[\]|~#!]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll("@", "&#64;");
}

function markdownTable(
  head: readonly string[],
  aligns: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [row(head), `|${aligns.join("|")}|`, ...rows.map((cells) => row(cells.map(markdownText)))].join(
    "\n",
  );
}

/** A change as the comment of a pull request, in GitHub's Markdown. */
export function renderEstimateDiffMarkdown(diff: EstimateDiff): string {
  const { changed } = changedLines(diff);
  const list = (items: readonly string[]): string =>
    items.map((item) => `- ${markdownText(item)}`).join("\n");
  const lines = changed.map((line) => [
    line.outcome,
    line.pool ?? "-",
    sideText(line.before),
    sideText(line.after),
    changeText(line),
  ]);
  const money = (
    name: string,
    { beforeRounded, afterRounded, changeRounded }: EstimateDiff["total"],
  ): string[] => [name, beforeRounded, afterRounded, signed(changeRounded)];
  return `${[
    `### Cost of ${markdownText(diff.environment)} in ${markdownText(diff.region)}`,
    `**${markdownText(headline(diff))}**`,
    `${diff.budget.isWithin ? "" : ":warning: "}${markdownText(budgetText(diff))}`,
    ...(changed.length === 0
      ? []
      : [
          markdownTable(
            ["", "pool", "before", "after", `${diff.currency} a month`],
            ["---", "---", "---", "---", "---:"],
            lines,
          ),
        ]),
    markdownTable(
      [markdownText(diff.by), "before", "after", "change"],
      ["---", "---:", "---:", "---:"],
      [
        ...diff.rows.map((row) => money(row.owner, row)),
        money("total", diff.total),
        money("at most", diff.atMost),
      ],
    ),
    ...(notesOf(diff).length === 0 ? [] : [list(notesOf(diff))]),
    `<details><summary>Assumptions</summary>\n\n${list(assumptionsOf(diff))}\n\n</details>`,
  ].join("\n\n")}\n`;
}

const HEADER =
  "section,environment,region,currency,prices_as_of,base,pool,owner,outcome,before_item,after_item,before_per_month,after_per_month,change_per_month,before_rounded,after_rounded,change_rounded".split(
    ",",
  );

/** A change as CSV by RFC 4180: every line, every owner, the totals. */
export function renderEstimateDiffCsv(diff: EstimateDiff): string {
  const start = (section: string): string[] => [
    section,
    diff.environment,
    diff.region,
    diff.currency,
    diff.pricesAsOf,
    diff.base,
  ];
  const amounts = (change: EstimateDiff["total"]): string[] => [
    change.before,
    change.after,
    change.change,
    change.beforeRounded,
    change.afterRounded,
    change.changeRounded,
  ];
  return [
    csvLine(HEADER),
    ...diff.lines.map(({ pool, outcome, before, after, change, changeRounded }) =>
      csvLine([
        ...start("line"),
        pool ?? "",
        "",
        outcome,
        before?.item ?? "",
        after?.item ?? "",
        before?.perMonth ?? "",
        after?.perMonth ?? "",
        change ?? "",
        before?.perMonthRounded ?? "",
        after?.perMonthRounded ?? "",
        changeRounded ?? "",
      ]),
    ),
    ...diff.rows.map((row) => csvLine([...start("owner"), "", row.owner, "", "", "", ...amounts(row)])),
    csvLine([...start("total"), "", "", "", "", "", ...amounts(diff.total)]),
    csvLine([...start("at_most"), "", "", "", "", "", ...amounts(diff.atMost)]),
  ].join("");
}
