import type { CostReport, CurrencyReport, Money } from "./cost-report.ts";
import { balanceParts } from "./wording.ts";

const HEADER = [
  "section",
  "currency",
  "billing_period_first",
  "billing_period_last",
  "bucket",
  "key",
  "owner",
  "because",
  "lines",
  "billed",
  "effective",
  "list",
  "billed_rounded",
  "effective_rounded",
  "list_rounded",
  "effective_share_percent",
  "allocation",
] as const;

/** One field by RFC 4180. */
export function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Text from a bill (a tag value): where a spreadsheet would run it as a formula, an apostrophe goes before it. */
export function foreignText(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

export function csvLine(fields: readonly string[]): string {
  return `${fields.map(csvField).join(",")}\r\n`;
}

function moneyFields(money: Money): string[] {
  return [
    money.billed,
    money.effective,
    money.list ?? "",
    money.billedRounded,
    money.effectiveRounded,
    money.listRounded ?? "",
  ];
}

function renderCurrency(report: CostReport, currency: CurrencyReport): string {
  const { billingMonths, balance } = currency;
  const start = (section: string): string[] => [
    section,
    currency.currency,
    billingMonths.first,
    billingMonths.last,
  ];
  const rows = currency.rows.map((row) =>
    csvLine([
      ...start("cost"),
      row.bucket,
      report.by,
      foreignText(row.owner ?? ""),
      row.because ?? "",
      String(row.lines),
      ...moneyFields(row),
      row.effectiveSharePercent ?? "",
      "",
    ]),
  );
  const balanceLine = (name: string, lines: string, money: Money): string =>
    csvLine([...start("balance"), name, report.by, "", "", lines, ...moneyFields(money), "", ""]);
  const moved = currency.allocations.map((one) =>
    csvLine([
      ...start("allocation"),
      one.bucket,
      report.by,
      foreignText(one.owner ?? ""),
      one.because ?? "",
      "0",
      one.billed,
      one.effective,
      one.list,
      "",
      "",
      "",
      "",
      foreignText(one.allocation),
    ]),
  );
  const commitments = currency.commitments.flatMap(({ commitmentId, purchased, used, unused }) =>
    (
      [
        ["commitment-purchased", purchased, ""],
        ["commitment-used", "", used],
        ["commitment-unused", "", unused],
      ] as const
    ).map(([name, billed, effective]) =>
      csvLine([
        ...start(name),
        "",
        "",
        foreignText(commitmentId),
        "",
        "",
        billed,
        effective,
        "",
        "",
        "",
        "",
        "",
        "",
      ]),
    ),
  );
  const nodes = currency.nodes.flatMap(({ node, resource, used, idle }) =>
    (
      [
        ["node-used", used],
        ["node-idle", idle],
      ] as const
    ).map(([name, effective]) =>
      csvLine([
        ...start(name),
        "",
        resource ?? "",
        foreignText(node),
        "",
        "",
        "",
        effective,
        "",
        "",
        "",
        "",
        "",
        "",
      ]),
    ),
  );
  return [
    ...rows,
    ...moved,
    ...commitments,
    ...nodes,
    balanceLine("bill", String(balance.lines.bill), balance.bill),
    ...balanceParts(report, currency).map(([name, money]) => balanceLine(name, "", money)),
    balanceLine("difference", String(balance.lines.bill - balance.lines.parts), balance.difference),
  ].join("");
}

/** The report as CSV by RFC 4180: lines of section `cost`, of what was moved
 * (`allocation`), of commitments and nodes, then the balance sheet as lines of section `balance`. */
export function renderCsv(report: CostReport): string {
  return csvLine(HEADER) + report.currencies.map((currency) => renderCurrency(report, currency)).join("");
}
