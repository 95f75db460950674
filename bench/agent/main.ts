import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { LocalVmError } from "../../components/hosts/local-vm/local-vm.ts";
import { imageOptionsSchema, type ImageOptions } from "../../components/hosts/local-vm/vm-spec.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { runProgram } from "../../host-tuning/verbs/run-program.ts";
import { renderAgentBenchJson } from "./agent-bench.ts";
import { renderAgentBench } from "./render-agent-bench.ts";
import { saveResult } from "./results.ts";
import { runBench } from "./run-bench.ts";
import { MeasurementError } from "./unit-measurement.ts";

interface Options {
  readonly rounds: number;
  readonly suite: ImageOptions["suite"];
  readonly json?: boolean;
  readonly save?: boolean;
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= 100) return rounds;
  throw new InvalidArgumentError("A whole number from 1 to 100");
}

async function bench(options: Options): Promise<ExitCode> {
  const stop = new AbortController();
  // The VM is taken down before we go; a signal comes twice where npm passes on what its group was sent too.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
  const stateDir = await mkdtemp(join(tmpdir(), "bedplate-bench-"));
  try {
    const progress = (message: string): void => void process.stderr.write(`${message}\n`);
    const result = await runBench({ ...options, stateDir, progress, signal: stop.signal });
    process.stdout.write(
      options.json === true ? renderAgentBenchJson(result) : `${renderAgentBench(result)}\n`,
    );
    if (options.save === true) {
      const path = relative(process.cwd(), await saveResult(result));
      progress(`kept in ${path}; \`npm run generate\` renders docs/bench.md from it`);
    }
    return EXIT_CODE.asWanted;
  } catch (error) {
    if (stop.signal.aborted) process.stderr.write("bench:agent: stopped, nothing kept\n");
    else if (error instanceof MeasurementError || error instanceof LocalVmError) {
      process.stderr.write(`bench:agent: ${error.message}\n`);
    } else throw error;
    return error instanceof LocalVmError && error.code === "PART_MISSING"
      ? EXIT_CODE.badInput
      : EXIT_CODE.failed;
  } finally {
    await rm(stateDir, { recursive: true, force: true });
  }
}

const program = new Command("bench:agent")
  .description(
    "the agent against TuneD in one VM: wall time, CPU time and memory of apply and verify, and what stays resident",
  )
  .option("--rounds <count>", "measured rounds of every contender", parseRounds, 5)
  .addOption(
    new Option("--suite <release>", "Debian release of the VM, and with it the kernel and TuneD")
      .choices(imageOptionsSchema.shape.suite.unwrap().options)
      .default("bookworm"),
  )
  .option("--json", "print the AgentBench as JSON")
  .option("--save", "keep it in bench/agent/results under its day")
  .addHelpText(
    "after",
    `
Needs root, QEMU and mmdebstrap, and about three minutes a round under software emulation.

Examples:
  $ npm run bench:agent
  $ npm run bench:agent -- --rounds 1 --suite trixie
  $ npm run bench:agent -- --save && npm run generate`,
  )
  .action(async (options: Options) => {
    process.exitCode = await bench(options);
  });
await runProgram(program);
