import { describe, expect, it } from "vitest";
import { containersOf, type UsageSeries } from "../../../cost/right-size/container-usage.ts";
import {
  recommendRequests,
  type RequestRecommendation,
  trendOf,
} from "../../../cost/right-size/recommend-requests.ts";
import { MIB, observed, series } from "./usage-fixture.ts";

function recommend(days: number, all: readonly UsageSeries[]): RequestRecommendation {
  const usage = observed(days, all);
  const [container, ...others] = containersOf(usage);
  if (container === undefined || others.length > 0) throw new Error("one container was expected");
  return recommendRequests(container, usage.window);
}

const steadyCpu = (cores: number): UsageSeries => series("cpu_cores", 14, () => cores);
const steadyMemory = (mib: number): UsageSeries => series("memory_bytes", 14, () => mib * MIB);

describe("recommendRequests()", () => {
  it("gives steady use its margin, to a bucket of 5 %", () => {
    const { cpuCores, memoryBytes, oomKills, isLeaking } = recommend(14, [steadyCpu(2), steadyMemory(1000)]);
    expect(cpuCores.target).toBeGreaterThanOrEqual(2 * 1.05);
    expect(cpuCores.target).toBeLessThan(2 * 1.4);
    expect(memoryBytes.target).toBeGreaterThanOrEqual(1000 * MIB * 1.05);
    expect(memoryBytes.target).toBeLessThan(1000 * MIB * 1.4);
    expect([cpuCores.confidence.level, memoryBytes.confidence.level]).toEqual(["high", "high"]);
    expect({ oomKills, isLeaking }).toEqual({ oomKills: 0, isLeaking: false });
  });

  it("holds the daily peak of CPU that lasts, and lets a minute of it pass", () => {
    const lasting = series("cpu_cores", 14, (day) => (day % 1 < 0.2 ? 4 : 1));
    const short = series("cpu_cores", 14, (_, index) => (index % 288 === 0 ? 40 : 1));
    expect(recommend(14, [lasting, steadyMemory(100)]).cpuCores.target).toBeGreaterThan(4);
    expect(recommend(14, [short, steadyMemory(100)]).cpuCores.target).toBeLessThan(2);
  });

  it("never puts memory below the highest peak that it saw in the week", () => {
    const burst = series("memory_bytes", 14, (_, index) => (index === 10 * 288 ? 3000 : 500) * MIB);
    expect(recommend(14, [steadyCpu(1), burst]).memoryBytes.target).toBeGreaterThan(3000 * MIB);
  });

  it("raises by what was there when it was killed, once and not again after the raise", () => {
    const kill = series("oom_kills", 14, (_, index) => (index === 288 ? 1 : undefined));
    const limit = series("memory_limit_bytes", 14, (day) => (day < 2 ? 1024 : 2048) * MIB);
    const { memoryBytes, oomKills } = recommend(14, [steadyCpu(1), steadyMemory(500), limit, kill]);
    expect(oomKills).toBe(1);
    // 1.2 x the 1024 MiB of that day, and not of the 2048 of today.
    expect(memoryBytes.target).toBeCloseTo(1024 * 1.2 * MIB, -3);
    const later = series("oom_kills", 14, (_, index) => (index === 12 * 288 ? 1 : undefined));
    const again = recommend(14, [steadyCpu(1), steadyMemory(500), limit, later]);
    expect(again.memoryBytes.target).toBeCloseTo(2048 * 1.2 * MIB, -3);
  });

  it("adds at least 100 MiB for a kill of something small", () => {
    const kill = series("oom_kills", 14, (_, index) => (index === 288 ? 1 : undefined));
    const limit = series("memory_limit_bytes", 14, () => 128 * MIB);
    const { memoryBytes } = recommend(14, [steadyCpu(1), steadyMemory(100), limit, kill]);
    expect(memoryBytes.target).toBeCloseTo(228 * MIB, -3);
  });

  it("steps up where the limit hid the use", () => {
    const throttled = series("cpu_throttled_share", 14, () => 0.4);
    const free = recommend(14, [steadyCpu(2), steadyMemory(100)]).cpuCores.target ?? 0;
    const held = recommend(14, [steadyCpu(2), steadyMemory(100), throttled]).cpuCores;
    expect(held.target).toBeCloseTo(free * 1.5, 6);
    expect(held.because.join()).toContain("held it back in 40 % of periods");
  });

  it("carries a steady growth a week ahead", () => {
    const growing = series("memory_bytes", 14, (day) => (1000 + 20 * day) * MIB);
    const { memoryBytes, isLeaking } = recommend(14, [steadyCpu(1), growing]);
    expect(isLeaking).toBe(false);
    expect(memoryBytes.target).toBeGreaterThan((1000 + 20 * 21) * MIB);
    expect(memoryBytes.because.join()).toContain("grows by");
  });

  it("calls a leak what grows in every pod and is back at its start in the next", () => {
    const lives = Array.from({ length: 7 }, (_, life) =>
      series(
        "memory_bytes",
        14,
        (day) => (Math.floor(day / 2) === life ? (500 + 200 * (day % 2)) * MIB : undefined),
        {
          pod: `mcp-service-${life}`,
        },
      ),
    );
    expect(recommend(14, [steadyCpu(1), ...lives]).isLeaking).toBe(true);
    // Growth that goes on across restarts is none.
    const ongoing = Array.from({ length: 7 }, (_, life) =>
      series(
        "memory_bytes",
        14,
        (day) => (Math.floor(day / 2) === life ? (500 + 200 * day) * MIB : undefined),
        {
          pod: `mcp-service-${life}`,
        },
      ),
    );
    expect(recommend(14, [steadyCpu(1), ...ongoing]).isLeaking).toBe(false);
  });

  it("says nothing of what was seen too shortly, and is unsure below a week", () => {
    const hours = recommend(1, [
      series("cpu_cores", 1, (day) => (day < 0.3 ? 1 : undefined)),
      series("memory_bytes", 1, () => MIB),
    ]);
    expect(hours.cpuCores.target).toBeUndefined();
    expect(hours.cpuCores.confidence).toMatchObject({ level: "none" });
    const days = recommend(3, [series("cpu_cores", 3, () => 1), series("memory_bytes", 3, () => MIB)]);
    expect(days.cpuCores.confidence).toMatchObject({
      level: "low",
      because: expect.stringContaining("no whole week"),
    });
    const gaps = recommend(14, [
      series("cpu_cores", 14, (day) => (day % 1 < 0.3 ? 1 : undefined)),
      series("memory_bytes", 14, () => MIB),
    ]);
    expect(gaps.cpuCores.confidence).toMatchObject({
      level: "low",
      because: expect.stringContaining("of the time was watched"),
    });
  });

  it("narrows its range with time, as VPA does", () => {
    const width = (days: number): number => {
      const { upper, target = 0 } = recommend(days, [
        series("cpu_cores", days, () => 1),
        series("memory_bytes", days, () => MIB),
      ]).cpuCores;
      return upper / target;
    };
    expect(width(2)).toBeCloseTo(1.5, 2);
    expect(width(14)).toBeCloseTo(1 + 1 / 14, 2);
  });
});

describe("trendOf()", () => {
  it("is not moved by one burst", () => {
    const days = Array.from({ length: 14 }, (_, day) => ({ day, value: day === 6 ? 900 : 100 + day }));
    expect(trendOf(days).perDay).toBeCloseTo(1, 1);
    expect(trendOf(days.map(({ day }) => ({ day, value: 100 + (day % 2) }))).isSteady).toBe(false);
  });
});
