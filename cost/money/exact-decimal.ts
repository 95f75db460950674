/**
 * Exact money: an integer of the smallest unit and how many digits stand after the point. Bills carry more digits than
 * cents (20.52022672899) and more than a float holds, so sums are made here and nowhere in floating point.
 */
export interface ExactDecimal {
  /** The amount times 10 to the power of `scale`. */
  readonly units: bigint;
  readonly scale: number;
}

export const ZERO: ExactDecimal = { units: 0n, scale: 0 };

/**
 * Plain decimal text to an exact amount.
 *
 * @throws {RangeError} when the text is no plain decimal number; what comes from people is checked before
 */
export function parseDecimal(text: string): ExactDecimal {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) throw new RangeError(`Cannot read "${text}" as a decimal number`);
  const [, sign = "", whole = "", fraction = ""] = match;
  return { units: BigInt(`${sign}${whole}${fraction}`), scale: fraction.length };
}

function unitsAt(amount: ExactDecimal, scale: number): bigint {
  return amount.units * 10n ** BigInt(scale - amount.scale);
}

export function addDecimals(amounts: Iterable<ExactDecimal>): ExactDecimal {
  let sum = ZERO;
  for (const amount of amounts) {
    const scale = Math.max(sum.scale, amount.scale);
    sum = { units: unitsAt(sum, scale) + unitsAt(amount, scale), scale };
  }
  return sum;
}

export function negateDecimal(amount: ExactDecimal): ExactDecimal {
  return { units: -amount.units, scale: amount.scale };
}

export function subtractDecimals(a: ExactDecimal, b: ExactDecimal): ExactDecimal {
  return addDecimals([a, negateDecimal(b)]);
}

/** Below 0, 0 or above 0, as `sort` wants it. */
export function compareDecimals(a: ExactDecimal, b: ExactDecimal): number {
  const { units } = subtractDecimals(a, b);
  return units < 0n ? -1 : Number(units > 0n);
}

/**
 * The shortest plain text that is exactly this amount, or with at least `minDigits` after the point.
 *
 * @example { units: 1500n, scale: 3 } is "1.5", and "1.50" with 2 digits
 */
export function formatDecimal(amount: ExactDecimal, minDigits = 0): string {
  const scale = Math.max(amount.scale, minDigits);
  const units = unitsAt(amount, scale);
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const fraction = digits
    .slice(digits.length - scale)
    .replace(/0+$/, "")
    .padEnd(minDigits, "0");
  const whole = digits.slice(0, digits.length - scale);
  return `${units < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

/** Largest integer not above the quotient; `divisor` is above 0. */
function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend % divisor < 0n ? quotient - 1n : quotient;
}

/** Quotient to the nearest integer, halves away from 0; `divisor` is above 0. */
function roundDivide(dividend: bigint, divisor: bigint): bigint {
  const magnitude = ((dividend < 0n ? -dividend : dividend) * 2n + divisor) / (divisor * 2n);
  return dividend < 0n ? -magnitude : magnitude;
}

/** To `digits` after the point, halves away from 0. */
export function roundDecimal(amount: ExactDecimal, digits: number): ExactDecimal {
  if (amount.scale <= digits) return { units: unitsAt(amount, digits), scale: digits };
  return { units: roundDivide(amount.units, 10n ** BigInt(amount.scale - digits)), scale: digits };
}

/**
 * Rounds every amount to `digits` so that they add up to `target`: each is rounded down, and what is missing goes to
 * those that lost most, the first of equals first. A negative target is met as its mirror image. No amount moves by a
 * whole last digit, as long as the target does not from the exact total.
 *
 * @param target the total in `digits`; by default the exact total, rounded
 * @example 1.005, 1.005 and 0.99 with 2 digits (total 3.00) are 1.01, 1.00 and 0.99
 */
export function roundToTotal(
  amounts: readonly ExactDecimal[],
  digits: number,
  target: ExactDecimal = roundDecimal(addDecimals(amounts), digits),
): readonly ExactDecimal[] {
  const sign = target.units < 0n ? -1n : 1n;
  const scale = Math.max(digits, ...amounts.map((amount) => amount.scale));
  const step = 10n ** BigInt(scale - digits);
  const parts = amounts.map((amount, index) => {
    const units = unitsAt(amount, scale) * sign;
    const floor = floorDivide(units, step);
    return { index, floor, lost: units - floor * step };
  });
  const missing = target.units * sign - parts.reduce((sum, part) => sum + part.floor, 0n);
  const raised = new Set(
    parts
      .toSorted((a, b) => (a.lost === b.lost ? a.index - b.index : a.lost > b.lost ? -1 : 1))
      .slice(0, Number(missing))
      .map((part) => part.index),
  );
  return parts.map((part) => ({
    units: sign * (part.floor + (raised.has(part.index) ? 1n : 0n)),
    scale: digits,
  }));
}

/**
 * Splits an amount by `weights`, to `digits` after the point or as many as the amount has: each part is its share rounded
 * down, and what is missing goes to those that lost most, the first of equals first. The parts add up to the amount to
 * the last digit, and a negative amount is split as its mirror image.
 *
 * @param weights none below 0, and not all 0
 * @throws {RangeError} when the weights can split nothing
 * @example 1 by 1, 1 and 1 to 4 digits is 0.3334, 0.3333 and 0.3333
 */
export function splitDecimal(
  amount: ExactDecimal,
  weights: readonly ExactDecimal[],
  digits: number,
): readonly ExactDecimal[] {
  const weightScale = Math.max(0, ...weights.map((weight) => weight.scale));
  const parts = weights.map((weight) => unitsAt(weight, weightScale));
  const whole = parts.reduce((sum, part) => sum + part, 0n);
  if (whole <= 0n || parts.some((part) => part < 0n)) throw new RangeError("Cannot split by these weights");
  const scale = Math.max(digits, amount.scale);
  const units = unitsAt(amount, scale);
  const sign = units < 0n ? -1n : 1n;
  const magnitude = units * sign;
  const shares = parts.map((part, index) => ({
    index,
    floor: (magnitude * part) / whole,
    lost: (magnitude * part) % whole,
  }));
  const missing = magnitude - shares.reduce((sum, share) => sum + share.floor, 0n);
  const raised = new Set(
    shares
      .toSorted((a, b) => (a.lost === b.lost ? a.index - b.index : a.lost > b.lost ? -1 : 1))
      .slice(0, Number(missing))
      .map((share) => share.index),
  );
  return shares.map(({ index, floor }) => ({ units: sign * (floor + (raised.has(index) ? 1n : 0n)), scale }));
}

/**
 * `part` of `whole` in percent as text with `digits` after the point, or undefined where a share says nothing because
 * the whole is not above 0.
 */
export function percentOf(part: ExactDecimal, whole: ExactDecimal, digits: number): string | undefined {
  if (whole.units <= 0n) return undefined;
  const scale = Math.max(part.scale, whole.scale);
  const hundred = 100n * 10n ** BigInt(digits);
  const units = roundDivide(unitsAt(part, scale) * hundred, unitsAt(whole, scale));
  return formatDecimal({ units, scale: digits }, digits);
}
