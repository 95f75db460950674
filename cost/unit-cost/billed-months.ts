import { InputError } from "../../host-tuning/errors.ts";
import { addDecimals, type ExactDecimal, formatDecimal, parseDecimal } from "../money/exact-decimal.ts";
import { onlyMonthOf } from "../report/billing-months.ts";
import type { ReportOfPeriods } from "../report/build-cost-report.ts";
import type { CurrencyReport } from "../report/cost-report.ts";
import { foldTagValue } from "../report/tag-spelling.ts";
import { currencyOf } from "../variance/build-cost-variance.ts";

/** What one billing period cost, in the environments' currency. */
export interface BilledMonth {
  readonly month: string;
  readonly chargeDays: CurrencyReport["chargeDays"];
  readonly currency: string;
  readonly minorDigits: number;
  /** Effective cost tagged with an environment, however its tag is spelled. */
  costOf(environment: string): ExactDecimal;
}

/**
 * The billing periods of a bill split by environment, in order. One without the environments' currency is none of them.
 *
 * @throws {InputError} when the environments have several currencies, or one that the bill has not
 */
export function billedMonths(
  { report, periods }: ReportOfPeriods,
  currencies: readonly string[],
): readonly BilledMonth[] {
  const { currency, minorDigits, lines } = currencyOf(report, currencies);
  const owned = Map.groupBy(
    lines.filter(({ bucket }) => bucket === "owner"),
    ({ BillingMonth, owner }) => JSON.stringify([BillingMonth, foldTagValue(owner ?? "")]),
  );
  return periods
    .filter((period) => period.currency === currency)
    .map(({ month, first_day: first, last_day: last }) => ({
      month,
      chargeDays: { first, last },
      currency,
      minorDigits,
      costOf: (environment) => {
        const own = owned.get(JSON.stringify([month, foldTagValue(environment)])) ?? [];
        const cost = addDecimals(own.map(({ EffectiveCost }) => parseDecimal(EffectiveCost)));
        // As few digits as the sum has: what is shared out of it has no more than it needs.
        return parseDecimal(formatDecimal(cost));
      },
    }));
}

/**
 * The billing period of a bill that has only one.
 *
 * @throws {InputError} when it has several
 */
export function onlyBilledMonth(months: readonly BilledMonth[]): BilledMonth {
  const [first] = months;
  const last = months.at(-1);
  if (first === undefined || last === undefined) {
    const message = "the bill has no billing period in the environments' currency";
    throw new InputError("command line", [{ path: "--month", message }]);
  }
  onlyMonthOf({ first: first.month, last: last.month });
  return first;
}
