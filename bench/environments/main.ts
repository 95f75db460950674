import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { Command, InvalidArgumentError } from "commander";
import * as z from "zod";
import type { EnvironmentInput } from "../../components/environment/environment-spec.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { answerAccountCalls } from "../../test/helpers/preview-environment.ts";
import { type ProgramRun, runProgram } from "../../test/helpers/program-host.ts";
import { UNKNOWN } from "../../test/helpers/program-values.ts";
import { type Spread, ratioSpreadOf, spreadOf } from "../agent/spread.ts";
import { awsEnvironment, sshEnvironment } from "./environments.ts";

/**
 * What an environment's program costs beside registering the same resources bare: the same types, names and inputs, one
 * `new` each. Both run in Pulumi's own program host against the same recorder, one after the other in every round.
 */

const measurementSchema = z.strictObject({
  wallMillis: z.number(),
  cpuMillis: z.number(),
  peakMemoryKiB: z.number(),
});
type Measurement = z.output<typeof measurementSchema>;

/** The registrations of a thousand hosts on a busy machine. */
const LIMIT_MILLIS = 300_000;
const SHOWN = { wallMillis: "wall", cpuMillis: "CPU", peakMemoryKiB: "memory" } as const;

interface Result {
  readonly environment: string;
  readonly resources: number;
  readonly rounds: number;
  readonly program: Readonly<Record<keyof Measurement, Spread>>;
  readonly bare: Readonly<Record<keyof Measurement, Spread>>;
  /** Program over bare, round by round. */
  readonly ratio: Readonly<Record<keyof Measurement, Spread>>;
}

interface Options {
  readonly hosts: number;
  readonly pools: number;
  readonly rounds: number;
  readonly save?: boolean;
}

const RESULT = path.join(import.meta.dirname, "result.json");

async function measured(
  folder: string,
  run: (env: Readonly<Record<string, string>>) => Promise<ProgramRun>,
): Promise<{ readonly run: ProgramRun; readonly measurement: Measurement }> {
  const file = path.join(folder, "measurement.json");
  const done = await run({
    BEDPLATE_MEASURE_FILE: file,
    NODE_OPTIONS: `--import=${path.join(import.meta.dirname, "measure-process.ts")}`,
  });
  if (done.exitCode !== 0) {
    const errors = done.logs.filter((line) => line.severity === "error").map((line) => line.message);
    throw new Error(`The program ended with ${done.exitCode}: ${[...errors, done.stderr].join("\n")}`);
  }
  const text = await readFile(file, "utf8");
  return { run: done, measurement: parseContract(measurementSchema, JSON.parse(text), file) };
}

/** Inputs as the recorder has them, but for what a preview does not know: a bare program has nothing to know it from. */
function isKnown(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isKnown);
  if (typeof value === "object" && value !== null) return Object.values(value).every(isKnown);
  return value !== UNKNOWN;
}

async function compare(folder: string, environment: EnvironmentInput, rounds: number): Promise<Result> {
  const environmentFile = path.join(folder, `${environment.name}.json`);
  const bareFile = path.join(folder, `${environment.name}-bare.json`);
  await writeFile(environmentFile, JSON.stringify(environment));
  const base = {
    stack: environment.name,
    invoke: (token: string, args: Readonly<Record<string, unknown>>) =>
      token === "bedplate:index:lookAhead" ? { begun: 0 } : answerAccountCalls(token, args),
    timeoutMillis: LIMIT_MILLIS,
  };
  const config = { environmentFile, archiveManifest: "test/fixtures/archives/manifest.json" };
  const ours = () => measured(folder, (env) => runProgram({ ...base, config, env }));
  const bare = () =>
    measured(folder, (env) =>
      runProgram({
        ...base,
        program: "bench/environments/bare-program.ts",
        env: { ...env, BEDPLATE_BARE_RESOURCES: bareFile },
      }),
    );
  const first = await ours();
  const resources = first.run.resources.filter(({ type }) => type !== "pulumi:pulumi:Stack");
  const listed = resources.map(({ type, name, isCustom, inputs }) => ({
    type,
    name,
    isCustom,
    inputs: Object.fromEntries(Object.entries(inputs).filter(([, value]) => isKnown(value))),
  }));
  await writeFile(bareFile, JSON.stringify(listed));
  const pairs: { readonly program: Measurement; readonly bare: Measurement }[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const { measurement: program } = await ours();
    const { run, measurement } = await bare();
    if (run.resources.length !== first.run.resources.length) {
      throw new Error(`Registered ${run.resources.length} bare, not ${first.run.resources.length}`);
    }
    pairs.push({ program, bare: measurement });
    process.stderr.write(`${environment.name}: round ${round} of ${rounds}\n`);
  }
  const keys = Object.keys(SHOWN) as (keyof Measurement)[];
  const over = (spread: (key: keyof Measurement) => Spread) =>
    Object.fromEntries(keys.map((key) => [key, spread(key)])) as Record<keyof Measurement, Spread>;
  const column = (side: "program" | "bare", key: keyof Measurement) => pairs.map((pair) => pair[side][key]);
  return {
    environment: environment.name,
    resources: resources.length,
    rounds,
    program: over((key) => spreadOf(column("program", key))),
    bare: over((key) => spreadOf(column("bare", key))),
    ratio: over((key) => ratioSpreadOf(column("program", key), column("bare", key))),
  };
}

function render(results: readonly Result[]): string {
  return results
    .flatMap(({ environment, resources, rounds, program, bare, ratio }) => [
      `${environment}: ${resources} resources, median of ${rounds} rounds`,
      ...(Object.keys(SHOWN) as (keyof Measurement)[]).map((key) => {
        const unit = key === "peakMemoryKiB" ? "MiB" : "s";
        const scaled = (value: number) => (value / (key === "peakMemoryKiB" ? 1024 : 1000)).toFixed(2);
        const { median, min, max } = ratio[key];
        return `  ${SHOWN[key].padEnd(7)} ${scaled(program[key].median)} ${unit}, bare ${scaled(bare[key].median)} ${unit}: ${median.toFixed(2)} times (${min.toFixed(2)} to ${max.toFixed(2)})`;
      }),
    ])
    .join("\n");
}

async function bench({ hosts, pools, rounds, save }: Options): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "bedplate-bench-environments-"));
  try {
    const results = [
      ...(hosts === 0 ? [] : [await compare(folder, sshEnvironment(hosts), rounds)]),
      ...(pools === 0 ? [] : [await compare(folder, awsEnvironment(pools), rounds)]),
    ];
    process.stdout.write(`${render(results)}\n`);
    if (save !== true) return;
    const machine = { node: process.version, logicalCpus: cpus().length, cpuModel: cpus()[0]?.model ?? null };
    const kept = { measuredAt: new Date().toISOString().slice(0, 10), machine, results };
    await writeFile(RESULT, `${JSON.stringify(kept, null, 2)}\n`);
    process.stderr.write(`kept in ${path.relative(process.cwd(), RESULT)}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`A whole number from ${least} to ${most}`);
  };
}

await new Command("bench:environments")
  .description("what the program of a large environment costs, as a ratio to registering its resources bare")
  .option("--hosts <count>", "machines of the ssh environment; 0 leaves it out", wholeNumber(0, 50_000), 1000)
  .option("--pools <count>", "pools of the AWS environment; 0 leaves it out", wholeNumber(0, 50), 50)
  .option("--rounds <count>", "measured rounds", wholeNumber(1, 100), 5)
  .option("--save", "keep the result in bench/environments/result.json")
  .addHelpText(
    "after",
    `
Needs no engine, no machine and no account: the program host records what is registered.

Examples:
  $ npm run bench:environments
  $ npm run bench:environments -- --hosts 100 --pools 5 --rounds 1
  $ npm run bench:environments -- --save`,
  )
  .action(bench)
  .parseAsync();
