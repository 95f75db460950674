import type { CostReport, CurrencyReport, Money } from "../cost-report.ts";
import { balanceParts } from "../wording.ts";
import { html, type Html } from "./html.ts";
import { amountText, number, row, table } from "./table.ts";

/** Amounts of one part of the sheet, in the order of `KINDS`; a part without list prices is no 0. */
type Amounts = (money: Money) => readonly [billed: string, effective: string, list: string | null];

const KINDS = ["billed", "effective", "list"] as const;

/** In cents as the rest of the page has them, and then to the last digit: both on one line are wider than a page. */
const SHEETS: readonly { readonly caption: string; readonly amounts: Amounts }[] = [
  {
    caption: "Balance sheet",
    amounts: ({ billedRounded, effectiveRounded, listRounded }) => [
      billedRounded,
      effectiveRounded,
      listRounded,
    ],
  },
  {
    caption: "Balance sheet to the last digit",
    amounts: ({ billed, effective, list }) => [billed, effective, list],
  },
];

export function balanceSheet(report: CostReport, currency: CurrencyReport): Html {
  const { balance } = currency;
  const kinds = balance.bill.list === null ? KINDS.slice(0, 2) : KINDS;
  const lines: readonly (readonly [string, Money])[] = [
    ["bill", balance.bill],
    ...balanceParts(report, currency).map(
      ([name, money], index) => [`${index === 0 ? "=" : "+"} ${name}`, money] as const,
    ),
  ];
  const sheets = SHEETS.map(({ caption, amounts }) => {
    const line = (label: string, money: Money, isTotal = false): Html =>
      row(
        label,
        amounts(money)
          .slice(0, kinds.length)
          .map((amount) => (amount === null ? "unpriced" : amountText(amount))),
        isTotal,
      );
    return table(
      `${caption}, ${currency.currency}`,
      [{ head: "part" }, ...kinds.map(number)],
      [...lines.map(([label, money]) => line(label, money)), line("difference", balance.difference, true)],
    );
  });
  const verdict = balance.balanced
    ? html`<p class="good">The balance sheet closes: difference 0.</p>`
    : html`<p class="bad">
        The balance sheet does not close: ${balance.lines.bill} lines in the bill, ${balance.lines.parts} in
        its parts.
      </p>`;
  return html`<h2>Balance sheet</h2>
    ${verdict} ${sheets}`;
}
