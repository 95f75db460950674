import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecayingHistogram } from "../../../cost/right-size/decaying-histogram.ts";

const SHAPE = { firstBucket: 0.01, ratio: 1.05, halfLifeSeconds: 86_400 };

function truePercentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

describe("DecayingHistogram", () => {
  it("is never below the percentile, and above it by a bucket at most", () => {
    const values = fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, share) => {
        const histogram = new DecayingHistogram(SHAPE);
        for (const value of all) histogram.add(value, 1, 0);
        const exact = truePercentile(all, share);
        const found = histogram.percentile(share);
        expect(found).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
        expect(found).toBeLessThanOrEqual(exact * 1.05 + 0.01 + 1e-9);
      }),
    );
  });

  it("has VPA's bucket ends: 0.01, 0.0205, 0.031525 ...", () => {
    const histogram = new DecayingHistogram(SHAPE);
    histogram.add(0.02, 1, 0);
    expect(histogram.percentile(1)).toBeCloseTo(0.0205, 12);
  });

  it("counts a sample half after a half-life", () => {
    // One old sample of 8 and two newer ones of 1, at two half-lives' distance: weights 1 : 4 each.
    const histogram = new DecayingHistogram(SHAPE);
    histogram.add(8, 1, 0);
    histogram.add(1, 1, 2 * 86_400);
    histogram.add(1, 1, 2 * 86_400);
    expect(histogram.percentile(8 / 9 - 0.001)).toBeLessThan(1.1);
    expect(histogram.percentile(8 / 9 + 0.001)).toBeGreaterThan(7.9);
  });

  it("keeps its percentiles over years, where weights would leave a double's range", () => {
    const histogram = new DecayingHistogram(SHAPE);
    for (let day = 0; day < 3000; day += 1) histogram.add(day < 2900 ? 5 : 2, 1, day * 86_400);
    expect(histogram.percentile(0.99)).toBeLessThan(2.2);
    expect(histogram.percentile(0.99)).toBeGreaterThanOrEqual(2);
  });

  it("fails on what is no sample", () => {
    const histogram = new DecayingHistogram(SHAPE);
    for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => histogram.add(value, 1, 0)).toThrow(RangeError);
    }
    expect(histogram.isEmpty).toBe(true);
    expect(histogram.percentile(0.9)).toBe(0);
  });
});
