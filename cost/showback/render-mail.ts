import { createHash } from "node:crypto";
import MailComposer from "nodemailer/lib/mail-composer";
import type { CostReport } from "../report/cost-report.ts";
import { html, type Html, NOTHING } from "../report/page/html.ts";
import { csvLine, foreignText } from "../report/render-csv.ts";
import { cellText, renderColumns, wrapText } from "../report/render-table.ts";
import type { Mover } from "../report/page/owner-months.ts";
import { formatDecimal, roundDecimal } from "../money/exact-decimal.ts";
import { type MonthBefore, reasonOf } from "./month-before.ts";
import type { CurrencyStatement, Statement } from "./build-statements.ts";

export interface MailArgs {
  readonly report: CostReport;
  readonly statement: Statement;
  readonly month: string;
  readonly from: string;
  /** Undefined where nobody knows the team's address: the mail has no To then. */
  readonly to: string | undefined;
  readonly date: Date;
}

const MOST_SERVICES = 25;
const MOST_MOVERS = 5;

const CSV_HEADER =
  "section,month,currency,team,provider_service,charge_category,allocation,lines,billed,effective,billed_rounded,effective_rounded".split(
    ",",
  );

/** What a team cost as CSV by RFC 4180: its lines, then its total in each currency. */
export function renderStatementCsv({ team, currencies }: Statement, month: string): string {
  const records = currencies.flatMap(({ currency, lines, row }) => [
    ...lines.map((line) => [
      "cost",
      month,
      currency,
      foreignText(team),
      foreignText(line.service),
      line.chargeCategory,
      foreignText(line.allocation ?? ""),
      String(line.lines),
      line.billed,
      line.effective,
      line.billedRounded,
      line.effectiveRounded,
    ]),
    [
      "total",
      month,
      currency,
      foreignText(team),
      "",
      "",
      "",
      String(row.lines),
      row.billed,
      row.effective,
      row.billedRounded,
      row.effectiveRounded,
    ],
  ]);
  return [CSV_HEADER, ...records].map(csvLine).join("");
}

/** Where the numbers are from and how they were made, in sentences that both forms of the mail have. */
function provenance({ report }: MailArgs): readonly string[] {
  const { source, owners, allocation } = report;
  return [
    "Effective cost is what your use is worth: commitments are spread over what they cover. Billed cost is what the invoice asks for.",
    `From ${source.name} (${source.standard} ${source.version}), sha256 ${source.sha256}.`,
    ...(owners === null ? [] : [`Owners: ${owners.name}, sha256 ${owners.sha256.slice(0, 16)}.`]),
    ...(allocation === null
      ? []
      : [`Shared cost by ${allocation.name}, sha256 ${allocation.sha256.slice(0, 16)}.`]),
    "All mails of this month and what no team has add up to the bill, difference 0. Every line is in the attached CSV.",
  ];
}

function isMoved({ row }: CurrencyStatement): boolean {
  return Number(row.allocated.effective) !== 0 || Number(row.allocated.billed) !== 0;
}

function shareText({ row }: CurrencyStatement): string {
  return row.effectiveSharePercent === null ? "" : `, ${row.effectiveSharePercent} % of the bill`;
}

function signed(amount: string): string {
  return amount.startsWith("-") ? amount : `+${amount}`;
}

/** What the month before was and what moved since, in sentences that both forms of the mail have. */
function changeText({ month, effective, change, changePercent, knownUntil }: MonthBefore): string {
  const percent = changePercent === null ? "" : ` (${signed(changePercent)} %)`;
  const open =
    knownUntil === null ? "" : ` Charges are known to ${knownUntil} only: the month is not whole yet.`;
  return `In ${month} it was ${effective} effective: ${signed(change)}${percent}.${open}`;
}

/** The services that moved most, each with its cost in both months and why. */
function moverRows(movers: readonly Mover[], minorDigits: number): readonly (readonly string[])[] {
  const cents = (amount: Mover["change"]): string =>
    formatDecimal(roundDecimal(amount, minorDigits), minorDigits);
  return movers
    .slice(0, MOST_MOVERS)
    .map((mover) => [
      mover.label,
      cents(mover.before),
      cents(mover.after),
      signed(cents(mover.change)),
      reasonOf(mover),
    ]);
}

function changeLines({ monthBefore, minorDigits }: CurrencyStatement, month: string): readonly string[] {
  if (monthBefore === null) return [];
  const rows = moverRows(monthBefore.movers, minorDigits).map(([service = "", ...cells]) => [
    cellText(service, 34),
    ...cells.slice(0, 3),
    cellText(cells[3] ?? "", 24),
  ]);
  return [
    changeText(monthBefore),
    ...(rows.length === 0
      ? []
      : [
          "",
          renderColumns(
            [["moved most", monthBefore.month, month, "change", "mostly"], ...rows],
            ["left", "right", "right", "right", "left"],
          ),
        ]),
  ];
}

function currencyText(statement: CurrencyStatement, month: string): string {
  const { currency, row, services } = statement;
  const shown = services.slice(0, MOST_SERVICES);
  const more = services.length - shown.length;
  const rows = shown.map((one) => [
    cellText(one.service, 44),
    one.list ?? "unpriced",
    one.billed,
    one.effective,
  ]);
  const total = ["total", row.listRounded ?? "unpriced", row.billedRounded, row.effectiveRounded];
  return [
    `${currency}: ${row.effectiveRounded} effective, ${row.billedRounded} billed${shareText(statement)}`,
    ...(isMoved(statement)
      ? [`Of it, ${row.allocated.effective} effective was shared out to you (or taken away, below 0).`]
      : []),
    ...changeLines(statement, month),
    "",
    renderColumns(
      [["service", "at list prices", "billed", "effective"], ...rows, total],
      ["left", "right", "right", "right"],
    ),
    ...(more > 0 ? [`${more} more services are in the attached CSV, and in the total.`] : []),
  ].join("\n");
}

function textOf(args: MailArgs): string {
  const { statement, month } = args;
  return `${[
    `Cost of ${cellText(statement.team, 80)} in ${month}`,
    ...statement.currencies.flatMap((one) => ["", currencyText(one, month)]),
    "",
    ...provenance(args).map((sentence) => wrapText(sentence, "")),
  ].join("\n")}\n`;
}

// Styles stand in each tag, as mail programs drop those of the head.
const CELL = "padding:4px;border-bottom:1px solid #8a939d;vertical-align:top";
const TABLE = "border-collapse:collapse;font-size:0.8em;margin:0 0 1em;overflow-wrap:normal";
const CAPTION = "text-align:left;padding:0 0 4px";
/** Amounts stay whole; names and digests break where a phone is narrower than they are. */
const BREAKS = "overflow-wrap:anywhere";

function tableRow(tag: "th" | "td", cells: readonly string[], isTotal = false): Html {
  const weight = isTotal || tag === "th" ? "font-weight:bold" : "font-weight:normal";
  const [label = "", ...numbers] = cells;
  const breaks = tag === "th" ? "" : `;${BREAKS}`;
  const head = html`<th
    scope="${tag === "th" ? "col" : "row"}"
    style="${CELL};${weight};text-align:left${breaks}"
  >
    ${label}
  </th>`;
  const wraps = (cell: string): string => (/^[+-]?[\d.]+$/.test(cell) ? ";white-space:nowrap" : "");
  const others = numbers.map((cell) =>
    tag === "th"
      ? html`<th scope="col" style="${CELL};${weight};text-align:right">${cell}</th>`
      : html`<td style="${CELL};${weight};text-align:right${wraps(cell)}">${cell}</td>`,
  );
  return html`<tr>
    ${head}${others}
  </tr>`;
}

function changeHtml({ monthBefore, minorDigits, currency }: CurrencyStatement, month: string): Html {
  if (monthBefore === null) return NOTHING;
  const rows = moverRows(monthBefore.movers, minorDigits);
  return html`<p>${changeText(monthBefore)}</p>
    ${
      rows.length === 0
        ? NOTHING
        : html`<table style="${TABLE}">
            <caption style="${CAPTION}">
              Moved most, ${currency}
            </caption>
            <thead>
              ${tableRow("th", ["service", monthBefore.month, month, "change", "mostly"])}
            </thead>
            <tbody>
              ${rows.map((cells) => tableRow("td", cells))}
            </tbody>
          </table>`
    }`;
}

function currencyHtml(statement: CurrencyStatement, month: string): Html {
  const { currency, row, services } = statement;
  const shown = services.slice(0, MOST_SERVICES);
  const more = services.length - shown.length;
  return html`<h2 style="font-size:1.1em">
      ${currency}: ${row.effectiveRounded} effective, ${row.billedRounded} billed${shareText(statement)}
    </h2>
    ${
      isMoved(statement)
        ? html`<p>
            Of it, ${row.allocated.effective} effective was shared out to you (or taken away, below 0).
          </p>`
        : NOTHING
    }
    ${changeHtml(statement, month)}
    <table style="${TABLE}">
      <caption style="${CAPTION}">
        By provider service, ${currency}
      </caption>
      <thead>
        ${tableRow("th", ["service", "at list prices", "billed", "effective"])}
      </thead>
      <tbody>
        ${shown.map((one) => tableRow("td", [one.service, one.list ?? "unpriced", one.billed, one.effective]))}
        ${tableRow("td", ["total", row.listRounded ?? "unpriced", row.billedRounded, row.effectiveRounded], true)}
      </tbody>
    </table>
    ${more > 0 ? html`<p>${more} more services are in the attached CSV, and in the total.</p>` : NOTHING}`;
}

/** Needs nothing beside it: no picture, no font, no address to load from. */
function htmlOf(args: MailArgs): string {
  const { statement, month } = args;
  const title = `Cost of ${statement.team} in ${month}`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
      </head>
      <body style="font-family:sans-serif;line-height:1.5;${BREAKS}">
        <h1 style="font-size:1.3em">${title}</h1>
        ${statement.currencies.map((one) => currencyHtml(one, month))}
        ${provenance(args).map((sentence) => html`<p>${sentence}</p>`)}
      </body>
    </html> `.text;
}

function subjectOf({ statement, month }: MailArgs): string {
  const amounts = statement.currencies.map(({ currency, row }) => `${row.effectiveRounded} ${currency}`);
  return `Cost of ${cellText(statement.team, 80)} in ${month}: ${amounts.join(" and ")}`;
}

/**
 * One mail as RFC 5322 wants it: text and HTML that say the same, and the lines as CSV. The same arguments give the same
 * bytes, as its id and its boundaries are digests of what it says.
 *
 * @param csvName what the attached file is called
 */
export async function renderMail(args: MailArgs, csvName: string): Promise<Buffer> {
  const { from, to, date, statement, month } = args;
  const csv = renderStatementCsv(statement, month);
  const [text, page] = [textOf(args), htmlOf(args)];
  const digest = createHash("sha256")
    .update(JSON.stringify([from, to ?? null, date.toISOString(), text, page, csv]))
    .digest("hex");
  const mail = new MailComposer({
    from,
    ...(to === undefined ? {} : { to }),
    subject: subjectOf(args),
    date,
    messageId: `<${digest.slice(0, 32)}@${from.slice(from.lastIndexOf("@") + 1)}>`,
    headers: { "Auto-Submitted": "auto-generated" },
    baseBoundary: digest.slice(0, 32),
    newline: "win",
    text,
    html: page,
    attachments: [
      { filename: csvName, content: csv, contentType: "text/csv; charset=utf-8; header=present" },
    ],
    // What goes in is text of ours; a path or an address in it is never followed.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return await mail.compile().build();
}
