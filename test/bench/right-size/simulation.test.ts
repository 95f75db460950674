import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type SimulatedWorkload, simulateCluster, STEPS_PER_DAY } from "../../../bench/right-size/demand.ts";
import {
  highestAndAFifth,
  krrTarget,
  RECOMMENDERS,
  vpaTarget,
} from "../../../bench/right-size/recommenders.ts";
import { type Requests, runRequests, windowOf } from "../../../bench/right-size/run-requests.ts";
import { simulate, totalUsd } from "../../../bench/right-size/simulate.ts";
import { simulationSchema } from "../../../bench/right-size/simulation-results.ts";
import { type ContainerUsage, containersOf } from "../../../cost/right-size/container-usage.ts";
import { REQUEST_POLICY } from "../../../cost/right-size/recommend-requests.ts";

const GIB = 1024 ** 3;
const RESULTS = path.resolve(import.meta.dirname, "../../../bench/right-size/results");
const HARM = { usdPerOomKill: 5, usdPerThrottledPodHour: 1 };

/** One pod with given steps of demand. */
function onePod(cpu: readonly number[], memory: readonly number[], leak = 0): SimulatedWorkload {
  return {
    name: "one",
    kind: leak > 0 ? "leaking" : "steady",
    requested: { cpuCores: 1, memoryBytes: GIB },
    cpuCores: [Float64Array.from(cpu)],
    memoryBytes: [Float64Array.from(memory)],
    leakBytesPerStep: leak,
  };
}

/** What monitoring saw of a steady day and of `kills` in it. */
function seenUnder(requests: Requests, kills: number): ContainerUsage {
  const steps = STEPS_PER_DAY;
  const workload = onePod(
    Array.from({ length: steps }, () => 1),
    Array.from({ length: steps }, (_, step) => (step >= steps - kills ? 9 * GIB : GIB)),
  );
  const { series } = runRequests(workload, requests, 0, steps);
  const window = windowOf(0, steps - 1);
  const [container] = containersOf({ source: "test", window, series, notes: [] });
  if (container === undefined) throw new TypeError("saw no container");
  return container;
}

describe("simulateCluster()", () => {
  it("gives the same cluster for the same seed, another for another", () => {
    expect(simulateCluster(7, 1)).toEqual(simulateCluster(7, 1));
    expect(simulateCluster(7, 1)).not.toEqual(simulateCluster(8, 1));
  });
});

describe("runRequests()", () => {
  it("counts each step above the CPU limit and each kill, and shows monitoring no more than the limits", () => {
    const workload = onePod([0.5, 1.5, 2, 1], [GIB, GIB / 2, 2 * GIB, 3 * GIB]);
    const outcome = runRequests(workload, { cpuCores: 1, memoryBytes: GIB }, 0, 4);
    expect(outcome).toMatchObject({ oomKills: 2, throttledPodSteps: 2, podSteps: 4 });
    const seen = (metric: string): readonly number[] =>
      outcome.series
        .filter((one) => one.metric === metric)
        .flatMap(({ points }) => points.map(({ value }) => value));
    expect(seen("cpu_cores")).toEqual([0.5, 1, 1, 1]);
    expect(Math.max(...seen("memory_bytes"))).toBe(GIB);
    expect(seen("oom_kills")).toEqual([1, 1]);
  });

  it("takes back with a kill what had leaked", () => {
    const flat = Array.from({ length: 8 }, () => GIB);
    // A quarter of a GiB a step over a limit of 1.6 GiB: killed at its third step of growth, and again.
    const workload = onePod(flat, flat, GIB / 4);
    expect(runRequests(workload, { cpuCores: 9, memoryBytes: 1.6 * GIB }, 0, 8).oomKills).toBe(2);
  });
});

describe("recommenders", () => {
  const window = windowOf(0, STEPS_PER_DAY - 1);

  it("have the margins that their documentation has, within a bucket of a histogram", () => {
    const seen = seenUnder({ cpuCores: 4, memoryBytes: 4 * GIB }, 0);
    const vpa = vpaTarget(seen, window);
    expect(vpa.cpuCores / 1.15).toBeGreaterThanOrEqual(1);
    expect(vpa.cpuCores / 1.15).toBeLessThan(1.06);
    expect(vpa.memoryBytes / 1.15 / GIB).toBeGreaterThanOrEqual(1);
    expect(vpa.memoryBytes / 1.15 / GIB).toBeLessThan(1.06);
    expect(krrTarget(seen, false)).toEqual({ cpuCores: 1, memoryBytes: GIB * 1.15 });
    expect(highestAndAFifth(seen)).toEqual({ cpuCores: 1.2, memoryBytes: GIB * 1.2 });
  });

  it("never let VPA's kills add up: ten of a window raise as one does", () => {
    const requests = { cpuCores: 4, memoryBytes: 2 * GIB };
    const one = vpaTarget(seenUnder(requests, 1), window).memoryBytes;
    expect(one / GIB).toBeGreaterThan(2.4);
    expect(vpaTarget(seenUnder(requests, 10), window).memoryBytes).toBe(one);
    expect(krrTarget(seenUnder(requests, 1), true).memoryBytes).toBe(2.5 * GIB);
  });

  it("are all beaten by the one that knows the demand", () => {
    const totals = new Map(
      RECOMMENDERS.map((recommender) => {
        const outcome = simulate(1, recommender, HARM);
        if (recommender.id === "clairvoyant") expect(outcome.oomKills).toBe(0);
        return [recommender.id, totalUsd(outcome, HARM)];
      }),
    );
    expect(Math.min(...totals.values())).toBe(totals.get("clairvoyant"));
  });
});

describe("bench/right-size/results", () => {
  it("are of the policy that people get, on other seeds than it was tuned on", () => {
    const newest = readdirSync(RESULTS).toSorted().at(-1) ?? "";
    const simulation = simulationSchema.parse(JSON.parse(readFileSync(path.join(RESULTS, newest), "utf8")));
    expect(simulation.policy).toEqual(REQUEST_POLICY);
    expect(simulation.tuningSeeds.last).toBeLessThan(simulation.reportedSeeds.first);
    for (const { rows } of simulation.harms) {
      expect(rows.map(({ id }) => id)).toEqual(RECOMMENDERS.map(({ id }) => id));
    }
  });
});
