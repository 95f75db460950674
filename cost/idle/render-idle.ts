import { formatDecimal, parseDecimal, roundDecimal } from "../money/exact-decimal.ts";
import { minorDigitsOf } from "../report/balance-sheet.ts";
import { csvLine, foreignText } from "../report/render-csv.ts";
import { cellText, renderColumns, wrapText } from "../report/render-table.ts";
import { type IdleReport, KIND_TEXT } from "./idle-report.ts";

/** The last part of an ARN: what a console shows. */
export function shortResource(resource: string): string {
  return resource.split(/[:/]/).findLast((part) => part !== "") ?? resource;
}

function moneyText(amount: string, currency: string): string {
  const digits = minorDigitsOf(currency);
  return formatDecimal(roundDecimal(parseDecimal(amount), digits), digits);
}

/** Findings for a terminal, at most 100 columns wide, each with its evidence. */
export function renderIdleTable({
  findings,
  currencies,
  source,
  month,
  lastCharge,
  notes,
}: IdleReport): string {
  const rows = findings.map((one) => [
    KIND_TEXT[one.kind],
    cellText(shortResource(one.resource), 24),
    one.region ?? "-",
    cellText(one.team ?? "(no team)", 14),
    one.confidence,
    `${one.perMonthRounded} ${one.currency}`,
  ]);
  const details = findings.flatMap((one) => [
    "",
    cellText(`${KIND_TEXT[one.kind]} ${one.resource}`, 82) + `, since ${one.since}`,
    ...one.evidence.map((sentence) => `  ${wrapText(cellText(sentence, 400), "  ")}`),
    `  ${wrapText(`to do: ${one.action}`, "  ")}`,
  ]);
  return `${[
    `Paid for and not used in ${month}`,
    cellText(`${source.name}: sha256 ${source.sha256.slice(0, 16)}, charges until ${lastCharge}`, 100),
    "",
    ...(findings.length === 0
      ? ["Nothing was found."]
      : [
          renderColumns(
            [["what", "resource", "region", "team", "confidence", "per month"], ...rows],
            ["left", "left", "left", "left", "left", "right"],
          ),
          ...currencies.map(({ currency, perMonthRounded, cost, bill }) =>
            wrapText(
              `Resources together: ${perMonthRounded} ${currency} a month; in this bill ${moneyText(cost.effective, currency)} of ${moneyText(bill.effective, currency)}, ${cost.lines} ${cost.lines === 1 ? "line" : "lines"}`,
              "  ",
            ),
          ),
          ...details,
        ]),
    "",
    "Notes",
    ...notes.map((note) => `- ${wrapText(note, "  ")}`),
  ].join("\n")}\n`;
}

const HEADER =
  "kind,resource,account,region,team,environment,since,first_day,last_day,lines,billed,effective,per_month,per_month_rounded,currency,confidence,evidence,action".split(
    ",",
  );

/** Findings as CSV by RFC 4180, a line each. */
export function renderIdleCsv({ findings }: IdleReport): string {
  const lines = findings.map((one) =>
    csvLine([
      one.kind,
      foreignText(one.resource),
      one.account ?? "",
      one.region ?? "",
      foreignText(one.team ?? ""),
      foreignText(one.environment ?? ""),
      one.since,
      one.charges.first,
      one.charges.last,
      String(one.charges.lines),
      one.cost.billed,
      one.cost.effective,
      one.perMonth,
      one.perMonthRounded,
      one.currency,
      one.confidence,
      foreignText(one.evidence.join("; ")),
      one.action,
    ]),
  );
  return csvLine(HEADER) + lines.join("");
}
