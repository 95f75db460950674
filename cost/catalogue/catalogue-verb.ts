import type { Command } from "commander";
import { withOutput } from "../../host-tuning/verbs/output-options.ts";
import { runVerb } from "../../host-tuning/verbs/verb-frame.ts";
import type { CatalogueOptions } from "./run-catalogue.ts";

/** Adds `cost catalogue`. The AWS SDK is loaded when it runs, not before. */
export function addCatalogueVerb(cost: Command): void {
  withOutput(
    cost
      .command("catalogue")
      .description("ask AWS for the instance types and prices of a region, and show what has changed")
      .requiredOption("--region <region>", "as in eu-central-1")
      .option("--save <file>", "write the refreshed catalogue there")
      .option("--write", "replace the file of --save where it is there already"),
    ["table", "json"],
  )
    .addHelpText(
      "after",
      `
It takes AWS credentials that may call ec2:DescribeInstanceTypes and pricing:GetProducts. What is saved is in force for
every verb, and for pulumi, that runs with BEDPLATE_CATALOGUE=/PATH/OF/FILE; other regions are unpriced then.

Examples:
  $ bedplate cost catalogue --region eu-central-1
  $ bedplate cost catalogue --region eu-central-1 --save frankfurt.json --json
  $ BEDPLATE_CATALOGUE=$PWD/frankfurt.json bedplate cost estimate --env ./frankfurt.yaml

Exit codes: 0 asked, 2 bad input or refused by AWS`,
    )
    .action(async (options: CatalogueOptions) => {
      await runVerb(
        { root: "/", json: options.format === "json" },
        async () => await (await import("./run-catalogue.ts")).runCatalogue(options),
      );
    });
}
