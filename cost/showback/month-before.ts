import { formatDecimal, parseDecimal, percentOf, subtractDecimals } from "../money/exact-decimal.ts";
import type { CostLine, CostReport, CurrencyReport, ReportRow } from "../report/cost-report.ts";
import { costKindsOf, type Mover, moversOf } from "../report/page/owner-months.ts";
import { foldTagValue } from "../report/tag-spelling.ts";

/** What a team cost in the month before, as that month's mail said, and what moved since. */
export interface MonthBefore {
  readonly month: string;
  readonly effective: string;
  /** Effective cost less that of the month before. */
  readonly change: string;
  /** Null where the month before is not above 0. */
  readonly changePercent: string | null;
  /** Provider services, the largest change first. */
  readonly movers: readonly Mover[];
  /** The last day with charges of the mail's month, where the month goes on after it; a comparison says little then. */
  readonly knownUntil: string | null;
}

/** `2026-06` of `2026-07`. */
export function monthBefore(month: string): string {
  const start = new Date(`${month}-01T00:00:00Z`);
  start.setUTCMonth(start.getUTCMonth() - 1);
  return start.toISOString().slice(0, 7);
}

function lastDayOf(month: string): string {
  const end = new Date(`${month}-01T00:00:00Z`);
  end.setUTCMonth(end.getUTCMonth() + 1, 0);
  return end.toISOString().slice(0, 10);
}

function isOf(team: string | null): (of: Pick<ReportRow, "bucket" | "owner">) => boolean {
  const folded = foldTagValue(team ?? "");
  return ({ bucket, owner }) => bucket === "owner" && foldTagValue(owner ?? "") === folded;
}

/** What moved a service: a kind of charge, or what shared cost out. */
function partOf({ allocation, ChargeCategory }: CostLine): string {
  return allocation === null ? ChargeCategory.toLowerCase() : `shared out by ${allocation}`;
}

/**
 * Compares a team's month with the one before it.
 *
 * @param previous the report of the month before, made by the same rules
 */
export function compareWithMonthBefore(
  currency: CurrencyReport,
  row: ReportRow,
  previous: CostReport,
  month: string,
): MonthBefore {
  const isOwn = isOf(row.owner);
  const before = previous.currencies.find((one) => one.currency === currency.currency);
  const rowBefore = before?.rows.find(isOwn);
  const zero = formatDecimal({ units: 0n, scale: 0 }, currency.minorDigits);
  const effective = rowBefore?.effectiveRounded ?? zero;
  const change = subtractDecimals(parseDecimal(row.effectiveRounded), parseDecimal(effective));
  const [kind] = costKindsOf(currency);
  const from = monthBefore(month);
  const lines = [...(before?.lines ?? []), ...currency.lines].filter(isOwn);
  const labelOf = ({ ServiceName }: CostLine): string => (ServiceName === "" ? "(no service)" : ServiceName);
  const { last } = currency.chargeDays;
  return {
    month: from,
    effective,
    change: formatDecimal(change, currency.minorDigits),
    changePercent: percentOf(change, parseDecimal(effective), 1) ?? null,
    movers: kind === undefined ? [] : moversOf(lines, { from, to: month, kind, labelOf, partOf }),
    knownUntil: last < lastDayOf(month) ? last : null,
  };
}

/** Why a service costs more or less, as a person reads it. */
export function reasonOf({ before, after, because }: Mover): string {
  if (before.units === 0n) return `new: ${because}`;
  if (after.units === 0n) return `gone: ${because}`;
  return because;
}
