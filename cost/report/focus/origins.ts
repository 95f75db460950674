import { addDecimals, type ExactDecimal, parseDecimal, ZERO } from "../../money/exact-decimal.ts";
import type { CostLine, CostReport } from "../cost-report.ts";

/** Everything of a line that is no amount and no count: lines that are alike in it are one row. */
function dimensionsOf(line: CostLine): string {
  return JSON.stringify([
    line.BillingCurrency,
    line.BillingMonth,
    line.ServiceName,
    line.ChargeCategory,
    line.bucket,
    line.owner,
    line.because,
    line.allocation,
  ]);
}

/** The charges that a moved line may come from: what moves money keeps its month, service and category. */
function originsOf(line: CostLine): string {
  return JSON.stringify([line.BillingCurrency, line.BillingMonth, line.ServiceName, line.ChargeCategory]);
}

function allLines({ currencies }: CostReport): readonly CostLine[] {
  return currencies.flatMap(({ lines }) => lines);
}

export function linesByDimensions(report: CostReport): ReadonlyMap<string, readonly CostLine[]> {
  return Map.groupBy(allLines(report), dimensionsOf);
}

/** Origins of which all lines of the bill, or one of them, are as `holds` says. */
function origins(
  report: CostReport,
  holds: (billed: readonly CostLine[]) => boolean,
): (line: CostLine) => boolean {
  const billed = allLines(report).filter(({ allocation }) => allocation === null);
  const groups = [...Map.groupBy(billed, originsOf)];
  const holding = new Set(groups.flatMap(([key, same]) => (holds(same) ? [key] : [])));
  return (line) => holding.has(originsOf(line));
}

/** What lines cost at the list prices of a report; null where nobody gave one. */
export class ListCosts {
  readonly #lines: ReadonlyMap<string, readonly CostLine[]>;
  readonly #isListed: (line: CostLine) => boolean;

  constructor(report: CostReport) {
    this.#lines = linesByDimensions(report);
    this.#isListed = origins(report, (billed) => billed.some(({ ListCost }) => ListCost !== null));
  }

  /** Of what has a price, a part without one is a part of 0. */
  of(line: CostLine): ExactDecimal | null {
    const same = this.#lines.get(dimensionsOf(line)) ?? [];
    const known = same.flatMap(({ ListCost }) => ListCost ?? []);
    if (known.length > 0) return addDecimals(known.map(parseDecimal));
    return line.allocation !== null && this.#isListed(line) ? ZERO : null;
  }
}

/** Whether a line is of refunds only. What was moved of refunds and credits together is not told apart. */
export function refundsOf(report: CostReport): (line: CostLine) => boolean {
  const areRefunds = origins(report, (billed) => billed.every(({ because }) => because === "refund"));
  return (line) => (line.allocation === null ? line.because === "refund" : areRefunds(line));
}
