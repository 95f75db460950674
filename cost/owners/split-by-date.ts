import { move, type PlacedLine, splitAmounts } from "../allocation/placed-line.ts";
import type { ExactDecimal } from "../money/exact-decimal.ts";
import { foldTagValue } from "../report/tag-spelling.ts";
import type { OwnershipPeriod } from "./ownership.ts";

/** What the report calls money that a date of the owners file moved. */
export const BY_DATE = "ownership by date";

/** A charge as SQL gives it: whose owner changes within it (`service:mcp-search`), and from when to when it is. */
export interface SpanningCharge {
  readonly line: PlacedLine;
  readonly span: string;
  /** `2026-07-01 00:00:00/2026-08-01 00:00:00`, UTC. */
  readonly period: string;
}

/** @throws {RangeError} when it is no time; a bill's times are checked when it is read */
export function parseUtcSeconds(text: string): number {
  const millis = Date.parse(`${text.replace(" ", "T")}Z`);
  if (Number.isNaN(millis)) throw new RangeError(`Cannot read "${text}" as a time`);
  return millis / 1000;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** `0000-01-01` is before and `9999-12-31` after every charge. */
function secondsOfDay(day: string): number {
  return parseUtcSeconds(`${day} 00:00:00`);
}

/**
 * Splits a charge that a change of owner falls into, by time: a month's fee of a service that moved on the 15th is for
 * 14 of 31 days its old owner's. What belongs to nobody in the file stays where the charge is.
 *
 * @returns what moves; nothing is lost, as each move is taken away where it was
 */
export function splitByDate(
  { line, span, period }: SpanningCharge,
  ownership: readonly OwnershipPeriod[],
  scale: number,
  shownOwner: (owner: string) => string,
): readonly PlacedLine[] {
  const [start = 0, end = 0] = period.split("/").map(parseUtcSeconds);
  const stretches = ownership.filter(({ kind, name }) => `${kind}:${name}` === span);
  const weights = stretches.map(({ fromDay, untilDay }): ExactDecimal => {
    const from = clamp(secondsOfDay(fromDay), start, end);
    const until = clamp(secondsOfDay(untilDay), start, end);
    return { units: BigInt(Math.max(0, Math.round(until - from))), scale: 0 };
  });
  const parts = splitAmounts(line.amounts, weights, scale);
  return stretches.flatMap(({ owner }, index) => {
    const amounts = parts[index];
    const stays = owner === null || (line.owner !== null && foldTagValue(owner) === foldTagValue(line.owner));
    if (stays || amounts === undefined) return [];
    return move(line, amounts, { bucket: "owner", owner: shownOwner(owner), because: null }, BY_DATE);
  });
}
