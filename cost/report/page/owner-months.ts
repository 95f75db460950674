import {
  addDecimals,
  compareDecimals,
  type ExactDecimal,
  formatDecimal,
  parseDecimal,
  roundToTotal,
  subtractDecimals,
} from "../../money/exact-decimal.ts";
import type { CostLine, CurrencyReport, ReportRow } from "../cost-report.ts";
import { labelOf } from "../wording.ts";

function effectiveOf(lines: readonly CostLine[]): ExactDecimal {
  return addDecimals(lines.map((line) => parseDecimal(line.EffectiveCost)));
}

/** Billing periods of a report, in order. */
export function monthsOf(currency: CurrencyReport): readonly string[] {
  return [...new Set(currency.lines.map((line) => line.BillingMonth))].toSorted();
}

/** A provider's service in a row of the report, in the currency's smallest unit. */
export interface ServiceCost {
  readonly service: string;
  readonly lines: number;
  readonly billed: string;
  readonly effective: string;
  /** Null where none of it has a list price. */
  readonly list: string | null;
}

/** What a row of the report is made of by the provider's services, the dearest first; rounded so that it adds up to the row. */
export function servicesOf(
  lines: readonly CostLine[],
  rounded: Pick<ReportRow, "billedRounded" | "effectiveRounded" | "listRounded">,
  minorDigits: number,
): readonly ServiceCost[] {
  const groups = [...Map.groupBy(lines, (line) => line.ServiceName)]
    .map(([service, same]) => ({
      service: service === "" ? "(no service)" : service,
      lines: same.reduce((sum, line) => sum + line.lines, 0),
      billed: addDecimals(same.map((line) => parseDecimal(line.BilledCost))),
      effective: effectiveOf(same),
      list: addDecimals(same.flatMap(({ ListCost }) => (ListCost === null ? [] : [parseDecimal(ListCost)]))),
      isListed: same.some(({ ListCost }) => ListCost !== null),
    }))
    .toSorted((a, b) => compareDecimals(b.effective, a.effective) || (a.service < b.service ? -1 : 1));
  const round = (
    pick: (group: (typeof groups)[number]) => ExactDecimal,
    total: string | null,
  ): readonly ExactDecimal[] =>
    roundToTotal(groups.map(pick), minorDigits, total === null ? undefined : parseDecimal(total));
  const billed = round((group) => group.billed, rounded.billedRounded);
  const effective = round((group) => group.effective, rounded.effectiveRounded);
  const list = round((group) => group.list, rounded.listRounded);
  return groups.map((group, index) => ({
    service: group.service,
    lines: group.lines,
    billed: formatDecimal(billed[index] ?? group.billed, minorDigits),
    effective: formatDecimal(effective[index] ?? group.effective, minorDigits),
    list: group.isListed ? formatDecimal(list[index] ?? group.list, minorDigits) : null,
  }));
}

/** A row of the report in the last two billing periods, and which service moved it most. */
export interface Mover {
  readonly label: string;
  readonly before: ExactDecimal;
  readonly after: ExactDecimal;
  readonly change: ExactDecimal;
  readonly because: string;
}

function magnitude(amount: ExactDecimal): ExactDecimal {
  return amount.units < 0n ? { units: -amount.units, scale: amount.scale } : amount;
}

function changeOf(lines: readonly CostLine[], from: string, to: string): ExactDecimal {
  return subtractDecimals(
    effectiveOf(lines.filter((line) => line.BillingMonth === to)),
    effectiveOf(lines.filter((line) => line.BillingMonth === from)),
  );
}

/** What changed between the last two billing periods, the largest change first; nothing where there is one period. */
export function moversOf(currency: CurrencyReport): readonly Mover[] {
  const [from, to] = monthsOf(currency).slice(-2);
  if (from === undefined || to === undefined) return [];
  const rows = Map.groupBy(currency.lines, (line) => labelOf(line));
  return [...rows]
    .map(([label, lines]): Mover => {
      const services = [...Map.groupBy(lines, (line) => line.ServiceName)]
        .map(([service, same]) => ({ service, change: changeOf(same, from, to) }))
        .toSorted((a, b) => compareDecimals(magnitude(b.change), magnitude(a.change)));
      const [most] = services;
      return {
        label,
        before: effectiveOf(lines.filter((line) => line.BillingMonth === from)),
        after: effectiveOf(lines.filter((line) => line.BillingMonth === to)),
        change: changeOf(lines, from, to),
        because: most === undefined || most.change.units === 0n ? "" : most.service,
      };
    })
    .filter((mover) => mover.change.units !== 0n)
    .toSorted(
      (a, b) => compareDecimals(magnitude(b.change), magnitude(a.change)) || (a.label < b.label ? -1 : 1),
    );
}

/** Effective cost of each row label by month, exact; for charts. */
export function effectiveByMonth(
  currency: CurrencyReport,
  months: readonly string[],
): ReadonlyMap<string, readonly ExactDecimal[]> {
  const rows = Map.groupBy(currency.lines, (line) => labelOf(line));
  return new Map(
    [...rows].map(([label, lines]) => [
      label,
      months.map((month) => effectiveOf(lines.filter((line) => line.BillingMonth === month))),
    ]),
  );
}
