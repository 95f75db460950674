import type { Command } from "commander";

/** What is paid for already, as `right-size` and `off-hours` take it off what they save. */
export function withCommitments(command: Command): Command {
  return command
    .option("--commitments <file>", "savings plans and reservations that are paid for already, YAML or JSON")
    .option("--bill <path>", "a bill that shows them, as for cost report")
    .option("--month <month>", "one billing period of the bill, as in 2026-07");
}
