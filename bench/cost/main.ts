import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import path from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { execa } from "execa";
import * as z from "zod";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { type Spread, ratioSpreadOf, spreadOf } from "../agent/spread.ts";

/**
 * What a report on a month of a large organization costs beside DuckDB's plain sum of the same columns. The report is
 * the command as a person runs it: it hashes the files, checks every line, splits, amortizes and balances. Both run as
 * programs of their own, one after the other in every round.
 */

const measurementSchema = z.strictObject({
  wallMillis: z.number(),
  cpuMillis: z.number(),
  peakMemoryKiB: z.number(),
});
type Measurement = z.output<typeof measurementSchema>;
type Side = "report" | "sum";

const reportSchema = z.object({
  source: z.object({ lines: z.int(), bytes: z.int() }),
  currencies: z.tuple([
    z.object({ balance: z.object({ balanced: z.literal(true), bill: z.object({ billed: z.string() }) }) }),
  ]),
});

const SHOWN = { wallMillis: "wall", cpuMillis: "CPU", peakMemoryKiB: "memory" } as const;
const KEYS = Object.keys(SHOWN) as (keyof Measurement)[];
const ROOT = path.resolve(import.meta.dirname, "../..");
const RESULT = path.join(import.meta.dirname, "result.json");

/** Of one program on a busy machine. */
const LIMIT_MILLIS = 3_600_000;

/** Doubles are added in no certain order; exact sums are not. */
const LARGEST_DIFFERENCE = 1e-9;

interface Options {
  readonly rows: number;
  readonly rounds: number;
  readonly input?: string;
  readonly save?: boolean;
}

async function bedplate(...args: string[]): Promise<void> {
  await execa("node", ["cli/bedplate.ts", ...args], { cwd: ROOT, timeout: LIMIT_MILLIS });
}

async function measured(scratch: string, program: readonly string[]): Promise<Measurement> {
  const file = path.join(scratch, "measurement.json");
  await execa("node", ["--import", path.join(ROOT, "bench/environments/measure-process.ts"), ...program], {
    cwd: ROOT,
    env: { BEDPLATE_MEASURE_FILE: file },
    timeout: LIMIT_MILLIS,
  });
  return parseContract(measurementSchema, JSON.parse(await readFile(file, "utf8")), file);
}

function render(
  lines: number,
  bytes: number,
  rounds: number,
  sides: Readonly<Record<Side | "ratio", Record<keyof Measurement, Spread>>>,
): string {
  return [
    `${lines} lines, ${Math.round(bytes / 2 ** 20)} MiB of Parquet, median of ${rounds} rounds`,
    ...KEYS.map((key) => {
      const isMemory = key === "peakMemoryKiB";
      const scaled = ({ median }: Spread) =>
        `${(median / (isMemory ? 1024 : 1000)).toFixed(1)} ${isMemory ? "MiB" : "s"}`;
      const { median, min, max } = sides.ratio[key];
      return `  ${SHOWN[key].padEnd(7)} report ${scaled(sides.report[key])}, sum ${scaled(sides.sum[key])}: ${median.toFixed(2)} times (${min.toFixed(2)} to ${max.toFixed(2)})`;
    }),
  ].join("\n");
}

async function bench({ rows, rounds, input, save }: Options): Promise<void> {
  const scratch = await mkdtemp(path.join(tmpdir(), "bedplate-bench-cost-"));
  try {
    const bill = input ?? path.join(scratch, "bill");
    if (input === undefined) {
      process.stderr.write(`generating ${rows} lines\n`);
      await bedplate(
        "cost",
        "generate",
        "--rows",
        String(rows),
        "--kind",
        "cur2",
        "--format",
        "parquet",
        "--month",
        "2026-07",
        "--seed",
        "1",
        "--out",
        bill,
      );
    }
    const reportFile = path.join(scratch, "report.json");
    const sumFile = path.join(scratch, "sum.txt");
    const measurements: Record<Side, Measurement[]> = { report: [], sum: [] };
    for (let round = 1; round <= rounds; round += 1) {
      const report = [
        "cli/bedplate.ts",
        "cost",
        "report",
        "--input",
        bill,
        "--format",
        "json",
        "--out",
        reportFile,
      ];
      measurements.sum.push(await measured(scratch, ["bench/cost/bare-sum.ts", bill, sumFile]));
      measurements.report.push(await measured(scratch, report));
      process.stderr.write(`round ${round} of ${rounds}\n`);
    }
    const { source, currencies } = reportSchema.parse(JSON.parse(await readFile(reportFile, "utf8")));
    const billed = Number(currencies[0].balance.bill.billed);
    const sum = Number(await readFile(sumFile, "utf8"));
    if (Math.abs(billed - sum) > Math.abs(sum) * LARGEST_DIFFERENCE) {
      throw new Error(`The report is of ${billed} and the plain sum of ${sum}: not the same lines`);
    }
    const over = (spread: (key: keyof Measurement) => Spread) =>
      Object.fromEntries(KEYS.map((key) => [key, spread(key)])) as Record<keyof Measurement, Spread>;
    const column = (side: Side, key: keyof Measurement) => measurements[side].map((one) => one[key]);
    const sides = {
      report: over((key) => spreadOf(column("report", key))),
      sum: over((key) => spreadOf(column("sum", key))),
      ratio: over((key) => ratioSpreadOf(column("report", key), column("sum", key))),
    };
    process.stdout.write(`${render(source.lines, source.bytes, rounds, sides)}\n`);
    if (save !== true) return;
    const machine = {
      node: process.version,
      logicalCpus: cpus().length,
      cpuModel: cpus()[0]?.model ?? null,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
    };
    const kept = {
      measuredAt: new Date().toISOString().slice(0, 10),
      machine,
      lines: source.lines,
      bytes: source.bytes,
      rounds,
      ...sides,
    };
    await writeFile(RESULT, `${JSON.stringify(kept, null, 2)}\n`);
    process.stderr.write(`kept in ${path.relative(process.cwd(), RESULT)}\n`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`A whole number from ${least} to ${most}`);
  };
}

await new Command("bench:cost")
  .description("what a report on a large month costs, as a ratio to DuckDB's plain sum of the same columns")
  .option("--rows <count>", "lines of the generated month", wholeNumber(1000, 1_000_000_000), 40_000_000)
  .option("--input <folder>", "a generated CUR 2.0 month in Parquet that is there already")
  .option("--rounds <count>", "measured rounds", wholeNumber(1, 100), 3)
  .option("--save", "keep the result in bench/cost/result.json")
  .addHelpText(
    "after",
    `
40 million lines take 3 GB below the system's temporary folder, and some minutes to generate.

Examples:
  $ npm run bench:cost -- --rows 1000000
  $ npm run bench:cost -- --save`,
  )
  .action(bench)
  .parseAsync();
