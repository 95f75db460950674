import { addDecimals, type ExactDecimal, negateDecimal, splitDecimal, ZERO } from "../money/exact-decimal.ts";
import type { Bucket, CostLine, Reason } from "../report/cost-report.ts";

/** What a line costs: as invoiced, amortized, and at list prices. */
export interface Amounts {
  readonly billed: ExactDecimal;
  readonly effective: ExactDecimal;
  readonly list: ExactDecimal;
}

const MEASURES = ["billed", "effective", "list"] as const satisfies readonly (keyof Amounts)[];

/** Where the report puts money. */
export interface Place {
  readonly bucket: Bucket;
  readonly owner: string | null;
  readonly because: Reason | null;
}

/** Money of the bill in its place: lines of the bill that are alike, or what was moved from one place to another. */
export interface PlacedLine extends Place {
  readonly currency: string;
  readonly month: string;
  /** The day that the charge starts on, where it is asked for; null for what a rule moved, which is of a month. */
  readonly day: string | null;
  readonly providerService: string;
  readonly chargeCategory: CostLine["ChargeCategory"];
  /** Lines of the bill; 0 for what was moved, as its lines are counted where it came from. */
  readonly lines: number;
  /** Of them, those without a list price. */
  readonly unlistedLines: number;
  readonly amounts: Amounts;
  /** What moved it; null for lines of the bill. */
  readonly allocation: string | null;
}

function mapAmounts(map: (measure: keyof Amounts) => ExactDecimal): Amounts {
  return { billed: map("billed"), effective: map("effective"), list: map("list") };
}

export function addAmounts(all: readonly Amounts[]): Amounts {
  return mapAmounts((measure) => addDecimals(all.map((amounts) => amounts[measure])));
}

export function isNothing(amounts: Amounts): boolean {
  return MEASURES.every((measure) => amounts[measure].units === 0n);
}

/** Every amount by the same weights, each adding up to the last of `scale` digits. */
export function splitAmounts(
  amounts: Amounts,
  weights: readonly ExactDecimal[],
  scale: number,
): readonly Amounts[] {
  const parts = mapParts((measure) => splitDecimal(amounts[measure], weights, scale));
  return weights.map((_, index) => mapAmounts((measure) => parts[measure][index] ?? ZERO));
}

function mapParts(
  map: (measure: keyof Amounts) => readonly ExactDecimal[],
): Readonly<Record<keyof Amounts, readonly ExactDecimal[]>> {
  return { billed: map("billed"), effective: map("effective"), list: map("list") };
}

/** A part of a line's money put elsewhere: taken away where it is and added there, so that no sum can change. */
export function move(
  line: PlacedLine,
  amounts: Amounts,
  to: Place,
  allocation: string,
): readonly PlacedLine[] {
  if (isNothing(amounts)) return [];
  const moved = { ...line, lines: 0, unlistedLines: 0, allocation };
  return [
    { ...moved, amounts: mapAmounts((measure) => negateDecimal(amounts[measure])) },
    { ...moved, ...to, amounts },
  ];
}
