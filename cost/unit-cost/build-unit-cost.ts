import { Decimal } from "decimal.js";
import type { Environment } from "../../components/environment/environment-spec.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import {
  addDecimals,
  type ExactDecimal,
  formatDecimal,
  parseDecimal,
  percentOf,
  roundDecimal,
  roundToTotal,
  splitDecimal,
  subtractDecimals,
} from "../money/exact-decimal.ts";
import type { BilledMonth } from "./billed-months.ts";
import { type CountedCalls, isCallerLabel, type ToolCalls } from "./read-tool-calls.ts";
import type { EnvironmentUnitCost, UnitAmounts, UnitCost, UnitCostRow } from "./unit-cost.ts";

const MILLION = 1_000_000;
const DAY_MILLIS = 86_400_000;

/** Wide enough that cost times a million is never rounded before it is divided. */
const Exact = Decimal.clone({ precision: 60 });

/** Digits that a tool's part of the cost has at least; they add up to the cost whatever they are. */
const SPLIT_DIGITS = 12;

export interface CountedEnvironment {
  readonly environment: Environment;
  readonly calls: ToolCalls;
}

export interface UnitCostArgs {
  readonly billed: BilledMonth;
  readonly environments: readonly CountedEnvironment[];
  /** What the rows are of: the label that calls were counted by. */
  readonly by: string;
  /** The file that says whose a tenant's calls are; null where the service alone does. */
  readonly owners: UnitCost["owners"];
  readonly source: string;
  /** A decimal amount in the environments' currency. */
  readonly pricePerMillionCalls: string | undefined;
}

interface Pricing {
  readonly minorDigits: number;
  readonly pricePerMillionCalls: string | undefined;
}

function perMillion(cost: ExactDecimal, calls: number, minorDigits: number): string | null {
  if (calls === 0) return null;
  return new Exact(formatDecimal(cost)).times(MILLION).div(calls).toFixed(minorDigits);
}

function marginOf(cost: ExactDecimal, calls: number, pricing: Pricing): UnitAmounts["margin"] {
  const { minorDigits, pricePerMillionCalls: price } = pricing;
  if (price === undefined) return null;
  const revenue = parseDecimal(new Exact(price).times(calls).div(MILLION).toFixed(minorDigits));
  const margin = subtractDecimals(revenue, cost);
  return {
    revenue: formatDecimal(revenue, minorDigits),
    margin: formatDecimal(margin, minorDigits),
    percent: percentOf(margin, revenue, 1) ?? null,
  };
}

/** @param costRounded in the smallest unit, as the margin is counted: what is printed is what adds up */
function amountsOf(
  counted: Pick<CountedCalls, "calls" | "failedCalls">,
  cost: ExactDecimal,
  costRounded: ExactDecimal,
  pricing: Pricing,
): UnitAmounts {
  const { calls, failedCalls } = counted;
  return {
    calls,
    failedCalls,
    cost: formatDecimal(cost),
    costRounded: formatDecimal(costRounded, pricing.minorDigits),
    costPerMillionCalls: perMillion(cost, calls, pricing.minorDigits),
    margin: marginOf(costRounded, calls, pricing),
  };
}

/** Seconds as an exact weight: what they were shared out by is printed with as many digits. */
function weightOf({ toolSeconds }: CountedCalls): ExactDecimal {
  return parseDecimal(toolSeconds.toFixed(6));
}

/** The cost by time in the tools, exactly and in cents; one part without a key where no time was counted. */
function rowsOf(
  counted: readonly CountedCalls[],
  cost: ExactDecimal,
  costRounded: ExactDecimal,
  pricing: Pricing,
): UnitCostRow[] {
  const weights = counted.map(weightOf);
  if (addDecimals(weights).units === 0n) return [];
  const parts = splitDecimal(cost, weights, SPLIT_DIGITS);
  const rounded = roundToTotal(parts, pricing.minorDigits, costRounded);
  return counted.map((one, index) => ({
    key: one.key,
    toolSeconds: Number(one.toolSeconds.toFixed(6)),
    ...amountsOf(one, parts[index] ?? cost, rounded[index] ?? costRounded, pricing),
  }));
}

function sumOf(counted: readonly Pick<CountedCalls, "calls" | "failedCalls">[]): {
  readonly calls: number;
  readonly failedCalls: number;
} {
  return counted.reduce(
    (sum, { calls, failedCalls }) => ({
      calls: sum.calls + calls,
      failedCalls: sum.failedCalls + failedCalls,
    }),
    { calls: 0, failedCalls: 0 },
  );
}

function daysOf({ chargeDays: { first, last } }: BilledMonth): number {
  return (Date.parse(last) - Date.parse(first)) / DAY_MILLIS + 1;
}

function environmentRow(
  { environment, calls }: CountedEnvironment,
  billed: BilledMonth,
  pricing: Pricing,
): EnvironmentUnitCost {
  const cost = billed.costOf(environment.name);
  const costRounded = roundDecimal(cost, pricing.minorDigits);
  const days = { bill: daysOf(billed), watched: calls.watchedDays };
  return {
    environment: environment.name,
    team: environment.owner.team,
    service: environment.owner.service,
    days,
    isUpperBound: days.watched < days.bill,
    ...amountsOf(sumOf(calls.rows), cost, costRounded, pricing),
    rows: rowsOf(calls.rows, cost, costRounded, pricing),
  };
}

function teamRows(rows: readonly EnvironmentUnitCost[], pricing: Pricing): UnitCost["teams"] {
  return [...Map.groupBy(rows, ({ team }) => team)]
    .map(([team, own]) => {
      const sum = (pick: (row: EnvironmentUnitCost) => string): ExactDecimal =>
        addDecimals(own.map((row) => parseDecimal(pick(row))));
      const amounts = amountsOf(
        sumOf(own),
        sum(({ cost }) => cost),
        sum(({ costRounded }) => costRounded),
        pricing,
      );
      return { team, ...amounts };
    })
    .toSorted((a, b) => a.team.localeCompare(b.team, "en"));
}

/** What the service means by the names that stand for several callers or for nobody. */
function callerNotes(rows: readonly EnvironmentUnitCost[], by: string, owners: UnitCost["owners"]): string[] {
  if (!isCallerLabel(by)) return [];
  const has = (key: string): boolean => rows.some((row) => row.rows.some((own) => own.key === key));
  return [
    ...(owners === null
      ? []
      : [
          `a tenant's calls are of the team that ${owners.name} gives it that day, then of the one that the service counted`,
        ]),
    ...(has("none") ? [`none: calls without a token, or whose token names no ${by}`] : []),
    ...(has("other")
      ? [
          `other: callers beyond the service's MAX_TENANTS, and names that are none; raise it to see them apart`,
        ]
      : []),
  ];
}

function notesOf(
  rows: readonly EnvironmentUnitCost[],
  counted: readonly CountedEnvironment[],
  { by, owners }: Pick<UnitCostArgs, "by" | "owners">,
): string[] {
  return [
    ...callerNotes(rows, by, owners),
    ...rows
      .filter(({ isUpperBound }) => isUpperBound)
      .map(
        ({ environment, days }) =>
          `${environment}: Prometheus scraped it on ${days.watched} of ${days.bill} days; calls of the others are not known, so its unit cost is at most this`,
      ),
    ...rows
      .filter(({ cost }) => Number(cost) === 0)
      .map(
        ({ environment }) =>
          `the bill has nothing tagged ${environment}: is the tag "environment" activated for cost allocation?`,
      ),
    ...rows
      .filter(({ calls }) => calls === 0)
      .map(({ environment }) => `${environment}: no calls were counted, so there is no unit cost`),
    ...new Set(
      counted.flatMap(({ calls }) => calls.warnings.map((warning) => `Prometheus warns: ${warning}`)),
    ),
    "cost is effective cost tagged with the environment; shared, idle and untagged cost of the bill is not in it",
    "an environment's cost is shared out by the time in its tools, waiting for others included",
  ];
}

/**
 * What a million tool calls cost: the effective cost of environments over the calls on the same days. Parts add up to the
 * environment's cost to the last digit, and in cents. Pure.
 */
export function buildUnitCost(args: UnitCostArgs): UnitCost {
  const { billed, environments, by, owners, source, pricePerMillionCalls } = args;
  const pricing = { minorDigits: billed.minorDigits, pricePerMillionCalls };
  const rows = environments.map((counted) => environmentRow(counted, billed, pricing));
  return {
    apiVersion: API_VERSION,
    kind: "UnitCost",
    month: billed.month,
    chargeDays: billed.chargeDays,
    currency: billed.currency,
    by,
    owners,
    source,
    pricePerMillionCalls: pricePerMillionCalls ?? null,
    environments: rows,
    teams: teamRows(rows, pricing),
    notes: notesOf(rows, environments, args),
  };
}
