import {
  addDecimals,
  compareDecimals,
  type ExactDecimal,
  formatDecimal,
  parseDecimal,
  roundToTotal,
  subtractDecimals,
  ZERO,
} from "../../money/exact-decimal.ts";
import type { CostLine, CurrencyReport, ReportRow } from "../cost-report.ts";
import { labelOf } from "../wording.ts";

/** One of the three costs of a report, and where its lines and rows have it. */
export interface CostKind {
  readonly key: "effective" | "billed" | "list";
  readonly label: string;
  /** Undefined where a line has no list price: that is no 0. */
  readonly ofLine: (line: CostLine) => ExactDecimal | undefined;
  readonly ofRow: (row: ReportRow) => string | null;
}

const KINDS: readonly CostKind[] = [
  {
    key: "effective",
    label: "effective (amortized)",
    ofLine: ({ EffectiveCost }) => parseDecimal(EffectiveCost),
    ofRow: ({ effectiveRounded }) => effectiveRounded,
  },
  {
    key: "billed",
    label: "billed",
    ofLine: ({ BilledCost }) => parseDecimal(BilledCost),
    ofRow: ({ billedRounded }) => billedRounded,
  },
  {
    key: "list",
    label: "at list prices",
    ofLine: ({ ListCost }) => (ListCost === null ? undefined : parseDecimal(ListCost)),
    ofRow: ({ listRounded }) => listRounded,
  },
];

/** The costs that a report has: list cost only where the bill has list prices. */
export function costKindsOf({ balance }: CurrencyReport): readonly CostKind[] {
  return KINDS.filter(({ key }) => key !== "list" || balance.bill.listRounded !== null);
}

/** Undefined where none of the lines has this cost. */
function sumOf(lines: readonly CostLine[], { ofLine }: CostKind): ExactDecimal | undefined {
  const amounts = lines.map(ofLine).filter((amount) => amount !== undefined);
  return amounts.length === 0 && lines.length > 0 ? undefined : addDecimals(amounts);
}

function effectiveOf(lines: readonly CostLine[]): ExactDecimal {
  return addDecimals(lines.map((line) => parseDecimal(line.EffectiveCost)));
}

/** Billing periods of a report, in order. */
export function monthsOf(currency: CurrencyReport): readonly string[] {
  return [...new Set(currency.lines.map((line) => line.BillingMonth))].toSorted();
}

/** A provider's service in a row of the report, in the currency's smallest unit. */
export interface ServiceCost {
  /** As the bill has it; empty for charges of none. */
  readonly name: string;
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
      name: service,
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
    name: group.name,
    service: group.service,
    lines: group.lines,
    billed: formatDecimal(billed[index] ?? group.billed, minorDigits),
    effective: formatDecimal(effective[index] ?? group.effective, minorDigits),
    list: group.isListed ? formatDecimal(list[index] ?? group.list, minorDigits) : null,
  }));
}

/** Something that costs more or less than the month before, and which part of it moved it most. */
export interface Mover {
  readonly label: string;
  readonly before: ExactDecimal;
  readonly after: ExactDecimal;
  readonly change: ExactDecimal;
  /** The part that changed most; empty where none changed. */
  readonly because: string;
}

/** What is compared: `label` of one month with the same label of another, by their parts. */
export interface Movement {
  readonly from: string;
  readonly to: string;
  readonly kind: CostKind;
  readonly labelOf: (line: CostLine) => string;
  readonly partOf: (line: CostLine) => string;
}

function magnitude(amount: ExactDecimal): ExactDecimal {
  return amount.units < 0n ? { units: -amount.units, scale: amount.scale } : amount;
}

function sumOfMonth(lines: readonly CostLine[], month: string, kind: CostKind): ExactDecimal | undefined {
  return sumOf(
    lines.filter((line) => line.BillingMonth === month),
    kind,
  );
}

/** What has no list price moves nothing. */
function changeOf(lines: readonly CostLine[], from: string, to: string, kind: CostKind): ExactDecimal {
  return subtractDecimals(sumOfMonth(lines, to, kind) ?? ZERO, sumOfMonth(lines, from, kind) ?? ZERO);
}

/** What changed from one billing period to another, the largest change first. */
export function moversOf(
  lines: readonly CostLine[],
  { from, to, kind, labelOf, partOf }: Movement,
): readonly Mover[] {
  return [...Map.groupBy(lines, labelOf)]
    .map(([label, same]): Mover => {
      const parts = [...Map.groupBy(same, partOf)]
        .map(([part, lines]) => ({ part, change: changeOf(lines, from, to, kind) }))
        .toSorted((a, b) => compareDecimals(magnitude(b.change), magnitude(a.change)));
      const [most] = parts;
      return {
        label,
        before: sumOfMonth(same, from, kind) ?? ZERO,
        after: sumOfMonth(same, to, kind) ?? ZERO,
        change: changeOf(same, from, to, kind),
        because: most === undefined || most.change.units === 0n ? "" : most.part,
      };
    })
    .filter((mover) => mover.change.units !== 0n)
    .toSorted(
      (a, b) => compareDecimals(magnitude(b.change), magnitude(a.change)) || (a.label < b.label ? -1 : 1),
    );
}

/** Cost of each row label by month, exact; undefined where a month's lines have no list price. */
export function costByMonth(
  currency: CurrencyReport,
  months: readonly string[],
  kind: CostKind,
): ReadonlyMap<string, readonly (ExactDecimal | undefined)[]> {
  const rows = Map.groupBy(currency.lines, (line) => labelOf(line));
  return new Map(
    [...rows].map(([label, lines]) => [label, months.map((month) => sumOfMonth(lines, month, kind))]),
  );
}
