import { type Command, CommanderError } from "commander";
import { agentVersion } from "../agent-version.ts";
import { EXIT_CODE } from "../exit-code.ts";

/** Parses the command line and runs the verb it names; a wrong command line is bad input, exit code 2. */
export async function runProgram(program: Command): Promise<void> {
  // The reader of a pipe (head, less) may leave before we are done; then there is nobody to tell.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });
  throwInsteadOfExit(program);
  program.version(agentVersion).showHelpAfterError();
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has said what is wrong already; asking for help is no fault.
    process.exitCode = error.exitCode === 0 ? EXIT_CODE.asWanted : EXIT_CODE.badInput;
  }
}

/** Commands take this over from their parent only when they are made after it was set, so each is told. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwInsteadOfExit(child);
}
