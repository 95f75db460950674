import type { Command } from "commander";
import { withOutput } from "../../host-tuning/verbs/output-options.ts";
import { runVerb } from "../../host-tuning/verbs/verb-frame.ts";
import { withBill } from "../bill-options.ts";
import type { ShowbackOptions } from "./run-showback.ts";

/** Adds `cost showback`. */
export function addShowbackVerb(cost: Command): void {
  withOutput(
    withBill(cost.command("showback").description("write each team a mail of what it cost; nothing is sent"))
      .requiredOption("--folder <folder>", "a new folder for the mails, one .eml each")
      .requiredOption("--from <address>", "who the mails are from, as in finance@example.com")
      .option(
        "--previous <path>",
        "the bill that has the month before, where --input has not: each mail says what moved",
      )
      .option("--date <time>", "the mails' date, as in 2026-08-03T09:00:00Z; now without it"),
    ["table", "json"],
  )
    .addHelpText(
      "after",
      `
A mail has text, HTML and the team's lines as CSV, in the files of RFC 5322 that mail programs open and sendmail takes.
It goes to teams[].mail of the owners file. Mails, what no team has and the bill add up, or none is written.
Where the bill has the month before too, each mail says what that month's said and what moved.

Examples:
  $ bedplate cost showback --input cur/ --month 2026-07 --owners owners.yaml \\
      --folder mails-2026-07 --from finance@example.com
  $ bedplate cost showback --input july.csv --previous june.csv --owners owners.yaml \\
      --folder mails-2026-07 --from finance@example.com
  $ for mail in mails-2026-07/*.eml; do sendmail -t < "$mail"; done

Exit codes: 0 written, 1 they are not the bill and none was written, 2 bad input`,
    )
    .action(async (options: ShowbackOptions) => {
      await runVerb(
        { root: "/", json: options.format === "json" },
        async () => await (await import("./run-showback.ts")).runShowback(options),
      );
    });
}
