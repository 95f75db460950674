import { compareDecimals, parseDecimal } from "../../money/exact-decimal.ts";
import type { CurrencyReport } from "../cost-report.ts";
import { labelOf, SPLIT_TEXT } from "../wording.ts";
import { html, type Html, NOTHING } from "./html.ts";
import { amountText, number, percentText, rounded, row, table } from "./table.ts";

const MOST_NODES = 100;

export function sharedOut(currency: CurrencyReport): Html {
  if (currency.allocations.length === 0) return NOTHING;
  const rows = currency.allocations.map(
    (one) =>
      html`<tr>
        <th scope="row">${one.allocation}</th>
        <td>${SPLIT_TEXT[one.split]}</td>
        <td>${labelOf(one)}</td>
        <td class="number">${amountText(one.billed)}</td>
        <td class="number">${amountText(one.effective)}</td>
      </tr>`,
  );
  const columns = [
    { head: "moved by" },
    { head: "split" },
    { head: "from (below 0) and to" },
    number("billed, exact"),
    number("effective, exact"),
  ];
  return html`<h2>Shared out</h2>
    <p class="soft">What each rule moved; the lines of one rule add up to 0.</p>
    ${table(`What was moved, ${currency.currency}`, columns, rows)}`;
}

export function commitments(currency: CurrencyReport): Html {
  if (currency.commitments.length === 0) return NOTHING;
  const cents = (amount: string): string => rounded(parseDecimal(amount), currency);
  const rows = currency.commitments.map((one) =>
    row(one.commitmentId, [
      one.type ?? "-",
      cents(one.purchased),
      cents(one.used),
      cents(one.unused),
      one.usedAtListPrice === null ? "-" : cents(one.usedAtListPrice),
      percentText(one.utilizationPercent),
    ]),
  );
  const columns = [
    { head: "commitment" },
    ...["type", "purchased", "used", "unused", "used, at list price", "utilized"].map(number),
  ];
  return html`<h2>Savings plans and reservations</h2>
    ${table(`Savings plans and reservations, ${currency.currency}`, columns, rows)}`;
}

export function nodes(currency: CurrencyReport): Html {
  if (currency.nodes.length === 0) return NOTHING;
  const byIdle = currency.nodes.toSorted(
    (a, b) => compareDecimals(parseDecimal(b.idle), parseDecimal(a.idle)) || (a.node < b.node ? -1 : 1),
  );
  const rows = byIdle
    .slice(0, MOST_NODES)
    .map((one) =>
      row(one.node, [
        one.resource ?? "-",
        rounded(parseDecimal(one.used), currency),
        rounded(parseDecimal(one.idle), currency),
        percentText(one.idlePercent),
      ]),
    );
  const more = byIdle.length - MOST_NODES;
  const columns = [{ head: "node" }, ...["resource", "used by pods", "idle", "idle share"].map(number)];
  return html`<h2>Idle nodes</h2>
    <p class="soft">
      Effective cost of nodes by resource, the idlest first${more > 0 ? `; ${more} more in the JSON` : ""}.
    </p>
    ${table(`Nodes by resource, ${currency.currency}`, columns, rows)}`;
}
