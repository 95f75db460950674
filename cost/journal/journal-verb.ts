import { type Command, Option } from "commander";
import { withOutput } from "../../host-tuning/verbs/output-options.ts";
import { runVerb } from "../../host-tuning/verbs/verb-frame.ts";
import { withBill } from "../bill-options.ts";
import type { JournalOptions } from "./run-journal.ts";

/** Adds `cost journal`. */
export function addJournalVerb(cost: Command): void {
  withOutput(
    withBill(
      cost.command("journal").description("write a bill as double entry: cost centers against the invoice"),
      { needsOwners: true },
    )
      .addOption(
        new Option("--cost <kind>", "what cost centers bear")
          .choices(["effective", "billed"])
          .default("effective"),
      )
      .option(
        "--previous <file>",
        "the month's journal so far (JSON): what has changed is reversed and posted anew",
      ),
    ["table", "json", "csv"],
  )
    .addHelpText(
      "after",
      `
The owners file names the accounts:
  ledger: { expenseAccount: "6540", payableAccount: "2100", prepaidAccount: "1300", centralCostCenter: CC-IT }
Each cost center is debited with what its teams bear, the central one with what no team has, against the bill. Effective
cost and the bill differ by what is paid upfront or was before: the prepaid account. Keep the JSON: a later delivery of
the bill is booked with --previous, as a reversal and a new posting, and never by another journal in silence.

Examples:
  $ bedplate cost journal --input cur/ --month 2026-07 --owners owners.yaml --json --out 2026-07.json
  $ bedplate cost journal --input cur/ --month 2026-07 --owners owners.yaml --format csv --out 2026-07.csv
  $ bedplate cost journal --input cur/ --month 2026-07 --owners owners.yaml --previous 2026-07.json

Exit codes: 0 debits are credits and the bill, 1 they are not and nothing was written, 2 bad input`,
    )
    .action(async (options: JournalOptions) => {
      await runVerb(
        { root: "/", json: options.format === "json" },
        async () => await (await import("./run-journal.ts")).runJournal(options),
      );
    });
}
