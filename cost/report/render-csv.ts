import type { CostReport, CurrencyReport, DayCost, Money } from "./cost-report.ts";
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
  "provider_service",
  "resource",
  "resources",
  "day",
] as const;

type Column = (typeof HEADER)[number];

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

type Fields = Readonly<Partial<Record<Column, string>>>;

function moneyFields(money: Money): Fields {
  return {
    billed: money.billed,
    effective: money.effective,
    list: money.list ?? "",
    billed_rounded: money.billedRounded,
    effective_rounded: money.effectiveRounded,
    list_rounded: money.listRounded ?? "",
  };
}

/** Where a row of the report is, and what it is exactly. */
function placedFields({
  bucket,
  owner,
  because,
  billed,
  effective,
  list,
}: Pick<DayCost, "bucket" | "owner" | "because" | "billed" | "effective" | "list">): Fields {
  const place = { bucket, owner: foreignText(owner ?? ""), because: because ?? "" };
  return { ...place, billed, effective, list: list ?? "" };
}

function renderCurrency(report: CostReport, currency: CurrencyReport): string {
  const { billingMonths, balance } = currency;
  const line = (section: string, fields: Fields): string => {
    const all: Fields = {
      section,
      currency: currency.currency,
      billing_period_first: billingMonths.first,
      billing_period_last: billingMonths.last,
      ...fields,
    };
    return csvLine(HEADER.map((column) => all[column] ?? ""));
  };
  const key = report.by;
  const rows = currency.rows.map((row) =>
    line("cost", {
      key,
      ...placedFields(row),
      lines: String(row.lines),
      ...moneyFields(row),
      effective_share_percent: row.effectiveSharePercent ?? "",
    }),
  );
  const days = (currency.days ?? []).map((one) =>
    line("day", { key, ...placedFields(one), day: one.day ?? "" }),
  );
  const resources = (currency.resources ?? []).map((one) =>
    line(one.part === "moved" ? "resource-moved" : "resource", {
      key,
      ...placedFields(one),
      lines: String(one.lines),
      allocation: foreignText(one.allocation ?? ""),
      provider_service: foreignText(one.ServiceName),
      resource: foreignText(one.ResourceId ?? ""),
      resources: String(one.resources),
    }),
  );
  const moved = currency.allocations.map((one) =>
    line("allocation", {
      key,
      ...placedFields(one),
      lines: "0",
      allocation: foreignText(one.allocation),
    }),
  );
  const commitments = currency.commitments.flatMap(({ commitmentId, purchased, used, unused }) => {
    const owner = foreignText(commitmentId);
    return [
      line("commitment-purchased", { owner, billed: purchased }),
      line("commitment-used", { owner, effective: used }),
      line("commitment-unused", { owner, effective: unused }),
    ];
  });
  const nodes = currency.nodes.flatMap(({ node, resource, used, idle }) => {
    const of = { key: resource ?? "", owner: foreignText(node) };
    return [line("node-used", { ...of, effective: used }), line("node-idle", { ...of, effective: idle })];
  });
  const balanceLine = (bucket: string, lines: string, money: Money): string =>
    line("balance", { bucket, key, lines, ...moneyFields(money) });
  return [
    ...rows,
    ...days,
    ...resources,
    ...moved,
    ...commitments,
    ...nodes,
    balanceLine("bill", String(balance.lines.bill), balance.bill),
    ...balanceParts(report, currency).map(([name, money]) => balanceLine(name, "", money)),
    balanceLine("difference", String(balance.lines.bill - balance.lines.parts), balance.difference),
  ].join("");
}

/**
 * The report as CSV by RFC 4180: lines of section `cost`; of `day` and `resource` where they were asked for, each adding
 * up to those of `cost` (`resource` with `resource-moved`, which is on no resource); of what was moved (`allocation`), of
 * commitments and nodes; then the balance sheet as lines of section `balance`.
 */
export function renderCsv(report: CostReport): string {
  return csvLine(HEADER) + report.currencies.map((currency) => renderCurrency(report, currency)).join("");
}
