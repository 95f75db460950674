import { csvLine } from "../report/render-csv.ts";
import { cellText, renderColumns, wrapText } from "../report/render-table.ts";
import type { UnitAmounts, UnitCost } from "./unit-cost.ts";

function wholeText(value: number): string {
  return value.toLocaleString("en-US");
}

function amountCells(amounts: UnitAmounts, hasPrice: boolean): readonly string[] {
  return [
    wholeText(amounts.calls),
    wholeText(amounts.failedCalls),
    amounts.costRounded,
    amounts.costPerMillionCalls ?? "-",
    ...(hasPrice ? [amounts.margin?.margin ?? "-", amounts.margin?.percent ?? "-"] : []),
  ];
}

/** Unit cost for a terminal, at most 100 columns wide. */
export function renderUnitCostTable(unitCost: UnitCost): string {
  const { by, currency, chargeDays, month, pricePerMillionCalls: price, source } = unitCost;
  const hasPrice = price !== null;
  const table = (name: string, rows: readonly (readonly [string, UnitAmounts])[]): string =>
    renderColumns(
      [
        [name, "calls", "failed", "cost", "per million", ...(hasPrice ? ["margin", "%"] : [])],
        ...rows.map(([key, amounts]) => [cellText(key, 26), ...amountCells(amounts, hasPrice)]),
      ],
      ["left", "right", "right", "right", "right", ...(hasPrice ? (["right", "right"] as const) : [])],
    );
  const title = `Cost per million tool calls in ${month}, ${currency}, effective cost`;
  const against = price === null ? "" : `; margin against ${price} ${currency} a million`;
  return `${[
    title,
    wrapText(
      `Charges and calls of ${chargeDays.first} to ${chargeDays.last}; calls of ${source}${against}`,
      "",
    ),
    "",
    table(
      "team",
      unitCost.teams.map((row) => [row.team, row]),
    ),
    ...unitCost.environments.flatMap((row) => [
      "",
      table(`${cellText(row.environment, 24)} by ${cellText(by, 24)}`, [
        ...row.rows.map((own): [string, UnitAmounts] => [own.key ?? `(no ${by})`, own]),
        [row.isUpperBound ? "total, at most" : "total", row],
      ]),
    ]),
    "",
    "Notes",
    ...unitCost.notes.map((note) => `- ${wrapText(note, "  ")}`),
  ].join("\n")}\n`;
}

const HEADER =
  "section,month,currency,team,environment,by,key,calls,failed_calls,tool_seconds,cost,cost_rounded,cost_per_million_calls,revenue,margin,margin_percent".split(
    ",",
  );

/** Unit cost as CSV by RFC 4180: teams, environments and their parts. */
export function renderUnitCostCsv({ month, currency, by, teams, environments }: UnitCost): string {
  const line = (
    section: string,
    where: readonly string[],
    toolSeconds: string,
    amounts: UnitAmounts,
  ): string =>
    csvLine([
      section,
      month,
      currency,
      ...where,
      String(amounts.calls),
      String(amounts.failedCalls),
      toolSeconds,
      amounts.cost,
      amounts.costRounded,
      amounts.costPerMillionCalls ?? "",
      amounts.margin?.revenue ?? "",
      amounts.margin?.margin ?? "",
      amounts.margin?.percent ?? "",
    ]);
  return [
    csvLine(HEADER),
    ...teams.map((row) => line("team", [row.team, "", "", ""], "", row)),
    ...environments.flatMap((row) => [
      line("environment", [row.team, row.environment, "", ""], "", row),
      ...row.rows.map((own) =>
        line("part", [row.team, row.environment, by, own.key ?? ""], String(own.toolSeconds), own),
      ),
    ]),
  ].join("");
}
