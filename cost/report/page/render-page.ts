import { readFileSync } from "node:fs";
import {
  addDecimals,
  compareDecimals,
  type ExactDecimal,
  formatDecimal,
  parseDecimal,
  roundDecimal,
} from "../../money/exact-decimal.ts";
import type { IdleReport } from "../../idle/idle-report.ts";
import { KIND_TEXT } from "../../idle/render-idle.ts";
import type { CostReport, CurrencyReport, Money, ReportRow } from "../cost-report.ts";
import { balanceParts, filesText, keyText, labelOf, periodText, SPLIT_TEXT } from "../wording.ts";
import type { CostVariance } from "../../variance/cost-variance.ts";
import { renderBarChart } from "./bar-chart.ts";
import { budgetLinesOf } from "./budgets.ts";
import { html, Html, NOTHING } from "./html.ts";
import { costByMonth, type CostKind, costKindsOf, monthsOf, moversOf, servicesOf } from "./owner-months.ts";

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
  /** Few words that are never broken. */
  readonly isShort?: true;
}

function table(caption: string, columns: readonly Column[], rows: readonly Html[]): Html {
  const heads = columns.map(({ head, isNumber, isShort }) =>
    isNumber === true || isShort === true
      ? html`<th scope="col" class="${isNumber === true ? "number" : "short"}">${head}</th>`
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

/** "Effective cost", "Billed cost", "List cost": how a caption begins. */
function kindName({ key }: CostKind): string {
  return `${key.slice(0, 1).toUpperCase()}${key.slice(1)} cost`;
}

/** Shown while its cost is the chosen one; everything is where a browser cannot choose. */
function ofKind({ key }: CostKind, content: Html): Html {
  return html`<div class="of-${key}">${content}</div>`;
}

/** Which cost charts, months and movers are of. Needs no script: page.css shows what is checked. */
function kindChoice({ currency }: CurrencyReport, kinds: readonly CostKind[]): Html {
  const options = kinds.map(({ key, label }, index) => {
    const checked = new Html(index === 0 ? " checked" : "");
    return html`<label
      ><input type="radio" name="cost-${currency}" value="${key}" ${checked} /> ${label}</label
    >`;
  });
  return html`<fieldset class="kinds">
    <legend>Cost that charts, months and movers show</legend>
    ${options}
  </fieldset>`;
}

function overview(report: CostReport, currency: CurrencyReport): Html {
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
    ${kinds.length > 1 ? kindChoice(currency, kinds) : NOTHING} ${charts}
    ${table(`Cost by ${keyText(report)}, ${currency.currency}`, columns, [...rows, total])}`;
}

function monthsOfKind(
  report: CostReport,
  currency: CurrencyReport,
  months: readonly string[],
  kind: CostKind,
): Html {
  const byLabel = costByMonth(currency, months, kind);
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
      (byLabel.get(label) ?? []).map((amount) =>
        amount === undefined ? "unpriced" : rounded(amount, currency),
      ),
    ),
  );
  const name = kindName(kind);
  return html`${renderBarChart({ label: `${name} by billing period and ${report.by}; the table below has the numbers`, categories: months, series, direction: "columns", currency: currency.currency })}
  ${table(`${name} by billing period, ${currency.currency}`, [{ head: report.by }, ...months.map(number)], rows)}`;
}

function overTime(report: CostReport, currency: CurrencyReport): Html {
  const months = monthsOf(currency);
  if (months.length < 2) return NOTHING;
  return html`<h2>Over time</h2>
    ${costKindsOf(currency).map((kind) => ofKind(kind, monthsOfKind(report, currency, months, kind)))}`;
}

function moversOfKind(report: CostReport, currency: CurrencyReport, kind: CostKind): Html {
  const [from = "", to = ""] = monthsOf(currency).slice(-2);
  const rows = moversOf(currency, kind)
    .slice(0, MOST_MOVERS)
    .map(
      (mover) =>
        html`<tr>
          <th scope="row">${mover.label}</th>
          <td class="number">${rounded(mover.before, currency)}</td>
          <td class="number">${rounded(mover.after, currency)}</td>
          <td class="number">${signed(rounded(mover.change, currency))}</td>
          <td>${mover.because}</td>
        </tr>`,
    );
  const columns = [
    { head: report.by },
    number(from),
    number(to),
    number("change"),
    { head: "moved most by" },
  ];
  return rows.length === 0
    ? html`<p class="soft">${kindName(kind)} has not moved.</p>`
    : table(`${kindName(kind)}, ${from} to ${to}, ${currency.currency}`, columns, rows);
}

function movers(report: CostReport, currency: CurrencyReport): Html {
  if (monthsOf(currency).length < 2) return NOTHING;
  return html`<h2>What moved</h2>
    ${costKindsOf(currency).map((kind) => ofKind(kind, moversOfKind(report, currency, kind)))}`;
}

function drillDown(report: CostReport, currency: CurrencyReport): Html {
  const isListed = currency.balance.bill.listRounded !== null;
  const listText = (amount: string | null): string => (amount === null ? "unpriced" : amountText(amount));
  const items = currency.rows.map((line) => {
    const lines = currency.lines.filter((costLine) => labelOf(costLine) === labelOf(line));
    const services = servicesOf(lines, line, currency.minorDigits).map((service) =>
      row(service.service, [
        String(service.lines),
        ...(isListed ? [listText(service.list)] : []),
        amountText(service.billed),
        amountText(service.effective),
      ]),
    );
    const heads = ["lines", ...(isListed ? ["list"] : []), "billed", "effective"];
    const columns = [{ head: "provider service" }, ...heads.map(number)];
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

/** "12.00 over", "3.50 left". */
function budgetText(overBudget: string): string {
  return Number(overBudget) > 0
    ? `${amountText(overBudget)} over`
    : `${amountText(overBudget.replace("-", ""))} left`;
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

/** What is paid for and not used, as `cost idle` found it in the same bill. */
function unused(idle: IdleReport | undefined, { currency }: CurrencyReport): Html {
  if (idle === undefined) return NOTHING;
  const own = idle.findings.filter((finding) => finding.currency === currency);
  const total = idle.currencies.find((one) => one.currency === currency);
  if (own.length === 0 || total === undefined) {
    return html`<h2>Paid for and not used</h2>
      <p>Nothing was found in ${currency}.</p>`;
  }
  const rows = own.map(
    (one) =>
      html`<tr>
        <th scope="row">${KIND_TEXT[one.kind]} ${one.resource}</th>
        <td class="short">${one.region ?? "-"}</td>
        <td class="words">${one.team ?? "no team"}</td>
        <td class="short">${one.confidence}</td>
        <td class="number">${amountText(one.perMonthRounded)}</td>
        <td class="prose">${one.evidence.join("; ")}. To do: ${one.action}.</td>
      </tr>`,
  );
  const columns: readonly Column[] = [
    { head: "what" },
    { head: "region", isShort: true },
    { head: "team", isShort: true },
    { head: "confidence", isShort: true },
    number("per month"),
    { head: "evidence, and what to do" },
  ];
  return html`<h2>Paid for and not used</h2>
    <p class="soft">
      Resources together ${amountText(total.perMonthRounded)} ${currency} an average month, at the rate of
      ${idle.month}; an environment's cost includes its resources' and is not in it.
    </p>
    ${table(`Paid for and not used, ${currency}`, columns, rows)}`;
}

/** Budgets beside what environments cost, as `cost variance` has them of the same bill. */
function budgets(variance: CostVariance | undefined, currency: CurrencyReport): Html {
  if (variance === undefined || variance.currency !== currency.currency) return NOTHING;
  const rows = budgetLinesOf(variance).map((line) =>
    row(
      line.environment === null ? `${line.team}, together` : `${line.team}: ${line.environment}`,
      [
        amountText(line.budget),
        amountText(line.actual),
        percentText(line.usedPercent),
        budgetText(line.overBudget),
        amountText(line.estimated),
        signed(amountText(line.variance)),
      ],
      line.environment === null,
    ),
  );
  const rest = row("rest of the bill", ["", amountText(variance.rest), "", "", "", ""]);
  const bill = row("bill", ["", amountText(variance.bill), "", "", "", ""], true);
  const heads = ["budget", "actual", "of budget", "left or over", "estimated", "actual to estimate"];
  const notes = variance.notes.map((note) => html`<li>${note}</li>`);
  return html`<h2>Budget and actual</h2>
    <p class="soft">
      Effective cost of environments by team in ${variance.month}; prices of estimates as of
      ${variance.pricesAsOf}.
    </p>
    ${table(
      `Budget and actual of ${variance.month}, ${variance.currency}`,
      [{ head: "team: environment" }, ...heads.map(number)],
      [...rows, rest, bill],
    )}
    ${
      notes.length === 0
        ? NOTHING
        : html`<ul>
            ${notes}
          </ul>`
    }`;
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

function currencySection(
  report: CostReport,
  currency: CurrencyReport,
  idle: IdleReport | undefined,
  variance: CostVariance | undefined,
): Html {
  const { chargeDays } = currency;
  return html`<section aria-label="${currency.currency}">
    <p>
      ${currency.currency}, billing period ${periodText(currency)}, charges of ${chargeDays.first} to
      ${chargeDays.last}
    </p>
    ${cards(report, currency)} ${overview(report, currency)} ${budgets(variance, currency)}
    ${overTime(report, currency)} ${movers(report, currency)} ${drillDown(report, currency)}
    ${sharedOut(currency)} ${commitments(currency)} ${nodes(currency)} ${unused(idle, currency)}
    ${balanceSheet(report, currency)}
  </section>`;
}

/**
 * The report as one page that needs nothing else: no script, no network, no font. The same numbers as the JSON, exact
 * where a table has them; charts are pictures of them.
 *
 * @param idle what `cost idle` found in the same bill
 * @param variance what `cost variance` says of environments in the same bill
 */
export function renderPage(report: CostReport, idle?: IdleReport, variance?: CostVariance): string {
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
          ${report.currencies.map((currency) => currencySection(report, currency, idle, variance))}
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
