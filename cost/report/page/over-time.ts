import { addDecimals, type ExactDecimal, formatDecimal, ZERO } from "../../money/exact-decimal.ts";
import type { CostReport, CurrencyReport } from "../cost-report.ts";
import { labelOf } from "../wording.ts";
import { renderBarChart } from "./bar-chart.ts";
import { html, type Html, NOTHING } from "./html.ts";
import { kindName, ofKind } from "./kind-choice.ts";
import { costByMonth, type CostKind, costKindsOf, monthsOf, moversOf } from "./owner-months.ts";
import { costByDay, type RowDays } from "./owner-days.ts";
import { number, rounded, row, signed, table } from "./table.ts";

const MOST_SERIES = 6;
const MOST_MOVERS = 15;

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

/** Days down and the rows with most cost across, as a month has more days than a page has room for columns. */
function daysOfKind(report: CostReport, currency: CurrencyReport, kind: CostKind): Html {
  const { days, rows } = costByDay(currency, kind);
  const [shown, others] = [rows.slice(0, MOST_SERIES), rows.slice(MOST_SERIES)];
  const parts = [
    ...shown.map((one) => ({ head: labelOf(one.row), rows: [one] })),
    ...(others.length === 0 ? [] : [{ head: "all others", rows: others }]),
  ];
  // The sum is first: names of rows may be long, and what is last is what a narrow screen does not show.
  const columns = [{ head: "bill", rows }, ...parts];
  const cells = (pick: (one: RowDays) => ExactDecimal): readonly string[] =>
    columns.map((column) => rounded(addDecimals(column.rows.map(pick)), currency));
  const dayCost = (one: RowDays, index: number): ExactDecimal => one.byDay[index] ?? ZERO;
  const series = parts.map((column) => ({
    name: column.head,
    values: days.map((_, index) =>
      Number(formatDecimal(addDecimals(column.rows.map((one) => dayCost(one, index))))),
    ),
  }));
  const byDay = days.map((day, index) =>
    row(
      day,
      cells((one) => dayCost(one, index)),
    ),
  );
  const isMoved = rows.some(({ ofNoDay }) => ofNoDay.units !== 0n);
  const moved = row(
    "moved by rules",
    cells(({ ofNoDay }) => ofNoDay),
  );
  const total = row(
    "all days",
    cells(({ byDay, ofNoDay }) => addDecimals([...byDay, ofNoDay])),
    true,
  );
  const name = kindName(kind);
  return html`${renderBarChart({ label: `${name} by day and ${report.by}; the table below has the numbers`, categories: days, series, direction: "columns", currency: currency.currency })}
  ${table(
    `${name} by day, ${currency.currency}`,
    [{ head: "day", isShort: true }, ...columns.map(({ head }) => number(head))],
    [...byDay, ...(isMoved ? [moved] : []), total],
  )}`;
}

/** By day where that was asked for, and by billing period where there are several. */
export function overTime(report: CostReport, currency: CurrencyReport): Html {
  const months = monthsOf(currency);
  const kinds = costKindsOf(currency);
  const byDay =
    currency.days === null
      ? NOTHING
      : html`<h2>By day</h2>
          <p class="soft">
            A charge of several days is on the day that it starts; what rules move is of a billing period, not
            of a day.
          </p>
          ${kinds.map((kind) => ofKind(kind, daysOfKind(report, currency, kind)))}`;
  const byMonth =
    months.length < 2
      ? NOTHING
      : html`<h2>Over time</h2>
          ${kinds.map((kind) => ofKind(kind, monthsOfKind(report, currency, months, kind)))}`;
  return html`${byDay} ${byMonth}`;
}

function moversOfKind(report: CostReport, currency: CurrencyReport, kind: CostKind): Html {
  const [from = "", to = ""] = monthsOf(currency).slice(-2);
  const rows = moversOf(currency.lines, { from, to, kind, labelOf, partOf: ({ ServiceName }) => ServiceName })
    .slice(0, MOST_MOVERS)
    .map(
      (mover) =>
        html`<tr>
          <th scope="row">${mover.label}</th>
          <td class="number">${rounded(mover.before, currency)}</td>
          <td class="number">${rounded(mover.after, currency)}</td>
          <td class="number">${signed(rounded(mover.change, currency))}</td>
          <td class="words">${mover.because}</td>
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

export function movers(report: CostReport, currency: CurrencyReport): Html {
  if (monthsOf(currency).length < 2) return NOTHING;
  return html`<h2>What moved</h2>
    ${costKindsOf(currency).map((kind) => ofKind(kind, moversOfKind(report, currency, kind)))}`;
}
