import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { Command, InvalidArgumentError } from "commander";
import type { EnvironmentInput } from "../../components/environment/environment-spec.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { answerAccountCalls } from "../../test/helpers/preview-environment.ts";
import { type ProgramArgs, type ProgramRun, runProgram } from "../../test/helpers/program-host.ts";
import { KEYS, type Measurement, measuredOf, measurementSchema, SHOWN } from "../process-measurement.ts";
import { ratioSpreadOf, spreadOf } from "../spread.ts";
import { awsEnvironment, sshEnvironment } from "./environments.ts";
import { type EnvironmentBench, RESULT, type Result, SIDES, type Side } from "./result.ts";

/**
 * What an environment's program costs beside registering the same resources bare: the same types, names and inputs, one
 * `new` each. All run in Pulumi's own program host against the same recorder, one after the other in every round, and
 * another one first in each.
 */

/** The registrations of a thousand hosts on a busy machine. */
const LIMIT_MILLIS = 300_000;

interface Options {
  readonly hosts: readonly number[];
  readonly pools: readonly number[];
  readonly rounds: number;
  readonly save?: boolean;
}

async function measured(
  folder: string,
  args: ProgramArgs,
): Promise<{ readonly run: ProgramRun; readonly measurement: Measurement }> {
  const file = path.join(folder, "measurement.json");
  const done = await runProgram({
    ...args,
    env: {
      ...args.env,
      BEDPLATE_MEASURE_FILE: file,
      NODE_OPTIONS: `--import=${path.join(import.meta.dirname, "measure-process.ts")}`,
    },
  });
  if (done.exitCode !== 0) {
    const errors = done.logs.filter((line) => line.severity === "error").map((line) => line.message);
    throw new Error(`The program ended with ${done.exitCode}: ${[...errors, done.stderr].join("\n")}`);
  }
  const text = await readFile(file, "utf8");
  return { run: done, measurement: parseContract(measurementSchema, JSON.parse(text), file) };
}

async function compare(folder: string, environment: EnvironmentInput, rounds: number): Promise<Result> {
  const environmentFile = path.join(folder, "environment.json");
  const bareFile = path.join(folder, "resources.json");
  await writeFile(environmentFile, JSON.stringify(environment));
  const base = {
    stack: environment.name,
    invoke: (token: string, args: Readonly<Record<string, unknown>>) =>
      token === "bedplate:index:lookAhead" ? { begun: 0 } : answerAccountCalls(token, args),
    timeoutMillis: LIMIT_MILLIS,
  };
  const config = { environmentFile, archiveManifest: "test/fixtures/archives/manifest.json" };
  const bare = { ...base, program: "bench/environments/bare-program.ts" };
  const listed = { BEDPLATE_BARE_RESOURCES: bareFile };
  const programs: Readonly<Record<Side, ProgramArgs>> = {
    program: { ...base, config },
    bare: { ...bare, env: listed },
    bareWithoutSourceMaps: { ...bare, env: { ...listed, BEDPLATE_BARE_WITHOUT_SOURCE_MAPS: "yes" } },
    inputsAlone: { ...bare, env: { ...listed, BEDPLATE_BARE_INPUTS_ALONE: "yes" } },
  };
  const first = await measured(folder, programs.program);
  const resources = first.run.resources.filter(({ type }) => type !== "pulumi:pulumi:Stack");
  // What a preview does not know is a text of the recorder's here, so that a bare resource has as many inputs.
  await writeFile(
    bareFile,
    JSON.stringify(resources.map(({ type, name, isCustom, inputs }) => ({ type, name, isCustom, inputs }))),
  );
  const taken: Record<Side, Measurement>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const turn = SIDES.map((_, index) => SIDES[(round + index) % SIDES.length] ?? SIDES[0]);
    const sides: [Side, Measurement][] = [];
    for (const side of turn) {
      const { run, measurement } = await measured(folder, programs[side]);
      if (run.resources.length !== first.run.resources.length) {
        throw new Error(`Registered ${run.resources.length} (${side}), not ${first.run.resources.length}`);
      }
      sides.push([side, measurement]);
    }
    taken.push(Object.fromEntries(sides) as Record<Side, Measurement>);
    process.stderr.write(`${environment.name}: round ${round + 1} of ${rounds}\n`);
  }
  const column = (side: Side, key: keyof Measurement) => taken.map((round) => round[side][key]);
  const of = (side: Side) => measuredOf((key) => spreadOf(column(side, key)));
  const programTo = (side: Side) =>
    measuredOf((key) => ratioSpreadOf(column("program", key), column(side, key)));
  return {
    environment: environment.name,
    resources: resources.length,
    rounds,
    program: of("program"),
    bare: of("bare"),
    bareWithoutSourceMaps: of("bareWithoutSourceMaps"),
    inputsAlone: of("inputsAlone"),
    ratioTo: {
      bare: programTo("bare"),
      bareWithoutSourceMaps: programTo("bareWithoutSourceMaps"),
      inputsAlone: programTo("inputsAlone"),
    },
  };
}

function render(results: readonly Result[]): string {
  return results
    .flatMap(({ environment, resources, rounds, program, ratioTo }) => [
      `${environment}: ${resources} resources, median of ${rounds} rounds, times that of`,
      `${" ".repeat(24)}bare               without source maps  inputs alone`,
      ...KEYS.map((key) => {
        const taken =
          key === "peakMemoryKiB"
            ? `${(program[key].median / 1024).toFixed(0)} MiB`
            : `${(program[key].median / 1000).toFixed(2)} s`;
        const ratios = Object.values(ratioTo).map((spreads) => {
          const { median, min, max } = spreads[key];
          return `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`.padEnd(19);
        });
        return `  ${SHOWN[key].padEnd(8)} ${taken.padStart(9)}    ${ratios.join("").trimEnd()}`;
      }),
    ])
    .join("\n");
}

async function bench({ hosts, pools, rounds, save }: Options): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "bedplate-bench-environments-"));
  const [loadBefore = NaN] = loadavg();
  try {
    const results: Result[] = [];
    for (const environment of [...hosts.map(sshEnvironment), ...pools.map(awsEnvironment)]) {
      results.push(await compare(folder, environment, rounds));
    }
    process.stdout.write(`${render(results)}\n`);
    if (save !== true) return;
    const machine = {
      node: process.version,
      logicalCpus: cpus().length,
      cpuModel: cpus()[0]?.model ?? null,
      load: { before: loadBefore, after: loadavg()[0] ?? NaN },
    };
    const kept: EnvironmentBench = { measuredAt: new Date().toISOString().slice(0, 10), machine, results };
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

/** Sizes of one kind of environment: `500,1000`. */
function sizes(most: number): (text: string) => readonly number[] {
  const size = wholeNumber(0, most);
  return (text) =>
    text
      .split(",")
      .map(size)
      .filter((count) => count > 0);
}

await new Command("bench:environments")
  .description("what the program of a large environment costs, as a ratio to registering its resources bare")
  .option("--hosts <counts>", "machines of the ssh environment; 0 leaves it out", sizes(50_000), [1000])
  .option("--pools <counts>", "pools of the AWS environment; 0 leaves it out", sizes(50), [50])
  .option("--rounds <count>", "measured rounds", wholeNumber(1, 100), 5)
  .option("--save", "keep the result in bench/environments/result.json")
  .addHelpText(
    "after",
    `
Needs no engine, no machine and no account: the program host records what is registered.
Bare is one \`new\` of the SDK's class each; without source maps the same as stacks/index.ts sets it; inputs alone the
least that a registration takes, without a class and its declared outputs.

Examples:
  $ npm run bench:environments
  $ npm run bench:environments -- --hosts 100 --pools 5 --rounds 1
  $ npm run bench:environments -- --hosts 500,1000,2000 --pools 25,50    whether it grows evenly
  $ npm run bench:environments -- --save`,
  )
  .action(bench)
  .parseAsync();
