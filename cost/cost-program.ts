import { type Command, Option } from "commander";
import { withOutput } from "../host-tuning/verbs/output-options.ts";
import { runVerb } from "../host-tuning/verbs/verb-frame.ts";
import { withBill } from "./bill-options.ts";
import { ESTIMATE_KEYS } from "./estimate/build-cost-estimate.ts";
import type { EnvironmentParts, EstimateOptions } from "./estimate/run-estimate.ts";
import type { RightSizeOptions } from "./right-size/run-right-size.ts";
import { addCatalogueVerb } from "./catalogue/catalogue-verb.ts";
import { addGenerateVerb } from "./generate/generate-verb.ts";
import { addIdleVerb } from "./idle/idle-verb.ts";
import { addJournalVerb } from "./journal/journal-verb.ts";
import { addOffHoursVerb } from "./off-hours/off-hours-verb.ts";
import { REPORT_KEYS } from "./report/report-key.ts";
import type { ReportOptions } from "./report/run-report.ts";
import { USAGE_METRICS } from "./right-size/usage-metrics.ts";
import { addShowbackVerb } from "./showback/showback-verb.ts";
import type { UnitCostOptions } from "./unit-cost/run-unit-cost.ts";
import type { VarianceOptions } from "./variance/run-variance.ts";
import { withCommitments } from "./right-size/commitment-options.ts";

/** What the cost verbs need of the program around them. */
export type CostProgramParts = EnvironmentParts;

function frame(options: { readonly format: string }): { root: string; json: boolean } {
  return { root: "/", json: options.format === "json" };
}

/** Adds the verbs of `cost`. DuckDB is loaded when a bill is read, not before. */
export function addCostVerbs(program: Command, parts: CostProgramParts): void {
  const cost = program.command("cost").description("what environments cost, by team: bills and estimates");
  addGenerateVerb(cost);
  withOutput(
    withBill(
      cost
        .command("report")
        .description("split a bill by owner, with the balance sheet that proves nothing is lost"),
    )
      .addOption(new Option("--by <key>", "what to split by").choices(REPORT_KEYS).default("team"))
      .option("--idle <file>", "what cost idle found in the same bill (JSON), as a section of the page")
      .option(
        "--variance <file>",
        "budgets beside the same bill by cost variance (JSON), as a section of the page",
      )
      .option(
        "--resources <count>",
        "how many resources of a row's provider service are named, the dearest (html: 20; 0: none are read)",
      )
      .option("--daily", "what each row cost by day"),
    ["table", "json", "csv", "focus", "html"],
  )
    .addHelpText(
      "after",
      `
Examples:
  $ bedplate cost report --input bill.csv
  $ bedplate cost report --input bill.parquet --by cost-center --tag-key CostCenter --month 2026-07
  $ bedplate cost report --input bill.csv.gz --json --out report.json
  $ bedplate cost report --input cur.parquet --format html --out cost.html
  $ bedplate cost report --input cur.parquet --format html --idle idle.json --out cost.html
  $ bedplate cost report --input cur.parquet --format html --variance variance.json --out cost.html
  $ bedplate cost report --input cur/ --month 2026-07 --daily --format html --out cost.html
  $ bedplate cost report --input cur/ --month 2026-07 --daily --resources 100 --format csv --out cost.csv
  $ bedplate cost report --input cur/ --owners owners.yaml --allocation rules.yaml --by cost-center
  $ bedplate cost report --input cur/ --allocation rules.yaml --format focus --out allocated.csv
  $ bedplate cost report --input focus.parquet --kubernetes answers/ --month 2026-07

A bill in a bucket takes s3:ListBucket and s3:GetObject, with the credentials, region and endpoint of the environment
(AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL). What is downloaded is kept in ~/.cache/bedplate/s3, or below
BEDPLATE_CACHE_DIR, until it changes; the folder may be removed at any time:
  $ bedplate cost report --input s3://bucket/cur/ --month 2026-07

A bill in a table of Athena or Trino is read there. Trino is asked over TLS, but on this machine (?SSL=false: never); its
password is in TRINO_PASSWORD or a JWT in TRINO_ACCESS_TOKEN, or in the file that the same with _FILE names:
  $ bedplate cost report --input athena://workgroup/database/table?output=s3://bucket/results/ --month 2026-07
  $ bedplate cost report --input trino://user@trino.example.com/catalog/schema/table

Use of nodes by pods, for --kubernetes, one JSON answer a metric and at most a day each:
  $ curl -G http://prometheus:9090/api/v1/query_range -d step=300 \\
      -d start=2026-07-01T00:00:00Z -d end=2026-07-02T00:00:00Z \\
      --data-urlencode query=kube_pod_container_resource_requests -o answers/requests-01.json
  Read are kube_node_info, kube_node_status_capacity, kube_pod_info, kube_pod_labels,
  kube_pod_container_resource_requests, kube_pod_spec_volumes_persistentvolumeclaims_info,
  kube_persistentvolumeclaim_info, kube_persistentvolume_info, container_cpu_usage_seconds_total,
  container_memory_working_set_bytes, container_network_receive_bytes_total and
  container_network_transmit_bytes_total. A pod's cost is its larger share of request and use,
  its team that of its label; idle is a row, or spread or kept as the file of --allocation says.
  CSV has the columns hour, resource_id, resource (cpu, memory, gpu, network, storage), capacity,
  namespace, pod, request, usage, label_team: a row with no pod is what a node has in that hour.

Exit codes: 0 balanced, 1 the balance sheet does not close, 2 bad input`,
    )
    .action(async (options: ReportOptions) => {
      await runVerb(
        frame(options),
        async () => await (await import("./report/run-report.ts")).runReport(options),
      );
    });
  withOutput(
    cost
      .command("estimate")
      .description("what an environment will cost a month, from the committed and dated catalogue")
      .requiredOption("--env <name or file>", "an environment of stacks/, or a YAML or JSON file")
      .addOption(new Option("--by <key>", "what to split by").choices(ESTIMATE_KEYS).default("team"))
      .option("--diff <revision>", "compare with the environment's file at a git revision, as main or HEAD~1")
      .option(
        "--deployed <file>",
        "compare with the hosts of `pulumi stack output --json`, or of a stack export",
      )
      .option("--fail-over-budget", "exit with 1 when the estimate is above the environment's budget"),
    ["table", "json", "csv", "markdown"],
  )
    .addHelpText(
      "after",
      `
Examples:
  $ bedplate cost estimate --env prod
  $ bedplate cost estimate --env ./environment.yaml --by cost-center --format csv
  $ bedplate cost estimate --env prod --diff main --format markdown --out comment.md --fail-over-budget
  $ pulumi stack output --json -s prod > deployed.json && bedplate cost estimate --env prod --deployed deployed.json

Exit codes: 0 estimated, 1 over budget (with --fail-over-budget), 2 bad input`,
    )
    .action(async (options: EstimateOptions) => {
      await runVerb(
        frame(options),
        async () => await (await import("./estimate/run-estimate.ts")).runEstimate(options, parts),
      );
    });
  withOutput(
    cost
      .command("variance")
      .description("what environments cost in a billing period beside their estimate and their budget")
      .requiredOption("--env <name or file...>", "environments of stacks/, or YAML or JSON files")
      .requiredOption("--input <path>", "the bill, as for cost report")
      .option("--month <month>", "one billing period of the bill, as in 2026-07")
      .option("--tag-key <key>", "the tag that holds the environment, where it is called otherwise")
      .option("--fail-over-budget", "exit with 1 when an environment cost more than its budget"),
    ["table", "json", "csv"],
  )
    .addHelpText(
      "after",
      `
Examples:
  $ bedplate cost variance --env prod --env staging --input cur/ --month 2026-07
  $ bedplate cost variance --env prod --input focus.parquet --fail-over-budget --format json

Exit codes: 0 compared, 1 over budget (with --fail-over-budget), 2 bad input`,
    )
    .action(async (options: VarianceOptions) => {
      const { loadEnvironment } = parts;
      await runVerb(
        frame(options),
        async () => await (await import("./variance/run-variance.ts")).runVariance(options, loadEnvironment),
      );
    });
  addRightSizeVerb(cost, parts);
  addUnitCostVerb(cost, parts);
  addShowbackVerb(cost);
  addJournalVerb(cost);
  addIdleVerb(cost, parts);
  addOffHoursVerb(cost, parts);
  addCatalogueVerb(cost);
}

/** Options of the verbs that read measured use. */
function withUsage(command: Command): Command {
  return command
    .requiredOption(
      "--usage <address or file>",
      "a Prometheus, as http://127.0.0.1:9090, or a CSV file of use",
    )
    .option("--usage-token-file <file>", "a bearer token for the Prometheus, sent over https alone")
    .option("--days <count>", "how far back a Prometheus is asked", "14")
    .option("--step <seconds>", "how far apart its points are", "300")
    .option("--until <time>", "the last moment that is looked at, as 2026-07-01T00:00:00Z; now without it")
    .option("--namespace <name...>", "further namespaces whose pods run on the environment's hosts")
    .option(
      "--job <name>",
      "runtime systemd: the job that scrapes the service; its owner.service without it",
    );
}

function addRightSizeVerb(cost: Command, parts: EnvironmentParts): void {
  withOutput(
    withCommitments(
      withUsage(
        cost
          .command("right-size")
          .description("what an environment needs by measured use, and what that really saves")
          .requiredOption("--env <name or file>", "an environment of stacks/, or a YAML or JSON file"),
      ),
    ).option("--write", "change the numbers in the environment file, for review; nothing is applied"),
    ["table", "json", "csv"],
  )
    .addHelpText(
      "after",
      `
A CSV file has one line for each point: time,namespace,owner_kind,owner,pod,container,metric,value and for GPUs
device,gpu_model. Its metrics: ${Object.keys(USAGE_METRICS).join(", ")}.

Examples:
  $ bedplate cost right-size --env prod --usage http://127.0.0.1:9090
  $ bedplate cost right-size --env prod --usage use.csv --commitments commitments.yaml --format json
  $ bedplate cost right-size --env ./environment.yaml --usage https://prometheus.example.com --days 28 --write

Exit codes: 0 looked at, 2 bad input`,
    )
    .action(async (options: RightSizeOptions) => {
      await runVerb(
        frame(options),
        async () => await (await import("./right-size/run-right-size.ts")).runRightSize(options, parts),
      );
    });
}

function addUnitCostVerb(cost: Command, parts: EnvironmentParts): void {
  withOutput(
    cost
      .command("unit-cost")
      .description(
        "what a million tool calls cost, by team and tool, from the bill and the service's counters",
      )
      .requiredOption("--env <name or file...>", "environments of stacks/, or YAML or JSON files")
      .requiredOption("--input <path>", "the bill, as for cost report")
      .requiredOption("--usage <address>", "the Prometheus that scrapes the service's /metrics")
      .option("--usage-token-file <file>", "a bearer token for the Prometheus, sent over https alone")
      .option("--month <month>", "one billing period of the bill, as in 2026-07")
      .option("--tag-key <key>", "the tag that holds the environment, where it is called otherwise")
      .option(
        "--by <label>",
        "the label to split by: tool, tenant, team, or one of your service's own",
        "tool",
      )
      .option(
        "--owners <file>",
        "with --by team: an owners file whose tenants say which team a tenant's calls are of, by day",
      )
      .option(
        "--histogram <name>",
        "a histogram of the time in a tool, where your service calls it otherwise",
      )
      .option(
        "--job <name>",
        "runtime systemd: the job that scrapes the service; its owner.service without it",
      )
      .option("--price-per-million <amount>", "what a million calls are sold at: prints the margin")
      .option("--trend", "every billing period of the bill, one beside another"),
    ["table", "json", "csv"],
  )
    .addHelpText(
      "after",
      `
Examples:
  $ bedplate cost unit-cost --env prod --input cur/ --month 2026-07 --usage http://127.0.0.1:9090
  $ bedplate cost unit-cost --env prod --env staging --input focus.parquet --usage https://prometheus.example.com \\
      --usage-token-file token --price-per-million 25.00 --format json
  $ bedplate cost unit-cost --env prod --input cur/ --usage http://127.0.0.1:9090 --by tenant
  $ bedplate cost unit-cost --env prod --input cur/ --usage http://127.0.0.1:9090 --by team --owners owners.yaml
  $ bedplate cost unit-cost --env prod --input cur/ --usage http://127.0.0.1:9090 --trend

Exit codes: 0 divided, 2 bad input`,
    )
    .action(async (options: UnitCostOptions) => {
      await runVerb(
        frame(options),
        async () => await (await import("./unit-cost/run-unit-cost.ts")).runUnitCost(options, parts),
      );
    });
}
