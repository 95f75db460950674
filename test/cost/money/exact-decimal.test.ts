import { Decimal } from "decimal.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addDecimals,
  compareDecimals,
  type ExactDecimal,
  formatDecimal,
  parseDecimal,
  percentOf,
  roundDecimal,
  roundToTotal,
  subtractDecimals,
} from "../../../cost/money/exact-decimal.ts";

/** An independent decimal library, wide enough for all that is generated here. */
const Oracle = Decimal.clone({ precision: 120, rounding: Decimal.ROUND_HALF_UP });

const amount: fc.Arbitrary<ExactDecimal> = fc.record({
  units: fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
  scale: fc.integer({ min: 0, max: 21 }),
});
const smallAmount: fc.Arbitrary<ExactDecimal> = fc.record({
  units: fc.bigInt({ min: -20_000n, max: 20_000n }),
  scale: fc.integer({ min: 0, max: 5 }),
});

function oracle(value: ExactDecimal): Decimal {
  return new Oracle(value.units.toString()).div(new Oracle(10).pow(value.scale));
}

describe("parseDecimal() and formatDecimal()", () => {
  it("give back any amount, in its shortest form", () => {
    fc.assert(
      fc.property(amount, (value) => {
        const text = formatDecimal(value);
        expect(text).toBe(oracle(value).toFixed());
        expect(compareDecimals(parseDecimal(text), value)).toBe(0);
      }),
    );
  });

  it("keep the digits that were asked for", () => {
    expect(formatDecimal(parseDecimal("-0.050"), 2)).toBe("-0.05");
    expect(formatDecimal(parseDecimal("3"), 2)).toBe("3.00");
    expect(formatDecimal(parseDecimal("1.2345"), 2)).toBe("1.2345");
  });

  it("never show a negative nothing", () => expect(formatDecimal(parseDecimal("-0.000"))).toBe("0"));

  it.each(["", "1.", ".5", "1,5", "1e3", "NaN", " 1", "0x1", "--1", "1.2.3", "\u0663"])(
    "fail on %j",
    (text) => {
      expect(() => parseDecimal(text)).toThrow(RangeError);
    },
  );
});

describe("addDecimals() and subtractDecimals()", () => {
  it("are exact", () => {
    fc.assert(
      fc.property(fc.array(amount, { maxLength: 30 }), amount, (amounts, other) => {
        const sum = amounts.reduce((total, value) => total.plus(oracle(value)), new Oracle(0));
        expect(oracle(addDecimals(amounts)).equals(sum)).toBe(true);
        expect(oracle(subtractDecimals(addDecimals(amounts), other)).equals(sum.minus(oracle(other)))).toBe(
          true,
        );
      }),
    );
  });

  it("add what floats get wrong", () => {
    const tenth = parseDecimal("0.1");
    expect(formatDecimal(addDecimals([tenth, tenth, tenth]))).toBe("0.3");
  });
});

describe("roundDecimal()", () => {
  it("rounds to the nearest, halves away from 0", () => {
    fc.assert(
      fc.property(fc.oneof(amount, smallAmount), fc.integer({ min: 0, max: 4 }), (value, digits) => {
        expect(oracle(roundDecimal(value, digits)).equals(oracle(value).toDecimalPlaces(digits))).toBe(true);
      }),
    );
  });
});

describe("roundToTotal()", () => {
  it("adds up to the rounded total, and moves no amount by a whole cent", () => {
    fc.assert(
      fc.property(
        fc.array(smallAmount, { maxLength: 40 }),
        fc.integer({ min: 0, max: 3 }),
        (amounts, digits) => {
          const rounded = roundToTotal(amounts, digits);
          const total = roundDecimal(addDecimals(amounts), digits);
          expect(compareDecimals(addDecimals(rounded), total)).toBe(0);
          for (const [index, value] of rounded.entries()) {
            const moved = oracle(value)
              .minus(oracle(amounts[index] ?? { units: 0n, scale: 0 }))
              .abs();
            expect(moved.lt(new Oracle(10).pow(-digits))).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("mirrors negative totals", () => {
    fc.assert(
      fc.property(fc.array(smallAmount, { maxLength: 20 }), (amounts) => {
        fc.pre(addDecimals(amounts).units !== 0n);
        const mirrored = amounts.map((value) => ({ ...value, units: -value.units }));
        const back = roundToTotal(mirrored, 2).map((value) =>
          formatDecimal({ ...value, units: -value.units }),
        );
        // A total that rounds to 0 has no sign to mirror by.
        fc.pre(roundDecimal(addDecimals(amounts), 2).units !== 0n);
        expect(back).toEqual(roundToTotal(amounts, 2).map((value) => formatDecimal(value)));
      }),
    );
  });

  it("gives what is missing to those that lost most, the first of equals first", () => {
    const texts = (...amounts: string[]): string[] =>
      roundToTotal(amounts.map(parseDecimal), 2).map((value) => formatDecimal(value, 2));
    expect(texts("1.005", "1.005", "0.99")).toEqual(["1.01", "1.00", "0.99"]);
    // The published split of one GPU host: 9.99 when each pod is rounded alone, 10.00 here.
    expect(texts("1.908887", "3.264370", "2.413371", "2.413372")).toEqual(["1.91", "3.27", "2.41", "2.41"]);
    expect(texts()).toEqual([]);
  });

  it("meets a target that is not the nearest", () => {
    const rounded = roundToTotal([parseDecimal("0.5"), parseDecimal("0.7")], 0, parseDecimal("2"));
    expect(rounded.map((value) => formatDecimal(value))).toEqual(["1", "1"]);
  });
});

describe("percentOf()", () => {
  it("rounds as the money does", () => {
    expect(percentOf(parseDecimal("1"), parseDecimal("3"), 1)).toBe("33.3");
    expect(percentOf(parseDecimal("-3"), parseDecimal("16"), 2)).toBe("-18.75");
    expect(percentOf(parseDecimal("0.00001"), parseDecimal("20000000"), 1)).toBe("0.0");
  });

  it("has no answer where the whole is not above 0", () => {
    expect(percentOf(parseDecimal("1"), parseDecimal("0"), 1)).toBeUndefined();
    expect(percentOf(parseDecimal("1"), parseDecimal("-2"), 1)).toBeUndefined();
  });
});
