import type { CostVariance, VarianceRow } from "../../variance/cost-variance.ts";
import { addDecimals, formatDecimal, parseDecimal, percentOf } from "../../money/exact-decimal.ts";

/** A line of budget against actual: an environment, or a team's environments together. */
export interface BudgetLine {
  readonly team: string;
  /** Null for a team's environments together. */
  readonly environment: string | null;
  readonly budget: string;
  readonly actual: string;
  /** Actual less budget; below 0 is what was left. */
  readonly overBudget: string;
  readonly usedPercent: string | null;
  readonly estimated: string;
  readonly variance: string;
}

const MONEY = ["budget", "actual", "overBudget", "estimated", "variance"] as const;

function lineOf(team: string, environment: string | null, rows: readonly VarianceRow[]): BudgetLine {
  const sum = (column: (typeof MONEY)[number]): string => {
    const total = addDecimals(rows.map((row) => parseDecimal(row[column])));
    return formatDecimal(total, total.scale);
  };
  const [budget, actual] = [sum("budget"), sum("actual")];
  return {
    team,
    environment,
    budget,
    actual,
    overBudget: sum("overBudget"),
    usedPercent: percentOf(parseDecimal(actual), parseDecimal(budget), 1) ?? null,
    estimated: sum("estimated"),
    variance: sum("variance"),
  };
}

/** Environments by team, and each team that has several with their sum after them; teams by name. */
export function budgetLinesOf({ rows }: CostVariance): readonly BudgetLine[] {
  const byTeam = Map.groupBy(rows, ({ team }) => team ?? "no team");
  return [...byTeam]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([team, own]) => [
      ...own.map((row) => lineOf(team, row.environment, [row])),
      ...(own.length > 1 ? [lineOf(team, null, own)] : []),
    ]);
}
