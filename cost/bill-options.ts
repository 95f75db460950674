import { type Command, Option } from "commander";

/** Options of the verbs that split a bill by owner. */
export function withBill(command: Command, { needsOwners = false } = {}): Command {
  return command
    .requiredOption(
      "--input <path>",
      "a FOCUS 1.0 to 1.3 bill or an AWS Cost and Usage Report: a file (CSV, gzip, Parquet), a folder, s3://bucket/prefix/, or a table: athena://workgroup/database/table, trino://user@host/catalog/schema/table",
    )
    .option("--month <month>", "one billing period of the file, as in 2026-07")
    .option("--tag-key <key>", "the tag that holds the key, where it is called otherwise")
    .option("--shared <owner...>", "owners whose cost is everyone's, as in platform")
    .addOption(
      new Option(
        "--owners <file>",
        "YAML: services, their teams and their cost centers, by date",
      ).makeOptionMandatory(needsOwners),
    )
    .option("--allocation <file>", "YAML: how shared and idle cost is shared out")
    .option(
      "--kubernetes <path...>",
      "use of nodes by pods: CSV, or answers of Prometheus' query_range API (JSON); files or folders",
    );
}
