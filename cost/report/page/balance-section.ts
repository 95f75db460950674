import type { CostReport, CurrencyReport, Money } from "../cost-report.ts";
import { balanceParts } from "../wording.ts";
import { html, type Html } from "./html.ts";
import { amountText, number, row, table } from "./table.ts";

export function balanceSheet(report: CostReport, currency: CurrencyReport): Html {
  const { balance } = currency;
  const isListed = balance.bill.list !== null;
  const line = (label: string, money: Money, isTotal = false): Html =>
    row(
      label,
      [
        money.billed,
        money.effective,
        ...(isListed ? [money.list ?? "unpriced"] : []),
        money.billedRounded,
        money.effectiveRounded,
        ...(isListed ? [money.listRounded ?? "unpriced"] : []),
      ].map(amountText),
      isTotal,
    );
  const parts = balanceParts(report, currency).map(([name, money], index) =>
    line(`${index === 0 ? "=" : "+"} ${name}`, money),
  );
  const verdict = balance.balanced
    ? html`<p class="good">The balance sheet closes: difference 0.</p>`
    : html`<p class="bad">
        The balance sheet does not close: ${balance.lines.bill} lines in the bill, ${balance.lines.parts} in
        its parts.
      </p>`;
  const columns = [
    { head: "part" },
    number("billed, exact"),
    number("effective, exact"),
    ...(isListed ? [number("list, exact")] : []),
    number("billed"),
    number("effective"),
    ...(isListed ? [number("list")] : []),
  ];
  return html`<h2>Balance sheet</h2>
    ${verdict}
    ${table(`Balance sheet, ${currency.currency}`, columns, [line("bill", balance.bill), ...parts, line("difference", balance.difference, true)])}`;
}
