import type { Command } from "commander";
import { withOutput } from "../../host-tuning/verbs/output-options.ts";
import { runVerb } from "../../host-tuning/verbs/verb-frame.ts";
import { withCommitments } from "../right-size/commitment-options.ts";
import type { EnvironmentParts } from "../estimate/run-estimate.ts";
import type { OffHoursOptions } from "./run-off-hours.ts";

/** Adds `cost off-hours`. */
export function addOffHoursVerb(cost: Command, parts: EnvironmentParts): void {
  withOutput(
    withCommitments(
      cost
        .command("off-hours")
        .description("when an environment is not called, as a schedule for its file, and what that saves")
        .requiredOption("--env <name or file>", "an environment of stacks/, or a YAML or JSON file")
        .requiredOption(
          "--usage <address or file>",
          "the Prometheus that scrapes the service's /metrics, or a CSV file of hours and calls",
        )
        .option("--usage-token-file <file>", "a bearer token for the Prometheus, sent over https alone")
        .option(
          "--job <name>",
          "runtime systemd: the job that scrapes the service; its owner.service without it",
        )
        .option("--days <count>", "how far back it is asked, at least 14", "28")
        .option(
          "--until <time>",
          "the last moment that is looked at, as 2026-07-01T00:00:00Z; now without it",
        )
        .option(
          "--time-zone <zone>",
          "whose clock the schedule goes by, as Europe/Berlin; the file's without it",
        ),
    ).option("--write", "write the schedule into the environment file, for review; nothing is applied"),
    ["table", "json", "csv"],
  )
    .addHelpText(
      "after",
      `
An hour of the week is quiet when it was watched in two weeks or more and never had a tool call. The proposal is the
shortest schedule that every call lies in; outside of it there are no hosts, and a call fails.

A CSV file has the columns hour,calls with a line as 2026-07-01T09:00:00Z,12 for each hour that was watched, and 0 for a
quiet one. --write adds the schedule to the environment file, or puts it in the place of the one that is there.

Examples:
  $ bedplate cost off-hours --env staging --usage http://127.0.0.1:9090 --time-zone Europe/Berlin
  $ bedplate cost off-hours --env dev --usage https://prometheus.example.com --days 56 --bill cur/ --write
  $ bedplate cost off-hours --env dev --usage calls.csv --write

Exit codes: 0 looked at, 2 bad input`,
    )
    .action(async (options: OffHoursOptions) => {
      await runVerb(
        { root: "/", json: options.format === "json" },
        async () => await (await import("./run-off-hours.ts")).runOffHours(options, parts),
      );
    });
}
