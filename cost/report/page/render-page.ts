import { readFileSync } from "node:fs";
import {
  addDecimals,
  compareDecimals,
  type ExactDecimal,
  formatDecimal,
  parseDecimal,
  roundDecimal,
} from "../../money/exact-decimal.ts";
import type { CostReport, CurrencyReport, Money, ReportRow } from "../cost-report.ts";
import { balanceParts, filesText, keyText, labelOf, periodText, SPLIT_TEXT } from "../wording.ts";
import { renderBarChart } from "./bar-chart.ts";
import { html, Html, NOTHING } from "./html.ts";
import { effectiveByMonth, monthsOf, moversOf, servicesOf } from "./owner-months.ts";

/** Bars that a reader tells apart; the rest is one bar, "others". */
const MOST_BARS = 12;
const MOST_SERIES = 6;
const MOST_MOVERS = 15;
const MOST_NODES = 100;

/** "-1234567.50" as "-1,234,567.50"; exact, as it stays text. */
function amountText(amount: string): string {
  const [whole = "", fraction] = amount.split(".");
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

function rounded(amount: ExactDecimal, currency: CurrencyReport): string {
  return amountText(formatDecimal(roundDecimal(amount, currency.minorDigits), currency.minorDigits));
}

function signed(text: string): string {
  return text.startsWith("-") ? text : `+${text}`;
}

interface Column {
  readonly head: string;
  readonly isNumber?: true;
}

function table(caption: string, columns: readonly Column[], rows: readonly Html[]): Html {
  const heads = columns.map(({ head, isNumber }) =>
    isNumber === true
      ? html`<th scope="col" class="number">${head}</th>`
      : html`<th scope="col">${head}</th>`,
  );
  return html`<div class="wide" tabindex="0" role="region" aria-label="${caption}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

function row(label: string, cells: readonly string[], isTotal = false): Html {
  const numbers = cells.map((cell) => html`<td class="number">${cell}</td>`);
  const open = isTotal ? new Html('<tr class="total">') : new Html("<tr>");
  return html`${open}<th scope="row">${label}</th>${numbers}</tr>`;
}

function number(head: string): Column {
  return { head, isNumber: true };
}

function cards(report: CostReport, currency: CurrencyReport): Html {
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

/** Rows as bars, those beyond the most that a reader tells apart as one. */
function rowBars(rows: readonly ReportRow[]): { categories: string[]; values: number[] } {
  const shown = rows.length > MOST_BARS ? rows.slice(0, MOST_BARS - 1) : rows;
  const others = rows.slice(shown.length);
  const sum = formatDecimal(addDecimals(others.map((other) => parseDecimal(other.effectiveRounded))));
  return {
    categories: [...shown.map(labelOf), ...(others.length === 0 ? [] : [`${others.length} others`])],
    values: [
      ...shown.map((shownRow) => Number(shownRow.effectiveRounded)),
      ...(others.length === 0 ? [] : [Number(sum)]),
    ],
  };
}

function overview(report: CostReport, currency: CurrencyReport): Html {
  const { categories, values } = rowBars(currency.rows);
  const share = (percent: string | null): string => (percent === null ? "-" : `${percent} %`);
  const isListed = currency.balance.bill.listRounded !== null;
  const list = ({ listRounded }: Money): string[] =>
    isListed ? [listRounded === null ? "unpriced" : amountText(listRounded)] : [];
  const rows = currency.rows.map((line) =>
    row(labelOf(line), [
      String(line.lines),
      ...list(line),
      amountText(line.billedRounded),
      amountText(line.effectiveRounded),
      share(line.effectiveSharePercent),
    ]),
  );
  const { bill, lines } = currency.balance;
  const total = row(
    "bill",
    [
      String(lines.bill),
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
    ${renderBarChart({ label: `Effective cost by ${report.by}, ${currency.currency}; the table below has the numbers`, categories, series: [{ name: "effective", values }], direction: "rows", currency: currency.currency })}
    ${table(`Cost by ${keyText(report)}, ${currency.currency}`, columns, [...rows, total])}`;
}

function overTime(report: CostReport, currency: CurrencyReport): Html {
  const months = monthsOf(currency);
  if (months.length < 2) return NOTHING;
  const byLabel = effectiveByMonth(currency, months);
  const labels = currency.rows.map(labelOf).filter((label, index, all) => all.indexOf(label) === index);
  const shown = labels.slice(0, MOST_SERIES);
  const sumOf = (some: readonly string[], index: number): number =>
    Number(formatDecimal(addDecimals(some.flatMap((label) => byLabel.get(label)?.[index] ?? []))));
  const others = labels.slice(MOST_SERIES);
  const series = [
    ...shown.map((label) => ({ name: label, values: months.map((_, index) => sumOf([label], index)) })),
    ...(others.length === 0
      ? []
      : [{ name: "all others", values: months.map((_, index) => sumOf(others, index)) }]),
  ];
  const rows = labels.map((label) =>
    row(
      label,
      (byLabel.get(label) ?? []).map((amount) => rounded(amount, currency)),
    ),
  );
  return html`<h2>Over time</h2>
    ${renderBarChart({ label: `Effective cost by billing period and ${report.by}; the table below has the numbers`, categories: months, series, direction: "columns", currency: currency.currency })}
    ${table(`Effective cost by billing period, ${currency.currency}`, [{ head: report.by }, ...months.map(number)], rows)}`;
}

function movers(report: CostReport, currency: CurrencyReport): Html {
  const all = moversOf(currency);
  if (all.length === 0) return NOTHING;
  const [from = "", to = ""] = monthsOf(currency).slice(-2);
  const rows = all.slice(0, MOST_MOVERS).map(
    (mover) =>
      html`<tr>
        <th scope="row">${mover.label}</th>
        <td class="number">${rounded(mover.before, currency)}</td>
        <td class="number">${rounded(mover.after, currency)}</td>
        <td class="number">${signed(rounded(mover.change, currency))}</td>
        <td>${mover.because}</td>
      </tr>`,
  );
  return html`<h2>What moved</h2>
    ${table(`Effective cost, ${from} to ${to}, ${currency.currency}`, [{ head: report.by }, number(from), number(to), number("change"), { head: "moved most by" }], rows)}`;
}

function drillDown(report: CostReport, currency: CurrencyReport): Html {
  const items = currency.rows.map((line) => {
    const lines = currency.lines.filter((costLine) => labelOf(costLine) === labelOf(line));
    const services = servicesOf(lines, line, currency.minorDigits).map((service) =>
      row(service.service, [
        String(service.lines),
        amountText(service.billed),
        amountText(service.effective),
      ]),
    );
    const columns = [{ head: "provider service" }, number("lines"), number("billed"), number("effective")];
    return html`<details>
      <summary>${labelOf(line)} <span class="number">${amountText(line.effectiveRounded)}</span></summary>
      ${table(`${labelOf(line)} by provider service, ${currency.currency}`, columns, services)}
    </details>`;
  });
  return html`<h2>What each ${report.by} is made of</h2>
    <p class="soft">Open a line for its services; effective cost in ${currency.currency}.</p>
    ${items}`;
}

function sharedOut(currency: CurrencyReport): Html {
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

function percentText(percent: string | null): string {
  return percent === null ? "-" : `${percent} %`;
}

function commitments(currency: CurrencyReport): Html {
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

function nodes(currency: CurrencyReport): Html {
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

function balanceSheet(report: CostReport, currency: CurrencyReport): Html {
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

function currencySection(report: CostReport, currency: CurrencyReport): Html {
  const { chargeDays } = currency;
  return html`<section aria-label="${currency.currency}">
    <p>
      ${currency.currency}, billing period ${periodText(currency)}, charges of ${chargeDays.first} to
      ${chargeDays.last}
    </p>
    ${cards(report, currency)} ${overview(report, currency)} ${overTime(report, currency)}
    ${movers(report, currency)} ${drillDown(report, currency)} ${sharedOut(currency)} ${commitments(currency)}
    ${nodes(currency)} ${balanceSheet(report, currency)}
  </section>`;
}

/**
 * The report as one page that needs nothing else: no script, no network, no font. The same numbers as the JSON, exact
 * where a table has them; charts are pictures of them.
 */
export function renderPage(report: CostReport): string {
  const css = readFileSync(new URL("./page.css", import.meta.url), "utf8");
  const { source } = report;
  const notes = report.notes.map((note) => html`<li>${note}</li>`);
  const title = `Cost by ${keyText(report)}`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>${title}</title>
        <style>
          ${new Html(css)}
        </style>
      </head>
      <body>
        <header>
          <h1>${title}</h1>
        </header>
        <main>
          ${report.currencies.map((currency) => currencySection(report, currency))}
          ${
            notes.length === 0
              ? NOTHING
              : html`<h2>Notes</h2>
                  <ul>
                    ${notes}
                  </ul>`
          }
        </main>
        <footer>
          ${source.name}: ${source.standard} ${source.version}, ${filesText(report)}${source.lines} lines,
          sha256 ${source.sha256}
        </footer>
      </body>
    </html> `.text;
}
