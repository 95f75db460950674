import type { Command } from "commander";
import { withOutput } from "../../host-tuning/verbs/output-options.ts";
import { runVerb } from "../../host-tuning/verbs/verb-frame.ts";
import type { EnvironmentParts } from "../estimate/run-estimate.ts";
import type { IdleOptions } from "./run-idle.ts";

/** Adds `cost idle`. */
export function addIdleVerb(cost: Command, parts: EnvironmentParts): void {
  withOutput(
    cost
      .command("idle")
      .description("what is paid for and not used, with the evidence; nothing is removed")
      .requiredOption("--input <path>", "the bill, as for cost report")
      .option("--month <month>", "one billing period of the bill, as in 2026-07")
      .option("--owners <file>", "YAML: whose services and accounts are, as for cost report")
      .option(
        "--env <name or file...>",
        "environments of stacks/, or YAML or JSON files: expired or without calls",
      )
      .option("--usage <address>", "a Prometheus that scrapes the service and the hosts")
      .option("--usage-token-file <file>", "a bearer token for the Prometheus, sent over https alone")
      .option(
        "--job <name>",
        "runtime systemd: the job that scrapes the service; its owner.service without it",
      )
      .option("--today <day>", "the day that expiry is seen from, UTC; today without it"),
    ["table", "json", "csv"],
  )
    .addHelpText(
      "after",
      `
Found in a bill: addresses that AWS charges as idle, load balancers, NAT gateways and VPC endpoints that are charged
by the hour and for no use, volumes beside which no instance runs, snapshots that are old or whose volume is gone,
databases (RDS) with storage and few or no instance hours. With --env: environments past the day that their file names
in expires. With --usage: environments without tool calls, hosts whose CPUs were never busy. A bill with earlier months
in it says since when.

Examples:
  $ bedplate cost idle --input cur/ --month 2026-07 --owners owners.yaml
  $ bedplate cost idle --input cur/ --env dev --env staging --usage http://127.0.0.1:9090 --json --out idle.json
  $ bedplate cost report --input cur/ --idle idle.json --format html --out cost.html

Exit codes: 0 looked at, 2 bad input`,
    )
    .action(async (options: IdleOptions) => {
      await runVerb(
        { root: "/", json: options.format === "json" },
        async () => await (await import("./run-idle.ts")).runIdle(options, parts),
      );
    });
}
