/** Median, least and greatest of a few measurements. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws {RangeError} when there is none */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (min === undefined || max === undefined || upper === undefined || lower === undefined) {
    throw new RangeError("Cannot give the spread of no values");
  }
  return { median: (lower + upper) / 2, min, max };
}

/**
 * Spread of `of[i] / to[i]`. Round by round, as both sides of a round had the same neighbours on the machine; the
 * ratio of two medians would compare rounds with one another.
 *
 * @throws {RangeError} when the rounds are not as many on both sides, or a round's divisor is not above 0
 */
export function ratioSpreadOf(of: readonly number[], to: readonly number[]): Spread {
  if (of.length !== to.length) throw new RangeError(`Cannot compare ${of.length} rounds with ${to.length}`);
  return spreadOf(
    of.map((value, round) => {
      const divisor = to[round] ?? 0;
      if (divisor <= 0) throw new RangeError(`Cannot divide by ${divisor} in round ${round + 1}`);
      return value / divisor;
    }),
  );
}
