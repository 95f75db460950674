import { type Command, InvalidArgumentError } from "commander";
import { withOutput } from "../../../host-tuning/verbs/output-options.ts";
import { runVerb } from "../../../host-tuning/verbs/verb-frame.ts";
import type { HostsOptions, HostsProgramParts } from "./run-hosts.ts";

/** Rows of a list that a person takes in at a glance. */
const TOP = 8;

/** Adds `hosts`: what the pools of an environment would run on, before anything is made. Pulumi is loaded when it runs. */
export function addHostsVerb(program: Command, parts: HostsProgramParts): void {
  withOutput(
    program
      .command("hosts")
      .description("the instance types that satisfy an environment's pools by price, and why others do not")
      .requiredOption("--env <name or file>", "an environment of stacks/, or a YAML or JSON file")
      .option("--pool <name>", "this pool alone")
      .option("--top <count>", "rows of each list", positiveInteger, TOP)
      .option("--why <type>", "what this type, or each type of this family, lacks"),
    ["table", "json"],
  )
    .addHelpText(
      "after",
      `
A star marks what the pool launches; "set" marks vCPUs that CPU options make.

Examples:
  $ bedplate hosts --env prod
  $ bedplate hosts --env prod --pool tools-gpu --why p5
  $ bedplate hosts --env ./environment.yaml --format json --out hosts.json

Exit codes: 0 every pool has a type, 1 one has none or settings that exclude each other, 2 bad input`,
    )
    .action(async (options: HostsOptions) => {
      await runVerb({ root: "/", json: options.format === "json" }, async () =>
        (await import("./run-hosts.ts")).runHosts(options, parts),
      );
    });
}

function positiveInteger(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("a number from 1 to 99999");
}
