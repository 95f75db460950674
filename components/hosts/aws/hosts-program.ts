import { type Command, InvalidArgumentError } from "commander";
import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { writeOut } from "../../../cost/report/run-report.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../../host-tuning/exit-code.ts";
import { withOutput } from "../../../host-tuning/verbs/output-options.ts";
import { runVerb } from "../../../host-tuning/verbs/verb-frame.ts";
import type { Environment } from "../../environment/environment-spec.ts";
import { type HostRanking, rankHosts } from "./host-ranking.ts";
import { renderHostRanking } from "./render-host-ranking.ts";

export interface HostsProgramParts {
  readonly loadEnvironment: (nameOrFile: string) => Promise<Environment>;
}

interface HostsOptions {
  readonly env: string;
  readonly pool?: string;
  readonly top: number;
  readonly why?: string;
  readonly format: "table" | "json";
  readonly out?: string;
}

/** Rows of a list that a person takes in at a glance. */
const TOP = 8;

/** Adds `hosts`: what the pools of an environment would run on, before anything is made. */
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
      await runVerb({ root: "/", json: options.format === "json" }, () => runHosts(options, parts));
    });
}

async function runHosts(options: HostsOptions, parts: HostsProgramParts): Promise<ExitCode> {
  const environment = await parts.loadEnvironment(options.env);
  const ranking = ofPool(rankHosts(environment, loadCatalogue(environment.region)), options.pool);
  const { top, why } = options;
  const text =
    options.format === "json"
      ? `${JSON.stringify(ranking, null, 2)}\n`
      : renderHostRanking(ranking, { top, ...(why === undefined ? {} : { why }) });
  await writeOut(text, options.out);
  return ranking.pools.some((pool) => pool.faults.length > 0) ? EXIT_CODE.failed : EXIT_CODE.asWanted;
}

function ofPool(ranking: HostRanking, name: string | undefined): HostRanking {
  if (name === undefined) return ranking;
  const pools = ranking.pools.filter(({ pool }) => pool === name);
  if (pools.length > 0) return { ...ranking, pools };
  const known = ranking.pools.map(({ pool }) => pool).join(", ") || "none";
  throw new InputError("command line", [
    { path: "--pool", message: `"${name}" is no pool on AWS of ${ranking.environment}; there are ${known}` },
  ]);
}

function positiveInteger(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("a number from 1 to 99999");
}
