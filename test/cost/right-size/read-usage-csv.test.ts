import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readUsageCsv } from "../../../cost/right-size/read-usage-csv.ts";
import { isUsageMetric, metricSpec } from "../../../cost/right-size/usage-metrics.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { scratchFolder } from "../report/scratch-folder.ts";
import { MIB, series, START_SECONDS, usageCsv } from "./usage-fixture.ts";

const write = scratchFolder();
const SERIES = [
  series("cpu_cores", 1, (day) => 1 + day),
  series("memory_bytes", 1, () => 700 * MIB),
  series("gpu_sm_active_share", 1, () => 0.25, { device: "GPU-5b1a", gpuModel: "NVIDIA L4" }),
];
const TEXT = usageCsv(SERIES);

async function faultsOf(text: string): Promise<readonly string[]> {
  try {
    await readUsageCsv(write("use.csv", text));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.faults.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

describe("readUsageCsv()", () => {
  it("reads what was written, in whatever order its lines and columns are", async () => {
    const usage = await readUsageCsv(write("use.csv", TEXT));
    expect(usage.series).toEqual(SERIES.map(({ metric, ...rest }) => ({ ...rest, metric })));
    expect(usage.window).toEqual({
      firstSeconds: START_SECONDS,
      lastSeconds: START_SECONDS + 287 * 300,
      stepSeconds: 300,
    });
    const [header = "", ...lines] = TEXT.trimEnd().split("\n");
    const reversed = [header, ...lines.toReversed()].map((line) => line.split(",").toReversed().join(","));
    const again = await readUsageCsv(write("reversed.csv", `\u{FEFF}${reversed.join("\r\n")}\r\n`));
    expect(again.series.toReversed()).toEqual(usage.series);
  });

  it("names every fault with its line", async () => {
    const line = "2026-07-01T00:00:00Z,ns,Deployment,d,p,c,cpu_cores,1";
    const header = "time,namespace,owner_kind,owner,pod,container,metric,value";
    expect(
      await faultsOf(
        `${[
          header,
          line,
          line,
          line.replace("cpu_cores", "cpu"),
          line.replace("2026-07-01T00:00:00Z", "July"),
          line.replace(",p,", ",,"),
          line.replace(",1", ",NaN"),
          `${line},more`,
          line.replace("cpu_cores", "gpu_sm_active_share"),
        ].join("\n")}\n`,
      ),
    ).toEqual([
      expect.stringContaining('line 4: metric "cpu" is none of cpu_cores'),
      expect.stringContaining('line 5: time "July"'),
      expect.stringContaining('line 6: pod "" is no name'),
      expect.stringContaining('line 7: cpu_cores "NaN" is no number'),
      "line 8: has 9 fields, the header 8",
      expect.stringContaining("line 9: gpu_sm_active_share is of one GPU"),
      "line 3: cpu_cores of pod p has this time in line 2 already",
    ]);
    expect(await faultsOf(`${header.replace("value", "amount")}\n${line}\n`)).toEqual([
      'line 1: unknown column "amount"',
      "line 1: the column value is missing",
    ]);
    expect(await faultsOf(TEXT.slice(0, -3))).toEqual([expect.stringContaining("may have been cut short")]);
    expect(await faultsOf("")).toContainEqual(": is empty");
    expect(await faultsOf(`${header}\n`)).toEqual([": has a header and no lines"]);
    expect(await faultsOf(`${header}\n"${"x".repeat(100_000)}\n`)).toEqual([
      expect.stringContaining("no CSV"),
    ]);
    await expect(readUsageCsv("/nowhere/use.csv")).rejects.toThrow(InputError);
    await expect(readUsageCsv(import.meta.dirname)).rejects.toThrow(InputError);
  });

  it("names fifty faults and counts the rest", async () => {
    const faults = await faultsOf(TEXT.replaceAll("cpu_cores", "cpu_core"));
    expect(faults.length).toBe(51);
    expect(faults.at(-1)).toBe(": and 238 faults more");
  });

  it("refuses a mutated file or reads sound numbers, never anything else", async () => {
    const small = usageCsv([
      series("cpu_cores", 1, (_, index) => (index < 6 ? 1.5 : undefined)),
      ...SERIES.slice(2),
    ])
      .split("\n")
      .slice(0, 12)
      .join("\n");
    const mutation = fc.tuple(
      fc.nat(small.length),
      fc.nat(12),
      fc.oneof(
        fc.string({ maxLength: 8 }),
        fc.constantFrom('"', ",", "\n", "\r", "\0", "1e99", "-1", "\u{FEFF}"),
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), async (mutations) => {
        const text = mutations.reduce(
          (all, [at, cut, put]) => all.slice(0, at) + put + all.slice(at + cut),
          small,
        );
        const usage = await readUsageCsv(write("mutated.csv", `${text}\n`)).catch((error: unknown) => {
          if (error instanceof InputError) return undefined;
          throw error;
        });
        for (const { metric, points } of usage?.series ?? []) {
          expect(isUsageMetric(metric)).toBe(true);
          for (const { atSeconds, value } of points) {
            expect(Number.isFinite(atSeconds)).toBe(true);
            expect(value).toBeGreaterThanOrEqual(0);
            expect(value).toBeLessThanOrEqual(metricSpec(metric).max);
          }
        }
      }),
      { numRuns: 600 },
    );
  });
});
