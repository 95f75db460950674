import { type Command, Option } from "commander";

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
