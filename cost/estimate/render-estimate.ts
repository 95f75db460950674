import { csvLine } from "../report/render-csv.ts";
import { cellText, renderColumns, wrapText } from "../report/render-table.ts";
import type { CostEstimate, EstimateLine } from "./cost-estimate.ts";

function lineCells(line: EstimateLine): readonly string[] {
  const start = [line.pool ?? "-", cellText(line.item, 40)];
  if (line.kind !== "priced") return [...start, "", "", "", line.kind.replace("-", " "), ""];
  const count = line.maxCount === line.count ? String(line.count) : `${line.count} to ${line.maxCount}`;
  return [
    ...start,
    count,
    String(line.hoursPerMonth),
    line.pricePerHour,
    line.perMonthRounded,
    line.perMonthAtMostRounded,
  ];
}

/** "120.00 left", or "OVER by 3.50": what remains of the budget. */
export function remainderText(remaining: string): string {
  return remaining.startsWith("-") ? `OVER by ${remaining.slice(1)}` : `${remaining} left`;
}

function budgetText(estimate: CostEstimate): string {
  const { budget, currency, unpricedLines, total } = estimate;
  const atMost =
    budget.remainingAtMost === budget.remaining
      ? ""
      : `; at most ${total.perMonthAtMostRounded}: ${remainderText(budget.remainingAtMost)}`;
  const lines = unpricedLines === 1 ? "unpriced line below is" : `${unpricedLines} unpriced lines below are`;
  const without = unpricedLines === 0 ? "" : ` The ${lines} not in it.`;
  return `Budget ${budget.perMonth} ${currency} a month; estimated ${total.perMonthRounded}: ${remainderText(budget.remaining)}${atMost}.${without}`;
}

function listText(title: string, items: readonly string[]): readonly string[] {
  return items.length === 0 ? [] : ["", title, ...items.map((item) => `- ${wrapText(item, "  ")}`)];
}

/** The estimate for a terminal, at most 100 columns wide. */
export function renderEstimateTable(estimate: CostEstimate): string {
  const { prices, currency, total } = estimate;
  const lines = [
    ["pool", "what", "count", "hours", "per hour", "per month", "at most"],
    ...estimate.lines.map(lineCells),
    ["total", "", "", "", "", total.perMonthRounded, total.perMonthAtMostRounded],
  ];
  const owners = [
    [estimate.by, "per month", "at most"],
    ...estimate.rows.map((row) => [row.owner, row.perMonthRounded, row.perMonthAtMostRounded]),
  ];
  const because = estimate.lines.flatMap((line) =>
    line.kind === "priced"
      ? []
      : [
          `${line.pool === null ? "" : `${line.pool}: `}${line.item}: ${line.kind.replace("-", " ")}: ${line.because}`,
        ],
  );
  const isBilled = estimate.lines.some((line) => line.kind !== "not-billed");
  const origin = `Prices of ${prices.region} as of ${prices.asOf}, specifications as of ${prices.specsAsOf}: ${prices.source}`;
  return `${[
    `Estimate for ${estimate.environment} in ${estimate.region}, ${currency} a month`,
    ...(isBilled ? [wrapText(origin, "")] : []),
    "",
    renderColumns(lines, ["left", "left", "right", "right", "right", "right", "right"]),
    "",
    renderColumns(owners, ["left", "right", "right"]),
    "",
    wrapText(budgetText(estimate), ""),
    ...listText("Not in the total", because),
    ...listText("Assumptions", estimate.assumptions),
  ].join("\n")}\n`;
}

const HEADER =
  "section,environment,region,currency,prices_as_of,team,cost_center,service,pool,item,kind,instance_type,count,max_count,hours_per_month,price_per_hour,per_month,per_month_at_most,per_month_rounded,per_month_at_most_rounded,because".split(
    ",",
  );

function csvCells(line: EstimateLine): readonly string[] {
  const owner = [line.owner.team, line.owner["cost-center"], line.owner.service];
  const start = [...owner, line.pool ?? "", line.item, line.kind];
  if (line.kind === "priced") {
    return [
      ...start,
      line.instanceType,
      String(line.count),
      String(line.maxCount),
      String(line.hoursPerMonth),
      line.pricePerHour,
      line.perMonth,
      line.perMonthAtMost,
      line.perMonthRounded,
      line.perMonthAtMostRounded,
      "",
    ];
  }
  const instanceType = line.kind === "unpriced" ? (line.instanceType ?? "") : "";
  return [...start, instanceType, ...Array.from({ length: 8 }, () => ""), line.because];
}

/** The estimate as CSV by RFC 4180: its lines, the total, and the budget. */
export function renderEstimateCsv(estimate: CostEstimate): string {
  const { environment, region, currency, prices, total, budget } = estimate;
  const start = (section: string): string[] => [section, environment, region, currency, prices.asOf];
  const blank = (count: number): string[] => Array.from({ length: count }, () => "");
  const totals = [total.perMonth, total.perMonthAtMost, total.perMonthRounded, total.perMonthAtMostRounded];
  return [
    csvLine(HEADER),
    ...estimate.lines.map((line) => csvLine([...start("line"), ...csvCells(line)])),
    csvLine([...start("total"), ...blank(11), ...totals, ""]),
    csvLine([...start("budget"), ...blank(13), budget.perMonth, "", ""]),
    csvLine([...start("remaining"), ...blank(13), budget.remaining, budget.remainingAtMost, ""]),
  ].join("");
}
