import { describe, expect, it } from "vitest";
import { vmMinFreeKbytes } from "../../../host-tuning/knobs/vm-min-free-kbytes.ts";
import { vmWatermarkScaleFactor } from "../../../host-tuning/knobs/vm-watermark-scale-factor.ts";
import { GIB, decide, valueSet } from "../../helpers/decide.ts";
import { factsOfShape, sampleNic } from "../../helpers/facts.ts";

describe("vm.min_free_kbytes", () => {
  it("holds what the NICs bring in 50 ms, at most 1 % of memory", () => {
    expect(valueSet(vmMinFreeKbytes, { current: 67_584 })).toBe(152_588);
    expect(valueSet(vmMinFreeKbytes, { current: 11_584, shape: { memoryBytes: 8 * GIB } })).toBe(83_886);
  });

  it("adds physical NICs up and counts no function twice", () => {
    const nics = [
      sampleNic(),
      sampleNic({ name: "eno2" }),
      sampleNic({ name: "eno1v0", isVirtualFunction: true }),
      sampleNic({ name: "br0", isPhysical: false }),
    ];
    const facts = { ...factsOfShape({ memoryBytes: 512 * GIB }), nics };
    expect(valueSet(vmMinFreeKbytes, { current: 67_584, facts })).toBe(305_176);
  });

  it("never lowers what khugepaged has raised", () => {
    expect(decide(vmMinFreeKbytes, { current: 225_280 })).toMatchObject({ kind: "leave" });
  });

  it("is left where no NIC names a speed", () => {
    const { because } = decide(vmMinFreeKbytes, { current: 67_584, shape: { nicMbitPerSec: null } });
    expect(because).toContain("eno1 names no speed");
  });
});

describe("vm.watermark_scale_factor", () => {
  it.each([
    [64 * GIB, 46],
    [2 * GIB, 200],
    [1024 * GIB, 10],
  ])("on %i bytes of memory", (memoryBytes, value) => {
    expect(valueSet(vmWatermarkScaleFactor, { current: 10, shape: { memoryBytes } })).toBe(value);
  });
});
