import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatKernelList,
  formatKernelMask,
  kernelListSchema,
  parseKernelList,
  parseKernelMask,
} from "../../../host-tuning/sys/kernel-list.ts";

const ids = fc.uniqueArray(fc.integer({ min: 0, max: 600 }), { maxLength: 64 });

describe("parseKernelList()", () => {
  it.each([
    ["0-3,8,10-11\n", [0, 1, 2, 3, 8, 10, 11]],
    ["", []],
    ["\n", []],
    ["5", [5]],
    ["8,0-1", [0, 1, 8]],
  ])("reads %j", (text, expected) => expect(parseKernelList(text)).toEqual(expected));

  it.each(["x", "3-1", "0-", "-1", "1,,2", "0-99999", "123456", "0x1", "1 2", "1-2-3"])(
    "fails on %j",
    (text) => expect(parseKernelList(text)).toBeUndefined(),
  );

  it("gives back what formatKernelList() wrote", () => {
    fc.assert(
      fc.property(ids, (list) => {
        expect(parseKernelList(formatKernelList(list))).toEqual(list.toSorted((a, b) => a - b));
      }),
    );
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseKernelList(text)));
  });
});

describe("formatKernelList()", () => {
  it("folds ranges and drops doubles", () => expect(formatKernelList([8, 0, 1, 2, 2])).toBe("0-2,8"));
});

describe("formatKernelMask()", () => {
  it("puts the most significant word first", () =>
    expect(formatKernelMask([0, 33])).toBe("00000002,00000001"));
  it("keeps bit 31 unsigned", () => expect(formatKernelMask([31])).toBe("80000000"));
  it("is read back by parseKernelMask()", () => {
    fc.assert(
      fc.property(ids, (list) => {
        expect(parseKernelMask(formatKernelMask(list))).toEqual(list.toSorted((a, b) => a - b));
      }),
    );
  });
});

describe("parseKernelMask()", () => {
  it.each(["", "g", "1,,2", "123456789", "-1"])("fails on %j", (text) =>
    expect(parseKernelMask(text)).toBeUndefined(),
  );
});

describe("kernelListSchema", () => {
  it("gives the canonical form", () => expect(kernelListSchema.parse("3,0-1,2")).toBe("0-3"));
  it("fails on a range that runs backwards", () =>
    expect(kernelListSchema.safeParse("3-1").success).toBe(false));
});
