import {
  addDecimals,
  compareDecimals,
  formatDecimal,
  parseDecimal,
  roundToTotal,
} from "../money/exact-decimal.ts";
import type { CostLine, CostReport, CurrencyReport, ReportRow } from "../report/cost-report.ts";
import { compareWithMonthBefore, type MonthBefore } from "./month-before.ts";
import { type ServiceCost, servicesOf } from "../report/page/owner-months.ts";

/** Lines of one service, charge category and allocation, exact and in cents that add up to the team's row. */
export interface StatementLine {
  readonly service: string;
  readonly chargeCategory: CostLine["ChargeCategory"];
  /** What moved the money to the team; null for lines of the bill that are its own. */
  readonly allocation: string | null;
  readonly lines: number;
  readonly billed: string;
  readonly effective: string;
  readonly billedRounded: string;
  readonly effectiveRounded: string;
}

/** What a team cost in one currency. */
export interface CurrencyStatement {
  readonly currency: string;
  readonly minorDigits: number;
  readonly row: ReportRow;
  readonly services: readonly ServiceCost[];
  readonly lines: readonly StatementLine[];
  /** Null where nobody gave a bill of the month before. */
  readonly monthBefore: MonthBefore | null;
}

/** What one team is told. */
export interface Statement {
  readonly team: string;
  readonly currencies: readonly CurrencyStatement[];
}

function linesOf(own: readonly CostLine[], row: ReportRow, minorDigits: number): readonly StatementLine[] {
  const groups = Map.groupBy(own, ({ ServiceName, ChargeCategory, allocation }) =>
    JSON.stringify([ServiceName, ChargeCategory, allocation]),
  );
  const sums = [...groups.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    return [
      {
        first,
        lines: same.reduce((sum, { lines }) => sum + lines, 0),
        billed: addDecimals(same.map(({ BilledCost }) => parseDecimal(BilledCost))),
        effective: addDecimals(same.map(({ EffectiveCost }) => parseDecimal(EffectiveCost))),
      },
    ];
  });
  const inOrder = sums.toSorted((a, b) => compareDecimals(b.effective, a.effective));
  const billed = roundToTotal(
    inOrder.map((sum) => sum.billed),
    minorDigits,
    parseDecimal(row.billedRounded),
  );
  const effective = roundToTotal(
    inOrder.map((sum) => sum.effective),
    minorDigits,
    parseDecimal(row.effectiveRounded),
  );
  return inOrder.map((sum, index) => ({
    service: sum.first.ServiceName,
    chargeCategory: sum.first.ChargeCategory,
    allocation: sum.first.allocation,
    lines: sum.lines,
    billed: formatDecimal(sum.billed),
    effective: formatDecimal(sum.effective),
    billedRounded: formatDecimal(billed[index] ?? sum.billed, minorDigits),
    effectiveRounded: formatDecimal(effective[index] ?? sum.effective, minorDigits),
  }));
}

function currencyStatement(report: CurrencyReport, row: ReportRow, previous: Previous): CurrencyStatement {
  const { currency, minorDigits, lines } = report;
  const own = lines.filter(({ bucket, owner }) => bucket === "owner" && owner === row.owner);
  return {
    currency,
    minorDigits,
    row,
    services: servicesOf(own, row, minorDigits),
    lines: linesOf(own, row, minorDigits),
    monthBefore:
      previous === undefined ? null : compareWithMonthBefore(report, row, previous.report, previous.month),
  };
}

/** The report of the month before, and the month that it is compared with. */
export type Previous = { readonly report: CostReport; readonly month: string } | undefined;

/** One statement for each owner of a report by team, in the report's order. */
export function buildStatements(report: CostReport, previous?: Previous): readonly Statement[] {
  const statements = report.currencies.flatMap((currency) =>
    currency.rows.flatMap((row) =>
      row.bucket === "owner" && row.owner !== null
        ? [{ team: row.owner, statement: currencyStatement(currency, row, previous) }]
        : [],
    ),
  );
  return [...Map.groupBy(statements, ({ team }) => team)].map(([team, own]) => ({
    team,
    currencies: own.map(({ statement }) => statement),
  }));
}

/**
 * What keeps the statements from being the bill: a balance sheet that does not close, or statements whose lines or totals
 * are not the owners' part of it. Empty when all agree, exactly and to the cent.
 */
export function reconcile(report: CostReport, statements: readonly Statement[]): readonly string[] {
  return report.currencies.flatMap(({ currency, balance }) => {
    const own = statements.flatMap(({ team, currencies }) =>
      currencies.filter((one) => one.currency === currency).map((one) => ({ team, ...one })),
    );
    const differs = (parts: readonly string[], whole: string): boolean =>
      compareDecimals(addDecimals(parts.map(parseDecimal)), parseDecimal(whole)) !== 0;
    const faults = balance.balanced ? [] : [`${currency}: the balance sheet does not close`];
    for (const key of ["billed", "effective", "billedRounded", "effectiveRounded"] as const) {
      if (
        differs(
          own.map(({ row }) => row[key]),
          balance.owners[key],
        )
      ) {
        faults.push(
          `${currency}: the mails' ${key} is not the teams' part of the bill, ${balance.owners[key]}`,
        );
      }
      for (const { team, row, lines } of own) {
        if (
          differs(
            lines.map((line) => line[key]),
            row[key],
          )
        ) {
          faults.push(`${currency}: the lines of ${JSON.stringify(team)} are not its ${key} of ${row[key]}`);
        }
      }
    }
    return faults;
  });
}
