import { addDecimals, formatDecimal, parseDecimal } from "../../money/exact-decimal.ts";
import type { CostReport, CurrencyReport, Money, ReportRow } from "../cost-report.ts";
import { keyText, labelOf } from "../wording.ts";
import { renderBarChart } from "./bar-chart.ts";
import { html, type Html, NOTHING } from "./html.ts";
import { kindChoice, kindName, ofKind } from "./kind-choice.ts";
import { type CostKind, costKindsOf } from "./owner-months.ts";
import { amountText, number, percentText, row, table } from "./table.ts";

/** Bars that a reader tells apart; the rest is one bar, "others". */
const MOST_BARS = 12;

export function cards(report: CostReport, currency: CurrencyReport): Html {
  const { balance, coverage } = currency;
  const waste = formatDecimal(
    addDecimals([
      parseDecimal(balance.idle.effectiveRounded),
      parseDecimal(balance.unusedCommitment.effectiveRounded),
    ]),
    currency.minorDigits,
  );
  const all: readonly (readonly [string, string])[] = [
    ["effective cost", amountText(balance.bill.effectiveRounded)],
    ["billed", amountText(balance.bill.billedRounded)],
    [`of ${report.plural}`, amountText(balance.owners.effectiveRounded)],
    ["idle and unused commitment", amountText(waste)],
    ["untagged", amountText(balance.untagged.effectiveRounded)],
    ["usage with an owner", coverage.effectivePercent === null ? "-" : `${coverage.effectivePercent} %`],
  ];
  return html`<ul class="cards">
    ${all.map(([label, value]) => html`<li><strong>${value}</strong>${label}</li>`)}
  </ul>`;
}

/** Rows as bars, those beyond the most that a reader tells apart as one; rows without this cost have none. */
function rowBars(rows: readonly ReportRow[], kind: CostKind): { categories: string[]; values: number[] } {
  const bars = rows.flatMap((line) => {
    const amount = kind.ofRow(line);
    return amount === null ? [] : [{ label: labelOf(line), amount }];
  });
  const shown = bars.length > MOST_BARS ? bars.slice(0, MOST_BARS - 1) : bars;
  const others = bars.slice(shown.length);
  const sum = formatDecimal(addDecimals(others.map(({ amount }) => parseDecimal(amount))));
  return {
    categories: [
      ...shown.map(({ label }) => label),
      ...(others.length === 0 ? [] : [`${others.length} others`]),
    ],
    values: [...shown.map(({ amount }) => Number(amount)), ...(others.length === 0 ? [] : [Number(sum)])],
  };
}

export function overview(report: CostReport, currency: CurrencyReport): Html {
  const kinds = costKindsOf(currency);
  const charts = kinds.map((kind) => {
    const label = `${kindName(kind)} by ${report.by}, ${currency.currency}; the table below has the numbers`;
    const series = { name: kind.key, values: rowBars(currency.rows, kind).values };
    const { categories } = rowBars(currency.rows, kind);
    return ofKind(
      kind,
      renderBarChart({ label, categories, series: [series], direction: "rows", currency: currency.currency }),
    );
  });
  const isListed = currency.balance.bill.listRounded !== null;
  const list = ({ listRounded }: Money): string[] =>
    isListed ? [listRounded === null ? "unpriced" : amountText(listRounded)] : [];
  const rows = currency.rows.map((line) =>
    row(labelOf(line), [
      amountText(String(line.lines)),
      ...list(line),
      amountText(line.billedRounded),
      amountText(line.effectiveRounded),
      percentText(line.effectiveSharePercent),
    ]),
  );
  const { bill, lines } = currency.balance;
  const total = row(
    "bill",
    [
      amountText(String(lines.bill)),
      ...list(bill),
      amountText(bill.billedRounded),
      amountText(bill.effectiveRounded),
      "",
    ],
    true,
  );
  const columns = [
    { head: report.by },
    number("lines"),
    ...(isListed ? [number("list")] : []),
    number("billed"),
    number("effective"),
    number("share"),
  ];
  return html`<h2>Cost by ${report.by}</h2>
    ${kinds.length > 1 ? kindChoice(currency, kinds) : NOTHING} ${charts}
    ${table(`Cost by ${keyText(report)}, ${currency.currency}`, columns, [...rows, total])}`;
}
