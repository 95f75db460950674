import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ratioSpreadOf, spreadOf } from "../../bench/spread.ts";

describe("spreadOf()", () => {
  it("gives the middle of an odd count, and between the two middle ones of an even count", () => {
    expect(spreadOf([5, 1, 9])).toEqual({ median: 5, min: 1, max: 9 });
    expect(spreadOf([10, 1, 4, 2])).toEqual({ median: 3, min: 1, max: 10 });
    expect(spreadOf([7])).toEqual({ median: 7, min: 7, max: 7 });
  });

  it("compares numbers, not their texts", () => {
    expect(spreadOf([100, 20, 3])).toEqual({ median: 20, min: 3, max: 100 });
  });

  it("has as many values on either side of the median, whatever their order", () => {
    const values = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(values, (list) => {
        const { median, min, max } = spreadOf(list);
        expect(list.filter((value) => value < median).length).toBeLessThanOrEqual(list.length / 2);
        expect(list.filter((value) => value > median).length).toBeLessThanOrEqual(list.length / 2);
        expect([min, max]).toEqual([Math.min(...list), Math.max(...list)]);
        expect(spreadOf(list.toReversed())).toEqual({ median, min, max });
      }),
    );
  });

  it("fails on no values", () => {
    expect(() => spreadOf([])).toThrow(RangeError);
  });
});

describe("ratioSpreadOf()", () => {
  it("divides within each round", () => {
    // The ratio of the medians would be 1: a slow round hits both sides of it.
    expect(ratioSpreadOf([1, 10, 2], [2, 20, 1])).toEqual({ median: 0.5, min: 0.5, max: 2 });
  });

  it("fails where rounds do not pair up", () => {
    expect(() => ratioSpreadOf([1, 2], [1])).toThrow("Cannot compare 2 rounds with 1");
  });

  it("fails on a divisor that no measurement has", () => {
    expect(() => ratioSpreadOf([1, 2], [1, 0])).toThrow("Cannot divide by 0 in round 2");
  });
});
