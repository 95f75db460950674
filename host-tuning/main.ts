#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { agentVersion } from "./agent-version.ts";
import { EXIT_CODE } from "./exit-code.ts";
import { addAgentVerbs } from "./verbs/agent-program.ts";

// The reader of a pipe (head, less) may leave before we are done.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

const program = new Command("bedplate")
  .description("Tunes this host for the MCP servers on it, verifies every change and can take it back")
  .version(agentVersion)
  .showHelpAfterError()
  .exitOverride()
  .addHelpText(
    "after",
    `
Examples:
  $ bedplate plan                  what would change here, and why
  $ bedplate apply                 change it, read it back, report
  $ bedplate status                what is changed, and is it still in force
  $ bedplate rollback              put everything back

Exit codes: 0 as wanted, 1 something failed, 2 bad input, 3 drift or a stale plan, 4 reboot needed`,
  );
addAgentVerbs(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has said what is wrong already; asking for help is no fault.
  process.exitCode = error.exitCode === 0 ? EXIT_CODE.asWanted : EXIT_CODE.badInput;
}
