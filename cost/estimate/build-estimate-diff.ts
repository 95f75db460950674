import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { formatDecimal, parseDecimal, subtractDecimals } from "../money/exact-decimal.ts";
import type { CostEstimate, EstimateLine, EstimateTotal } from "./cost-estimate.ts";
import type { DiffChange, DiffLine, DiffSide, EstimateDiff } from "./estimate-diff.ts";

const MINOR_DIGITS = 2;

/** What a change is compared with. */
export interface DiffBase {
  readonly name: string;
  /** Undefined where the environment was not there. */
  readonly estimate: CostEstimate | undefined;
  /** What the base knows of: outputs of a stack name its hosts and nothing else. */
  readonly covers: "everything" | "hosts";
}

const NOTHING: EstimateTotal = {
  perMonth: "0",
  perMonthAtMost: "0",
  perMonthRounded: "0.00",
  perMonthAtMostRounded: "0.00",
};

function isHosts(line: EstimateLine): boolean {
  return line.kind === "not-billed" || line.instanceType !== null;
}

/**
 * What makes two lines one: hosts of a pool are one whatever their type, and anything else whatever its count and size
 * ("2 x 80 GiB root volume").
 */
function keyOf(line: EstimateLine): string {
  return JSON.stringify([line.pool, isHosts(line) ? "hosts" : line.item.replaceAll(/\d+(\.\d+)?/g, "#")]);
}

function sideOf(line: EstimateLine | undefined): DiffSide | null {
  if (line === undefined) return null;
  const { kind } = line;
  if (kind !== "priced") {
    return { kind, item: line.item, because: line.because, perMonth: null, perMonthRounded: null };
  }
  const count = line.maxCount === line.count ? String(line.count) : `${line.count} to ${line.maxCount}`;
  return {
    kind,
    item: `${count} x ${line.instanceType}, ${line.hoursPerMonth} h`,
    because: null,
    perMonth: line.perMonth,
    perMonthRounded: line.perMonthRounded,
  };
}

function difference(after: string, before: string, minDigits = 0): string {
  return formatDecimal(subtractDecimals(parseDecimal(after), parseDecimal(before)), minDigits);
}

function outcomeOf(before: DiffSide | null, after: DiffSide | null): DiffLine["outcome"] {
  if (before === null) return "added";
  if (after === null) return "removed";
  return before.item === after.item && before.kind === after.kind && before.perMonth === after.perMonth
    ? "same"
    : "changed";
}

function diffLine(old: EstimateLine | undefined, now: EstimateLine | undefined): DiffLine {
  const before = sideOf(old);
  const after = sideOf(now);
  const isPriced = before?.perMonth !== null && after?.perMonth !== null;
  return {
    pool: now?.pool ?? old?.pool ?? null,
    outcome: outcomeOf(before, after),
    before,
    after,
    change: isPriced ? difference(after?.perMonth ?? "0", before?.perMonth ?? "0") : null,
    changeRounded: isPriced
      ? difference(after?.perMonthRounded ?? "0", before?.perMonthRounded ?? "0", MINOR_DIGITS)
      : null,
  };
}

/** Lines of one key are taken in their order: none is lost where two are alike. */
function diffLines(before: readonly EstimateLine[], after: readonly EstimateLine[]): readonly DiffLine[] {
  const left = new Map(
    Array.from(Map.groupBy(before, keyOf), ([key, lines]): [string, EstimateLine[]] => [key, [...lines]]),
  );
  const found = after.map((line) => diffLine(left.get(keyOf(line))?.shift(), line));
  return [
    ...found,
    ...Array.from(left.values()).flatMap((rest) => rest.map((line) => diffLine(line, undefined))),
  ];
}

function changeOf(
  before: EstimateTotal,
  after: EstimateTotal,
  of: "perMonth" | "perMonthAtMost",
): DiffChange {
  const rounded = `${of}Rounded` as const;
  return {
    before: before[of],
    after: after[of],
    change: difference(after[of], before[of]),
    beforeRounded: before[rounded],
    afterRounded: after[rounded],
    changeRounded: difference(after[rounded], before[rounded], MINOR_DIGITS),
  };
}

function diffRows(before: CostEstimate | undefined, after: CostEstimate): EstimateDiff["rows"] {
  const totals = (estimate: CostEstimate | undefined): ReadonlyMap<string, EstimateTotal> =>
    new Map(estimate?.rows.map((row) => [row.owner, row]));
  const [old, now] = [totals(before), totals(after)];
  return [...new Set([...now.keys(), ...old.keys()])].toSorted().map((owner) => ({
    owner,
    ...changeOf(old.get(owner) ?? NOTHING, now.get(owner) ?? NOTHING, "perMonth"),
  }));
}

/** The assumptions of the change, and those of the base that it does not share. */
function assumptionsOf(base: DiffBase, after: CostEstimate): string[] {
  const before = base.estimate?.assumptions ?? [];
  return [
    ...after.assumptions,
    ...before
      .filter((assumption) => !after.assumptions.includes(assumption))
      .map((assumption) => `${base.name}: ${assumption}`),
  ];
}

/** What a reader of the totals alone would miss. */
function notesOf(base: DiffBase, after: CostEstimate, lines: readonly DiffLine[]): string[] {
  const before = base.estimate;
  if (before === undefined) return [`${base.name} has no such environment: all of it is new`];
  const oneSided = lines.filter(
    (line) => line.change === null && (line.before?.kind === "priced" || line.after?.kind === "priced"),
  );
  return [
    ...(before.region === after.region
      ? []
      : [`the region changes from ${before.region} to ${after.region}`]),
    ...(before.budget.perMonth === after.budget.perMonth
      ? []
      : [`the budget changes from ${before.budget.perMonth} to ${after.budget.perMonth} ${after.currency}`]),
    ...oneSided.map(
      ({ pool }) =>
        `${pool ?? "the environment"} has a price on one side only: the total's change is not its change`,
    ),
  ];
}

/**
 * Compares an estimate with another of the same environment. Both are at the same prices: only the change shows. Totals
 * add up to the cent across (before + change = after) and down (lines, owners, total). Pure.
 */
export function buildEstimateDiff(base: DiffBase, after: CostEstimate): EstimateDiff {
  const before = base.estimate;
  const comparable = base.covers === "hosts" ? after.lines.filter(isHosts) : after.lines;
  const lines = diffLines(before?.lines ?? [], comparable);
  const { perMonth, remaining, isWithin } = after.budget;
  return {
    apiVersion: API_VERSION,
    kind: "CostEstimateDiff",
    environment: after.environment,
    region: after.region,
    currency: after.currency,
    pricesAsOf: after.prices.asOf,
    base: base.name,
    by: after.by,
    lines: [...lines],
    rows: diffRows(before, after),
    total: changeOf(before?.total ?? NOTHING, after.total, "perMonth"),
    atMost: changeOf(before?.total ?? NOTHING, after.total, "perMonthAtMost"),
    unpriced: {
      before: before?.unpricedLines ?? 0,
      after: comparable.filter(({ kind }) => kind === "unpriced").length,
    },
    budget: { perMonth, remaining, isWithin },
    assumptions: assumptionsOf(base, after),
    notes: notesOf(base, after, lines),
  };
}
