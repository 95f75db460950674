import { describe, expect, it } from "vitest";
import { ethtoolFeaturesGenericReceiveOffload } from "../../../host-tuning/knobs/ethtool-features-generic-receive-offload.ts";
import { ethtoolFeaturesLargeReceiveOffload } from "../../../host-tuning/knobs/ethtool-features-large-receive-offload.ts";
import { ethtoolFeaturesNtupleFilters } from "../../../host-tuning/knobs/ethtool-features-ntuple-filters.ts";
import { ethtoolFeaturesTcpSegmentationOffload } from "../../../host-tuning/knobs/ethtool-features-tcp-segmentation-offload.ts";
import { parseFeatures } from "../../../host-tuning/knobs/ethtool-features.ts";
import { ethtoolPause, parsePause } from "../../../host-tuning/knobs/ethtool-pause.ts";
import { decideForNic as decide } from "../../helpers/decide.ts";
import { toolHost } from "../../helpers/tool-host.ts";
import { IGB_FEATURES, IGB_PAUSE, NEGOTIATED_PAUSE } from "./ethtool-output.ts";

const TARGET = { name: "eno1" };

const printing = (stdout: string) => toolHost(() => ({ exitCode: 0, stdout, stderr: "" }));

describe("parseFeatures()", () => {
  it("reads states, what is fixed, and the parts of a name", () => {
    const features = parseFeatures(IGB_FEATURES);
    expect(features.get("large-receive-offload")).toEqual({ isOn: false, isFixed: true, parts: {} });
    expect(features.get("rx-gro-list")).toMatchObject({ isOn: false, isFixed: false });
    expect(Object.keys(features.get("tcp-segmentation-offload")?.parts ?? {})).toEqual([
      "tx-tcp-segmentation",
      "tx-tcp-ecn-segmentation",
      "tx-tcp-mangleid-segmentation",
      "tx-tcp6-segmentation",
    ]);
  });
});

describe("ethtool.features.tcp-segmentation-offload", () => {
  it("switches the parts one by one and puts each back, without the one that ethtool switches on besides", async () => {
    const knob = ethtoolFeaturesTcpSegmentationOffload;
    const before = await knob.read(printing(IGB_FEATURES), TARGET);
    expect(before).toEqual({
      isOn: true,
      parts: { "tx-tcp-segmentation": true, "tx-tcp6-segmentation": true },
    });
    expect(knob.writes({ isOn: false }, TARGET, before)).toEqual([
      {
        kind: "tool",
        command: ["ethtool", "-K", "eno1", "tx-tcp-segmentation", "off", "tx-tcp6-segmentation", "off"],
        undo: ["ethtool", "-K", "eno1", "tx-tcp-segmentation", "on", "tx-tcp6-segmentation", "on"],
      },
    ]);
  });
});

describe("ethtool.features.generic-receive-offload", () => {
  it("is on, but for latency, and has no parts", async () => {
    const knob = ethtoolFeaturesGenericReceiveOffload;
    expect(await knob.read(printing(IGB_FEATURES), TARGET)).toEqual({ isOn: false });
    expect(decide(knob, { isOn: false })).toMatchObject({ value: { isOn: true } });
    expect(decide(knob, { isOn: false }, { preset: "latency" }).kind).toBe("leave");
    expect(knob.writes({ isOn: true }, TARGET, { isOn: false })).toMatchObject([
      { command: ["ethtool", "-K", "eno1", "generic-receive-offload", "on"] },
    ]);
    expect(knob.value.parse(true)).toEqual({ isOn: true });
  });
});

describe("ethtool.features.large-receive-offload", () => {
  it("is off where the interface hands packets on, and left elsewhere", () => {
    const knob = ethtoolFeaturesLargeReceiveOffload;
    expect(decide(knob, { isOn: true }, {}, { isForwarding: true })).toMatchObject({
      value: { isOn: false },
    });
    expect(decide(knob, { isOn: true }).kind).toBe("leave");
  });

  it("is left where the driver does not let it be changed", () => {
    const fixed = { isOn: true, isFixed: true };
    expect(decide(ethtoolFeaturesLargeReceiveOffload, fixed, {}, { isForwarding: true })).toMatchObject({
      kind: "leave",
      because: expect.stringContaining("does not let it be changed") as string,
    });
  });
});

describe("ethtool.features.ntuple-filters", () => {
  it("is on where interrupts and the service share CPUs, each with a queue, for latency alone", () => {
    const knob = ethtoolFeaturesNtupleFilters;
    const off = { isOn: false };
    expect(decide(knob, off, { preset: "latency" })).toMatchObject({ value: { isOn: true } });
    expect(decide(knob, off).kind).toBe("leave");
    const reserved = { preset: "latency", cpu: { reserved: "8" } } as const;
    expect(decide(knob, off, reserved).because).toContain("are not those that the service runs on");
    expect(decide(knob, off, { preset: "latency" }, { rxQueues: 4 }).because).toContain("not one for each");
    expect(decide(knob, off, { preset: "latency" }, { driver: "ena" }).because).toContain("ena does not");
  });
});

describe("ethtool.pause", () => {
  it("reads what was negotiated before what was asked for", () => {
    expect(parsePause(IGB_PAUSE)).toBe("autoneg on rx on tx on");
    expect(parsePause(NEGOTIATED_PAUSE)).toBe("autoneg on rx off tx off");
    expect(parsePause("RX: on")).toBeUndefined();
  });

  it("is off with RoCE, in one command, and else as negotiated", () => {
    const words = "autoneg on rx on tx on";
    expect(decide(ethtoolPause, words).kind).toBe("leave");
    const roce = { nics: [{ match: { name: "eno1" }, roce: {} }] };
    expect(decide(ethtoolPause, words, roce)).toMatchObject({ value: "autoneg off rx off tx off" });
    expect(ethtoolPause.writes("autoneg off rx off tx off", TARGET, words)).toEqual([
      {
        kind: "tool",
        command: ["ethtool", "-A", "eno1", "autoneg", "off", "rx", "off", "tx", "off"],
        undo: ["ethtool", "-A", "eno1", "autoneg", "on", "rx", "on", "tx", "on"],
      },
    ]);
    expect(ethtoolPause.value.safeParse("rx maybe").success).toBe(false);
  });
});
