import {
  addDecimals,
  type ExactDecimal,
  parseDecimal,
  roundToTotal,
  ZERO,
} from "../../money/exact-decimal.ts";
import type { CurrencyReport, ReportRow } from "../cost-report.ts";
import { placeName } from "../placed-costs.ts";
import type { CostKind } from "./owner-months.ts";

/** A row by day, in the currency's smallest unit. */
export interface RowDays {
  readonly row: ReportRow;
  /** Of each day. */
  readonly byDay: readonly ExactDecimal[];
  /** What rules moved to the row or away from it, which is of no one day. */
  readonly ofNoDay: ExactDecimal;
}

/** Rows that have a cost of a kind, by day. */
export interface DayCosts {
  readonly days: readonly string[];
  readonly rows: readonly RowDays[];
}

/** Rounded so that the days of a row, and what is of no day, add up to it; nothing where days were not asked for. */
export function costByDay({ days, rows, minorDigits }: CurrencyReport, kind: CostKind): DayCosts {
  const names = [...new Set((days ?? []).flatMap(({ day }) => day ?? []))].toSorted();
  const daysOf = Map.groupBy(days ?? [], placeName);
  return {
    days: names,
    rows: rows.flatMap((row): RowDays[] => {
      const total = kind.ofRow(row);
      if (total === null) return [];
      const own = daysOf.get(placeName(row)) ?? [];
      const exact = [...names, null].map((name) =>
        addDecimals(
          own.flatMap((one) => {
            const amount = one.day === name ? one[kind.key] : null;
            return amount === null ? [] : [parseDecimal(amount)];
          }),
        ),
      );
      const cents = roundToTotal(exact, minorDigits, parseDecimal(total));
      return [{ row, byDay: cents.slice(0, -1), ofNoDay: cents.at(-1) ?? ZERO }];
    }),
  };
}
