import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../../host-tuning/exit-code.ts";
import { writeOut } from "../../../host-tuning/verbs/output-options.ts";
import type { Environment } from "../../environment/environment-spec.ts";
import { type HostRanking, rankHosts } from "./host-ranking.ts";
import { renderHostRanking } from "./render-host-ranking.ts";

export interface HostsProgramParts {
  readonly loadEnvironment: (nameOrFile: string) => Promise<Environment>;
}

export interface HostsOptions {
  readonly env: string;
  readonly pool?: string;
  readonly top: number;
  readonly why?: string;
  readonly format: "table" | "json";
  readonly out?: string;
}

/**
 * Ranks the instance types of an environment's pools.
 *
 * @throws {InputError} when there is no such environment or pool
 */
export async function runHosts(options: HostsOptions, parts: HostsProgramParts): Promise<ExitCode> {
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
