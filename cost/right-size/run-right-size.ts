import { readFile } from "node:fs/promises";
import type { Environment } from "../../components/environment/environment-spec.ts";
import { serviceNamespace } from "../../components/environment/environment-spec.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { errnoText } from "../../host-tuning/sys/errno.ts";
import { parseContract, parseYamlText } from "../../host-tuning/profile/parse-contract.ts";
import { writeOut } from "../../host-tuning/verbs/output-options.ts";
import { loadCatalogue } from "../catalogue/catalogue.ts";
import type { EnvironmentParts } from "../estimate/run-estimate.ts";
import { checkedMonth } from "../report/run-report.ts";
import { buildRightSize } from "./build-right-size.ts";
import { SERVICE_CONTAINER } from "./size-containers.ts";
import { type Commitments, commitmentsSchema, NO_COMMITMENTS } from "./commitments.ts";
import type { ObservedUsage } from "./container-usage.ts";
import { openPrometheus } from "./prometheus-api.ts";
import { readUsageCsv } from "./read-usage-csv.ts";
import { readUsagePrometheus } from "./read-usage-prometheus.ts";
import { renderRightSizeCsv, renderRightSizeTable } from "./render-right-size.ts";
import type { RightSizeReport } from "./right-size-report.ts";
import { writeEnvironment } from "./write-environment.ts";

/** Where measured use comes from, for every verb that reads it. */
export interface UsageOptions {
  readonly usage: string;
  readonly usageTokenFile?: string;
  readonly days: string;
  readonly step: string;
  readonly until?: string;
  readonly namespace?: readonly string[];
  readonly job?: string;
}

export interface RightSizeOptions extends UsageOptions {
  readonly env: string;
  readonly commitments?: string;
  readonly bill?: string;
  readonly month?: string;
  readonly format: "table" | "json" | "csv";
  readonly out?: string;
  readonly write?: boolean;
}

const DAY_SECONDS = 86_400;
const MOST_DAYS = 93;
const STEP_SECONDS = { least: 30, most: 3600 } as const;

export function wholeNumber(text: string, option: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new InputError("command line", [
    { path: option, message: `"${text}" is no whole number from ${least} to ${most}` },
  ]);
}

export function untilSeconds(until: string | undefined): number {
  if (until === undefined) return Date.now() / 1000;
  const millis = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(until) ? Date.parse(until) : Number.NaN;
  if (!Number.isNaN(millis)) return millis / 1000;
  throw new InputError("command line", [
    { path: "--until", message: `"${until}" is not as 2026-07-01T00:00:00Z` },
  ]);
}

function isAddress(usage: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(usage);
}

/** Use from a Prometheus (an address) or a CSV file (a path), with its progress on stderr where that is a terminal. */
export async function readUsage(options: UsageOptions, environment: Environment): Promise<ObservedUsage> {
  const days = wholeNumber(options.days, "--days", 1, MOST_DAYS);
  const stepSeconds = wholeNumber(options.step, "--step", STEP_SECONDS.least, STEP_SECONDS.most);
  if (!isAddress(options.usage)) return await readUsageCsv(options.usage);
  const lastSeconds = Math.floor(untilSeconds(options.until) / stepSeconds) * stepSeconds;
  const own = serviceNamespace(environment);
  const isTerminal = process.stderr.isTTY;
  const usage = await readUsagePrometheus(await openPrometheus(options.usage, options.usageTokenFile), {
    namespaces: [...new Set([own, ...(options.namespace ?? [])])],
    window: { firstSeconds: lastSeconds - days * DAY_SECONDS + stepSeconds, lastSeconds, stepSeconds },
    ...(environment.service.runtime === "systemd"
      ? {
          process: {
            job: options.job ?? environment.owner.service,
            namespace: own,
            container: SERVICE_CONTAINER,
          },
        }
      : {}),
    onProgress: (text) => {
      if (isTerminal) process.stderr.write(`\r\u{1B}[Kreading ${text}`);
    },
  });
  if (isTerminal) process.stderr.write("\r\u{1B}[K");
  return usage;
}

/** What is paid for already: typed in a file, or as a bill shows it. */
export async function readCommitments(
  options: Pick<RightSizeOptions, "commitments" | "bill" | "month">,
  environment: Environment,
): Promise<Commitments> {
  const month = checkedMonth(options.month);
  if (options.commitments !== undefined && options.bill !== undefined) {
    throw new InputError("command line", [{ path: "--bill", message: "give it or --commitments, not both" }]);
  }
  if (options.bill !== undefined) {
    const { readBillCommitments } = await import("./read-bill-commitments.ts");
    return await readBillCommitments(options.bill, month, environment);
  }
  const file = options.commitments;
  if (file === undefined) return NO_COMMITMENTS;
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new InputError(file, [{ path: "", message: `Cannot read: ${errnoText(cause)}` }], { cause });
  });
  return parseContract(commitmentsSchema, parseYamlText(text, file), file);
}

const RENDERERS: Readonly<Record<RightSizeOptions["format"], (report: RightSizeReport) => string>> = {
  table: renderRightSizeTable,
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  csv: renderRightSizeCsv,
};

/** `bedplate cost right-size`: 0; with --write the environment file is changed for review, and never applied. */
export async function runRightSize(options: RightSizeOptions, parts: EnvironmentParts): Promise<ExitCode> {
  const environment = await parts.loadEnvironment(options.env);
  const commitments = await readCommitments(options, environment);
  const usage = await readUsage(options, environment);
  const report = buildRightSize({
    environment,
    usage,
    commitments,
    catalogue: loadCatalogue(environment.region),
  });
  if (options.write === true && report.changes.length > 0) {
    const file = parts.environmentFile(options.env);
    await writeEnvironment(file, environment, report.changes);
    process.stderr.write(
      `bedplate: ${file}: ${report.changes.length} numbers changed and read back; review it (git diff), nothing was applied\n`,
    );
  }
  await writeOut(RENDERERS[options.format](report), options.out);
  return EXIT_CODE.asWanted;
}
