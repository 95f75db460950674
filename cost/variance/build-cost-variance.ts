import { InputError } from "../../host-tuning/errors.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import type { CostEstimate } from "../estimate/cost-estimate.ts";
import {
  addDecimals,
  type ExactDecimal,
  formatDecimal,
  parseDecimal,
  percentOf,
  roundDecimal,
  subtractDecimals,
} from "../money/exact-decimal.ts";
import { onlyMonthOf } from "../report/billing-months.ts";
import type { CostReport, CurrencyReport } from "../report/cost-report.ts";
import { foldTagValue } from "../report/tag-spelling.ts";
import type { CostVariance, VarianceRow } from "./cost-variance.ts";

/**
 * The part of a bill split by environment that is in the environments' currency.
 *
 * @throws {InputError} when they have several, or one that the bill has not: nothing is converted
 */
export function currencyOf(report: CostReport, currencies: readonly string[]): CurrencyReport {
  const wanted = [...new Set(currencies)];
  const [currency, ...others] = wanted;
  if (currency === undefined || others.length > 0) {
    const message = `the environments are in ${wanted.join(" and ") || "no currency"}: give those of one`;
    throw new InputError("command line", [{ path: "--env", message }]);
  }
  const found = report.currencies.find((candidate) => candidate.currency === currency);
  if (found !== undefined) return found;
  const has = report.currencies.map((candidate) => candidate.currency).join(", ");
  const message = `the bill is in ${has}, the environments in ${currency}: nothing is converted`;
  throw new InputError(report.source.name, [{ path: "BillingCurrency", message }]);
}

/** The rows of a bill split by environment that are one's, however its tag is spelled. */
export function rowsOfEnvironment(currency: CurrencyReport, environment: string): CurrencyReport["rows"] {
  return currency.rows.filter(
    (row) => row.bucket === "owner" && foldTagValue(row.owner ?? "") === foldTagValue(environment),
  );
}

function actualOf(currency: CurrencyReport, environment: string): ExactDecimal {
  const rows = rowsOfEnvironment(currency, environment);
  return addDecimals(rows.map((row) => parseDecimal(row.effectiveRounded)));
}

function rowOf(estimate: CostEstimate, currency: CurrencyReport): VarianceRow {
  const digits = currency.minorDigits;
  const text = (amount: ExactDecimal): string => formatDecimal(roundDecimal(amount, digits), digits);
  const estimated = parseDecimal(estimate.total.perMonthRounded);
  const actual = actualOf(currency, estimate.environment);
  const budget = parseDecimal(estimate.budget.perMonth);
  const variance = subtractDecimals(actual, estimated);
  return {
    environment: estimate.environment,
    team: estimate.lines[0]?.owner.team ?? null,
    estimated: text(estimated),
    estimatedAtMost: text(parseDecimal(estimate.total.perMonthAtMostRounded)),
    actual: text(actual),
    variance: text(variance),
    variancePercent: percentOf(variance, estimated, 1) ?? null,
    budget: text(budget),
    overBudget: text(subtractDecimals(actual, budget)),
    unpricedLines: estimate.unpricedLines,
  };
}

function lastDayOf(month: string): string {
  const [year = 0, number = 0] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10);
}

function notesOf(rows: readonly VarianceRow[], currency: CurrencyReport): string[] {
  const { last } = currency.chargeDays;
  const monthEnd = lastDayOf(currency.billingMonths.first);
  const unpriced = rows.filter((row) => row.unpricedLines > 0).map((row) => row.environment);
  const absent = rows.filter((row) => Number(row.actual) === 0).map((row) => row.environment);
  return [
    ...(last < monthEnd ? [`the bill has charges to ${last} only; an estimate is for the whole month`] : []),
    ...(unpriced.length > 0
      ? [`the estimate of ${unpriced.join(", ")} is without its unpriced lines, the bill is not`]
      : []),
    ...(absent.length > 0
      ? [
          `the bill has nothing tagged ${absent.join(", ")}: is the tag "environment" activated for cost allocation?`,
        ]
      : []),
  ];
}

/**
 * Joins estimates and a bill split by the tag `environment`. Money is compared to the cent, as both print it.
 *
 * @throws {InputError} when they are in different currencies or the bill has several billing periods
 */
export function buildCostVariance(report: CostReport, estimates: readonly CostEstimate[]): CostVariance {
  const currency = currencyOf(
    report,
    estimates.map((estimate) => estimate.currency),
  );
  const month = onlyMonthOf(currency.billingMonths);
  const rows = estimates.map((estimate) => rowOf(estimate, currency));
  const bill = parseDecimal(currency.balance.bill.effectiveRounded);
  const known = addDecimals(rows.map((row) => parseDecimal(row.actual)));
  return {
    apiVersion: API_VERSION,
    kind: "CostVariance",
    source: { name: report.source.name, sha256: report.source.sha256 },
    month,
    chargeDays: currency.chargeDays,
    currency: currency.currency,
    pricesAsOf: estimates.map((estimate) => estimate.prices.asOf).toSorted()[0] ?? "",
    rows,
    rest: formatDecimal(subtractDecimals(bill, known), currency.minorDigits),
    bill: formatDecimal(bill, currency.minorDigits),
    notes: notesOf(rows, currency),
  };
}
