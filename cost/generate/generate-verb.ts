import { type Command, Option } from "commander";
import { runVerb } from "../../host-tuning/verbs/verb-frame.ts";
import { MONTH_FORMATS, MONTH_KINDS } from "./month-kinds.ts";
import type { GenerateOptions } from "./run-generate.ts";

/** Adds `cost generate`. */
export function addGenerateVerb(cost: Command): void {
  cost
    .command("generate")
    .description(
      "write a bill of one month, with all that a bill holds, whose report is known to the last digit",
    )
    .requiredOption("--out <folder>", "a new folder")
    .option("--rows <count>", "lines of the bill", "10000")
    .option("--seed <number>", "another month of the same kind", "1")
    .addOption(new Option("--kind <kind>", "what to write").choices(MONTH_KINDS).default("cur2"))
    .addOption(new Option("--format <format>", "how to write it").choices(MONTH_FORMATS).default("parquet"))
    .option("--month <month>", "the billing period", "2026-07")
    .addOption(
      new Option("--deliveries <count>", "2: once without the late lines, and then again with them")
        .choices(["1", "2"])
        .default("1"),
    )
    .option(
      "--idle",
      "among the lines, an account with what is paid for and not used; answer.json says what cost idle finds there",
    )
    .addHelpText(
      "after",
      `
Examples:
  $ bedplate cost generate --out /tmp/bill
  $ bedplate cost generate --rows 1000000 --kind focus-1.2 --format csv.gz --out /tmp/focus
  $ bedplate cost report --input /tmp/bill
  $ bedplate cost generate --idle --out /tmp/idle && bedplate cost idle --input /tmp/idle`,
    )
    .action(async (options: GenerateOptions) => {
      await runVerb(
        { root: "/", json: false },
        async () => await (await import("./run-generate.ts")).runGenerate(options),
      );
    });
}
