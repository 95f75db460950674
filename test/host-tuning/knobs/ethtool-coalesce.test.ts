import { describe, expect, it } from "vitest";
import { ethtoolCoalesceAdaptiveRx } from "../../../host-tuning/knobs/ethtool-coalesce-adaptive-rx.ts";
import { ethtoolCoalesceRxUsecs } from "../../../host-tuning/knobs/ethtool-coalesce-rx-usecs.ts";
import { ethtoolCoalesceTxUsecs } from "../../../host-tuning/knobs/ethtool-coalesce-tx-usecs.ts";
import { parseCoalesce } from "../../../host-tuning/knobs/ethtool-coalesce.ts";
import { decideForNic as decide } from "../../helpers/decide.ts";
import { toolHost } from "../../helpers/tool-host.ts";
import { IGB_COALESCE, MLX5_COALESCE, NOT_SUPPORTED } from "./ethtool-output.ts";

const TARGET = { name: "eno1" };

const printing = (stdout: string) => toolHost(() => ({ exitCode: 0, stdout, stderr: "" }));

describe("parseCoalesce()", () => {
  it("reads what new and old versions print, without what the driver does not have", () => {
    const igb = parseCoalesce(IGB_COALESCE);
    expect(Object.fromEntries(igb?.numbers ?? [])).toEqual({ "rx-usecs": 3, "tx-usecs": 3 });
    expect(igb?.switches.size).toBe(0);
    const mlx5 = parseCoalesce(MLX5_COALESCE);
    expect(Object.fromEntries(mlx5?.switches ?? [])).toEqual({ "adaptive-rx": true, "adaptive-tx": true });
    expect(mlx5?.numbers.get("rx-usecs")).toBe(8);
    expect(parseCoalesce("rx-usecs: 3\n")).toBeUndefined();
  });
});

describe("reading coalescing", () => {
  it("has nothing where the driver has none of it", async () => {
    expect(await ethtoolCoalesceAdaptiveRx.read(printing(IGB_COALESCE), TARGET)).toBeUndefined();
    expect(await ethtoolCoalesceRxUsecs.read(printing(IGB_COALESCE), TARGET)).toEqual({ micros: 3 });
    expect(await ethtoolCoalesceRxUsecs.read(printing(MLX5_COALESCE), TARGET)).toEqual({
      micros: 8,
      isAdaptive: true,
    });
    const none = toolHost(() => ({ exitCode: 1, stdout: "", stderr: NOT_SUPPORTED }));
    expect(await ethtoolCoalesceRxUsecs.read(none, TARGET)).toBeUndefined();
    await expect(ethtoolCoalesceRxUsecs.read(printing("?"), TARGET)).rejects.toThrow(/printed no settings/);
  });
});

describe("ethtool.coalesce.adaptive-rx", () => {
  it("is off for latency, on for throughput, and the driver's otherwise", () => {
    expect(decide(ethtoolCoalesceAdaptiveRx, true, { preset: "latency" })).toMatchObject({ value: false });
    expect(decide(ethtoolCoalesceAdaptiveRx, false, { preset: "throughput" })).toMatchObject({ value: true });
    expect(decide(ethtoolCoalesceAdaptiveRx, false, { preset: "gpu" })).toMatchObject({ value: true });
    expect(decide(ethtoolCoalesceAdaptiveRx, true).kind).toBe("leave");
    expect(ethtoolCoalesceAdaptiveRx.writes(false, TARGET, true)).toEqual([
      {
        kind: "tool",
        command: ["ethtool", "-C", "eno1", "adaptive-rx", "off"],
        undo: ["ethtool", "-C", "eno1", "adaptive-rx", "on"],
      },
    ]);
  });
});

describe("ethtool.coalesce.rx-usecs", () => {
  const latency = { preset: "latency" } as const;

  it("is 0 where interrupts have CPUs of their own, else the 10 that Intel's drivers take", () => {
    const reserved = { ...latency, cpu: { reserved: "8-9" } };
    expect(decide(ethtoolCoalesceRxUsecs, { micros: 50 }, reserved)).toMatchObject({ value: { micros: 0 } });
    expect(decide(ethtoolCoalesceRxUsecs, { micros: 50 }, latency)).toMatchObject({ value: { micros: 10 } });
  });

  it("is never 0 with a driver that gives 1 for it", () => {
    const reserved = { ...latency, cpu: { reserved: "8-9" } };
    expect(decide(ethtoolCoalesceRxUsecs, { micros: 3 }, reserved, { driver: "igbvf" })).toMatchObject({
      value: { micros: 10 },
    });
  });

  it("never lengthens a shorter delay for latency, but knows igb's modes for what they are", () => {
    expect(decide(ethtoolCoalesceRxUsecs, { micros: 2 }, latency).kind).toBe("leave");
    const igb = { driver: "igb" };
    expect(decide(ethtoolCoalesceRxUsecs, { micros: 3 }, latency, igb)).toMatchObject({
      value: { micros: 10 },
    });
    expect(decide(ethtoolCoalesceRxUsecs, { micros: 3 }, { preset: "throughput" }, igb).kind).toBe("leave");
  });

  it("gathers one poll's packets for throughput where the driver does not find the delay by itself", () => {
    const throughput = { preset: "throughput" } as const;
    expect(decide(ethtoolCoalesceRxUsecs, { micros: 8, isAdaptive: false }, throughput).kind).toBe("leave");
    // 64 packets of 12,000 bits at 100 Gbit/s over 8 queues: 61.44 microseconds.
    const fast = { speedMbitPerSec: 100_000 };
    expect(decide(ethtoolCoalesceRxUsecs, { micros: 8 }, throughput, fast)).toMatchObject({
      value: { micros: 61 },
    });
    expect(decide(ethtoolCoalesceRxUsecs, { micros: 8 }, throughput)).toMatchObject({
      value: { micros: 100 },
    });
    expect(decide(ethtoolCoalesceRxUsecs, { micros: 200 }, throughput).kind).toBe("leave");
    expect(
      decide(ethtoolCoalesceRxUsecs, { micros: 8 }, throughput, { speedMbitPerSec: null }).because,
    ).toContain("speed is not known");
  });

  it("takes a value that the hardware rounded, but no other, and none for 0", () => {
    const isSatisfied = ethtoolCoalesceRxUsecs.isSatisfied?.bind(ethtoolCoalesceRxUsecs);
    expect(isSatisfied?.({ micros: 60 }, { micros: 61 })).toBe(true);
    expect(isSatisfied?.({ micros: 32 }, { micros: 61 })).toBe(false);
    expect(isSatisfied?.({ micros: 1 }, { micros: 0 })).toBe(false);
    expect(ethtoolCoalesceRxUsecs.value.parse(20)).toEqual({ micros: 20 });
    expect(ethtoolCoalesceRxUsecs.value.safeParse(-1).success).toBe(false);
  });
});

describe("ethtool.coalesce.tx-usecs", () => {
  it("is left at the 0 of a driver whose queues share the receive interrupt", () => {
    expect(decide(ethtoolCoalesceTxUsecs, { micros: 0 }, { preset: "throughput" }).kind).toBe("leave");
    expect(decide(ethtoolCoalesceTxUsecs, { micros: 0 }, { preset: "latency" }).kind).toBe("leave");
    expect(decide(ethtoolCoalesceTxUsecs, { micros: 64 }, { preset: "latency" })).toMatchObject({
      value: { micros: 10 },
    });
  });
});
