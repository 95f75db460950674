import type { CostVariance, VarianceRow } from "../../variance/cost-variance.ts";
import { addDecimals, formatDecimal, parseDecimal, percentOf } from "../../money/exact-decimal.ts";
import type { CurrencyReport } from "../cost-report.ts";
import { html, type Html, NOTHING } from "./html.ts";
import { amountText, number, percentText, row, signed, table } from "./table.ts";

/** A line of budget against actual: an environment, or a team's environments together. */
interface BudgetLine {
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
function budgetLinesOf({ rows }: CostVariance): readonly BudgetLine[] {
  const byTeam = Map.groupBy(rows, ({ team }) => team ?? "no team");
  return [...byTeam]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([team, own]) => [
      ...own.map((row) => lineOf(team, row.environment, [row])),
      ...(own.length > 1 ? [lineOf(team, null, own)] : []),
    ]);
}

/** "12.00 over", "3.50 left". */
function budgetText(overBudget: string): string {
  return Number(overBudget) > 0
    ? `${amountText(overBudget)} over`
    : `${amountText(overBudget.replace("-", ""))} left`;
}

/** Budgets beside what environments cost, as `cost variance` has them of the same bill. */
export function budgets(variance: CostVariance | undefined, currency: CurrencyReport): Html {
  if (variance === undefined || variance.currency !== currency.currency) return NOTHING;
  const rows = budgetLinesOf(variance).map((line) =>
    row(
      line.environment === null ? `${line.team}, together` : `${line.team}: ${line.environment}`,
      [
        amountText(line.budget),
        amountText(line.actual),
        percentText(line.usedPercent),
        budgetText(line.overBudget),
        amountText(line.estimated),
        signed(amountText(line.variance)),
      ],
      line.environment === null,
    ),
  );
  const rest = row("rest of the bill", ["", amountText(variance.rest), "", "", "", ""]);
  const bill = row("bill", ["", amountText(variance.bill), "", "", "", ""], true);
  const heads = ["budget", "actual", "of budget", "left or over", "estimated", "actual to estimate"];
  const notes = variance.notes.map((note) => html`<li>${note}</li>`);
  return html`<h2>Budget and actual</h2>
    <p class="soft">
      Effective cost of environments by team in ${variance.month}; prices of estimates as of
      ${variance.pricesAsOf}.
    </p>
    ${table(
      `Budget and actual of ${variance.month}, ${variance.currency}`,
      [{ head: "team: environment" }, ...heads.map(number)],
      [...rows, rest, bill],
    )}
    ${
      notes.length === 0
        ? NOTHING
        : html`<ul>
            ${notes}
          </ul>`
    }`;
}
