import { mkdtemp, readFile, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import path from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { execa } from "execa";
import * as z from "zod";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { AMOUNTS } from "./amounts.ts";
import {
  KEYS,
  type Measured,
  type Measurement,
  measuredOf,
  measurementSchema,
  medianText,
  SHOWN,
} from "../process-measurement.ts";
import { ratioSpreadOf, spreadOf } from "../spread.ts";
import { NAMES, RESULT, saveRun, type Side } from "./result.ts";

/**
 * What a report by team and day on a month of a large organization costs beside DuckDB's plain sum of the same columns,
 * beside its sum of decimals by more of what tells lines apart, beside its sum of the amounts alone, beside a streaming
 * JavaScript reader and beside a dataframe. The report is the command as a person runs it: it hashes the files, checks
 * every line, splits, amortizes and balances; the others only add. Each runs as a program of its own, one after the other
 * in every round.
 */

const reportSchema = z.object({
  source: z.object({ lines: z.int(), bytes: z.int() }),
  currencies: z.tuple([
    z.object({ balance: z.object({ balanced: z.literal(true), bill: z.object({ billed: z.string() }) }) }),
  ]),
});

const ROOT = path.resolve(import.meta.dirname, "../..");

/** Of one program on a busy machine. */
const LIMIT_MILLIS = 3_600_000;

/** Doubles are added in no certain order; exact sums are not. */
const LARGEST_DIFFERENCE = 1e-9;

interface Options {
  readonly rows: number;
  readonly rounds: number;
  readonly input?: string;
  readonly python?: string;
  readonly stream: boolean;
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

/** What a side is told: where the bill is, where its sum goes, where its measurement. */
interface Task {
  readonly bill: string;
  readonly out: string;
  readonly scratch: string;
}

async function measuredDataframe(python: string, { bill, out, scratch }: Task): Promise<Measurement> {
  const file = path.join(scratch, "measurement.json");
  await execa(python, ["bench/cost/dataframe_sum.py", bill, out, file, ...AMOUNTS], {
    cwd: ROOT,
    timeout: LIMIT_MILLIS,
  });
  return parseContract(measurementSchema, JSON.parse(await readFile(file, "utf8")), file);
}

async function run(side: Side, task: Task, python: string): Promise<Measurement> {
  if (side === "dataframe") return await measuredDataframe(python, task);
  const { bill, out, scratch } = task;
  const report = ["cli/bedplate.ts", "cost", "report", "--input", bill, "--format", "json", "--out", out];
  const programs: Readonly<Record<Exclude<Side, "dataframe">, readonly string[]>> = {
    report: [...report, "--daily"],
    teams: report,
    columns: ["bench/cost/bare-sum.ts", bill, out, "columns"],
    exact: ["bench/cost/bare-sum.ts", bill, out, "exact"],
    amounts: ["bench/cost/bare-sum.ts", bill, out, "amounts"],
    stream: ["bench/cost/stream-sum.ts", bill, out],
  };
  return await measured(scratch, programs[side]);
}

function render(
  lines: number,
  bytes: number,
  rounds: number,
  sides: ReadonlyMap<Side, Measured>,
  ratios: ReadonlyMap<Side, Measured>,
): string {
  const rows = [...sides].map(([side, spreads]) => {
    const ratio = ratios.get(side);
    const cells = KEYS.map((key) => `${SHOWN[key]} ${medianText(key, spreads[key])}`.padEnd(18));
    const times = ratio === undefined ? "" : `report's CPU is ${ratio.cpuMillis.median.toFixed(2)} times`;
    return `  ${NAMES[side].padEnd(26)}${cells.join("")}${times}`;
  });
  return [
    `${lines} lines, ${Math.round(bytes / 2 ** 20)} MiB of Parquet, median of ${rounds} ${rounds === 1 ? "round" : "rounds"}`,
    ...rows,
  ].join("\n");
}

async function bench({ rows, rounds, input, python, stream, save }: Options): Promise<void> {
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
    const sides: readonly Side[] = [
      "columns",
      "report",
      "teams",
      "exact",
      "amounts",
      ...(stream ? (["stream"] as const) : []),
      ...(python === undefined ? [] : (["dataframe"] as const)),
    ];
    const outOf = (side: Side): string => path.join(scratch, `${side}.out`);
    const measurements = new Map<Side, Measurement[]>(sides.map((side) => [side, []]));
    const [loadAtStart = NaN] = loadavg();
    for (let round = 1; round <= rounds; round += 1) {
      for (const side of sides) {
        const taken = await run(side, { bill, out: outOf(side), scratch }, python ?? "");
        measurements.get(side)?.push(taken);
        process.stderr.write(`round ${round} of ${rounds}: ${NAMES[side]}\n`);
      }
    }
    const readReport = async (side: Side) =>
      reportSchema.parse(JSON.parse(await readFile(outOf(side), "utf8")));
    const { source, currencies } = await readReport("report");
    const billed = Number(currencies[0].balance.bill.billed);
    for (const side of sides.filter((one) => one !== "report")) {
      const sum = Number(
        side === "teams"
          ? (await readReport(side)).currencies[0].balance.bill.billed
          : await readFile(outOf(side), "utf8"),
      );
      if (Math.abs(billed - sum) > Math.abs(sum) * LARGEST_DIFFERENCE) {
        throw new Error(`The report is of ${billed} and ${NAMES[side]} of ${sum}: not the same lines`);
      }
    }
    const column = (side: Side, key: keyof Measurement) =>
      (measurements.get(side) ?? []).map((one) => one[key]);
    const spreads = new Map(sides.map((side) => [side, measuredOf((key) => spreadOf(column(side, key)))]));
    const ratios = new Map(
      sides
        .filter((side) => side !== "report")
        .map((side) => [side, measuredOf((key) => ratioSpreadOf(column("report", key), column(side, key)))]),
    );
    process.stdout.write(`${render(source.lines, source.bytes, rounds, spreads, ratios)}\n`);
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
      loadAverage: { atStart: loadAtStart, atEnd: loadavg()[0] ?? NaN },
      sides: Object.fromEntries(spreads),
      reportToOther: Object.fromEntries(ratios),
    };
    await saveRun(kept);
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
  .description(
    "what a report on a large month costs, as a ratio to DuckDB's plain sum of the same columns and to others",
  )
  .option("--rows <count>", "lines of the generated month", wholeNumber(1000, 1_000_000_000), 40_000_000)
  .option("--input <folder>", "a generated CUR 2.0 month in Parquet that is there already")
  .option("--rounds <count>", "measured rounds", wholeNumber(1, 100), 3)
  .option("--python <program>", "a Python that has polars, for the dataframe; left out otherwise")
  .option("--no-stream", "without the JavaScript reader, which takes minutes")
  .option("--save", "keep the result in bench/cost/result.json")
  .addHelpText(
    "after",
    `
40 million lines take 3 GB below the system's temporary folder, some minutes to generate, and some more for the
JavaScript reader. For the dataframe: python3 -m venv DIR && DIR/bin/pip install polars==2.1.0

Examples:
  $ npm run bench:cost -- --rows 1000000
  $ npm run bench:cost -- --python DIR/bin/python --save`,
  )
  .action(bench)
  .parseAsync();
