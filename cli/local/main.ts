#!/usr/bin/env node
import { Command } from "commander";
import { runProgram } from "../../host-tuning/verbs/run-program.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { LocalVmError } from "../../components/hosts/local-vm/vm-error.ts";
import { callService } from "./call-service.ts";
import { bringUpLocal, takeDownLocal } from "./local-environment.ts";
import { PhaseClock } from "./phase-clock.ts";
import { renderSummary } from "./render-summary.ts";

/** Says what went wrong in one message; a missing part of this machine is the user's to install, not a defect. */
async function attempt(work: () => Promise<ExitCode>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    const isExpected = error instanceof InputError || error instanceof LocalVmError;
    const isInput =
      error instanceof InputError || (error instanceof LocalVmError && error.code === "PART_MISSING");
    process.exitCode = isInput ? EXIT_CODE.badInput : EXIT_CODE.failed;
    const text =
      error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error);
    process.stderr.write(`local: ${text}\n`);
  }
}

async function up(options: { readonly json?: boolean; readonly direct?: boolean }): Promise<ExitCode> {
  const clock = new PhaseClock();
  const environment = await bringUpLocal(clock, { direct: options.direct === true });
  const answers = await clock.run("tool call", () =>
    Promise.all(environment.machines.map((machine) => callService(machine.serviceUrl))),
  );
  const { phases, totalMillis } = clock;
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify({ ...environment, answers, phases, totalMillis }, null, 2)}\n`
      : renderSummary(environment, answers, phases, totalMillis),
  );
  const failed = environment.machines.reduce((sum, machine) => sum + machine.report.counts.failed, 0);
  return failed === 0 ? EXIT_CODE.asWanted : EXIT_CODE.failed;
}

async function down(options: { readonly purge?: boolean }): Promise<ExitCode> {
  const clock = new PhaseClock();
  await takeDownLocal(clock, { purge: options.purge === true });
  process.stdout.write(
    options.purge === true
      ? "The local environment and everything built for it are gone.\n"
      : "The local environment is gone. The image, the archives and the engine that were built are kept in\n.bedplate/cache for the next time; --purge removes them too.\n",
  );
  return EXIT_CODE.asWanted;
}

const program = new Command("local").description(
  "the local environment, end to end: a tuned QEMU machine that serves MCP, through the real Pulumi engine",
);
program
  .command("up", { isDefault: true })
  .description(
    "build what is missing, bring it up, call a tool of the service, print what was tuned and what it costs",
  )
  .option("--json", "print the result as JSON")
  .option("--direct", "start the same machine without the Pulumi engine")
  .action(async (options: { json?: boolean; direct?: boolean }) => attempt(() => up(options)));
program
  .command("down")
  .description("remove every trace: machines, disks, keys, the engine's state")
  .option("--purge", "remove the cache of what was built too")
  .action(async (options: { purge?: boolean }) => attempt(() => down(options)));
program.addHelpText(
  "after",
  `
Examples:
  $ npm run local
  $ npm run local -- up --json
  $ npm run local -- down`,
);
await runProgram(program);
