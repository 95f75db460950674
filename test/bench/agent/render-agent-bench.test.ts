import { describe, expect, it } from "vitest";
import { type AgentBench, agentBenchSchema, renderAgentBenchJson } from "../../../bench/agent/agent-bench.ts";
import { COMPARISONS, ratiosOf, totalsOf } from "../../../bench/agent/comparisons.ts";
import { FAMILIES } from "../../../bench/agent/contenders.ts";
import { renderAgentBench } from "../../../bench/agent/render-agent-bench.ts";

/** Every step of Bedplate takes `bedplateMillis`, every step of the others 1000 ms; the second round is twice as slow. */
function benchOf(bedplateMillis: number): AgentBench {
  return {
    kind: "AgentBench",
    measuredAt: "2026-11-21T15:00:00.000Z",
    durationSeconds: 600,
    rounds: 2,
    machine: { cpuModel: "A CPU", cpuCount: 2, accelerator: "tcg", loadBefore: 0.5, loadByRound: [1.5, 2] },
    guest: {
      debianRelease: "bookworm",
      kernelRelease: "6.1.0-56-amd64",
      systemdVersion: "252",
      tunedVersion: "2.20.0-1",
      pythonVersion: "3.11.2",
      nodeVersion: "24.21.0",
      cpuCount: 4,
      memoryMiB: 2048,
    },
    agent: { version: "0.1.0", archiveSha256: "0".repeat(64) },
    contenders: FAMILIES.flat().map(({ id, title, steps }) => ({
      id,
      title,
      steps: steps.map(({ name, command }) => ({
        name,
        command: command.join(" "),
        samples: [1, 2].map((round) => {
          const millis = (id.startsWith("bedplate") ? bedplateMillis : 1000) * round;
          return { wallMillis: millis, cpuMillis: millis, maxRssKiB: 2048, peakCgroupKiB: 1024 };
        }),
      })),
      changedFiles: 12,
      checkedSettings: id === "tuned" ? 7 : null,
      leftBehind: id === "tuned-one-shot" ? ["/proc/sys/vm/dirty_ratio"] : [],
      residents: id === "tuned" ? [{ name: "tuned", rssKiB: 28 * 1024 }] : [],
    })),
    notMeasured: [{ name: "another", because: "it is not there" }],
  };
}

describe("totalsOf()", () => {
  it("adds times and takes the largest peak, round by round", () => {
    expect(totalsOf(benchOf(600), { contender: "bedplate", steps: ["apply", "verify"] })).toEqual([
      { wallMillis: 1200, cpuMillis: 1200, maxRssKiB: 2048, peakCgroupKiB: 1024 },
      { wallMillis: 2400, cpuMillis: 2400, maxRssKiB: 2048, peakCgroupKiB: 1024 },
    ]);
  });

  it("fails on a step that was not measured", () => {
    expect(() => totalsOf(benchOf(1), { contender: "tuned", steps: ["heal"] })).toThrow(
      "No round 1 of tuned, heal",
    );
  });
});

describe("ratiosOf()", () => {
  it("compares two of Bedplate's steps with three of TuneD's", () => {
    const { wall, maxRss } = ratiosOf(benchOf(300), COMPARISONS[0]);
    expect(wall).toEqual({ median: 0.2, min: 0.2, max: 0.2 });
    expect(maxRss.median).toBe(1);
  });

  it("knows every contender and step that it compares", () => {
    for (const comparison of COMPARISONS) expect(() => ratiosOf(benchOf(1), comparison)).not.toThrow();
  });
});

describe("renderAgentBench()", () => {
  it("says whether the aim is reached, whatever the answer", () => {
    expect(renderAgentBench(benchOf(300)).replaceAll("\n", " ")).toContain("It is reached: 0.20.");
    expect(renderAgentBench(benchOf(3000)).replaceAll("\n", " ")).toContain("It is not reached: 2.00.");
  });

  it("has a section for every contender, and what stays of it", () => {
    const page = renderAgentBench(benchOf(300));
    for (const { title } of FAMILIES.flat()) expect(page).toContain(`### ${title}\n`);
    expect(page).toMatch(/\| TuneD with its daemon, warm +\| +12 \| +7 \| +0 \| +tuned 28 MiB \|/);
    expect(page).toMatch(/\| TuneD one-shot, warm +\| +12 \| +- \| +1 \| +nothing \|/);
    expect(page).toContain("Not measured: another: it is not there.");
  });

  it("fits a terminal of 100 columns", () => {
    const lines = renderAgentBench(benchOf(30_000)).split("\n");
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
  });

  it("does not claim that nothing stays where something does", () => {
    const bench = benchOf(1);
    const leaking = bench.contenders.map((contender) =>
      contender.id === "bedplate" ? { ...contender, residents: [{ name: "node", rssKiB: 1 }] } : contender,
    );
    expect(renderAgentBench({ ...bench, contenders: leaking })).toContain("Bedplate leaves resident: node.");
  });
});

describe("renderAgentBenchJson()", () => {
  it("gives the result back, one line for each sample", () => {
    const bench = benchOf(250.5);
    const text = renderAgentBenchJson(bench);
    expect(agentBenchSchema.parse(JSON.parse(text))).toEqual(bench);
    expect(text).toContain(
      '{ "wallMillis": 250.5, "cpuMillis": 250.5, "maxRssKiB": 2048, "peakCgroupKiB": 1024 }',
    );
  });
});
