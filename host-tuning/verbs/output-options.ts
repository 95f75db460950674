import { writeFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { InputError } from "../errors.ts";

/**
 * `--format`, `--json` for the same in a word, as every verb has it, and `--out`. A format that is named outweighs
 * `--json`.
 */
export function withOutput(command: Command, formats: readonly string[]): Command {
  return command
    .addOption(new Option("--format <format>", "how to print").choices(formats).default("table"))
    .addOption(new Option("--json", "the same as --format json").implies({ format: "json" }))
    .option("--out <file>", "write there instead of stdout");
}

/**
 * Writes to the file `out` where it is given, to stdout otherwise.
 *
 * @throws {InputError} when the file cannot be written
 */
export async function writeOut(text: string, out: string | undefined): Promise<void> {
  if (out === undefined) {
    process.stdout.write(text);
    return;
  }
  try {
    await writeFile(out, text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new InputError("command line", [{ path: "--out", message: `Cannot write ${out}: ${why}` }], {
      cause,
    });
  }
}
