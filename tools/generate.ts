import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as z from "zod";
import { renderBenchPage } from "../bench/agent/results.ts";
import { renderCostBenchPage } from "../bench/cost/result.ts";
import { renderEnvironmentBenchPage } from "../bench/environments/result.ts";
import { renderSimulationPage } from "../bench/right-size/simulation-results.ts";
import { environmentSchema } from "../components/environment/environment-spec.ts";
import { packageSchema } from "../components/provider/package-schema.ts";
import { hostRankingSchema } from "../components/hosts/aws/host-ranking.ts";
import { costEstimateSchema } from "../cost/estimate/cost-estimate.ts";
import { estimateDiffSchema } from "../cost/estimate/estimate-diff.ts";
import { idleReportSchema } from "../cost/idle/idle-report.ts";
import { journalSchema } from "../cost/journal/journal.ts";
import { offHoursSchema } from "../cost/off-hours/off-hours.ts";
import { showbackSchema } from "../cost/showback/showback.ts";
import { unitCostTrendSchema } from "../cost/unit-cost/unit-cost-trend.ts";
import { unitCostSchema } from "../cost/unit-cost/unit-cost.ts";
import { costVarianceSchema } from "../cost/variance/cost-variance.ts";
import { allocationRulesSchema } from "../cost/allocation/allocation-rules.ts";
import { ownersFileSchema } from "../cost/owners/owners-file.ts";
import { commitmentsSchema } from "../cost/right-size/commitments.ts";
import { rightSizeReportSchema } from "../cost/right-size/right-size-report.ts";
import { costReportSchema } from "../cost/report/cost-report.ts";
import { hostPlanSchema } from "../host-tuning/engine/host-plan.ts";
import { hostFactsSchema } from "../host-tuning/facts/host-facts.ts";
import { DECLINED } from "../host-tuning/knobs/declined.ts";
import { KNOBS } from "../host-tuning/knobs/index.ts";
import type { AnyKnob } from "../host-tuning/knobs/knob.ts";
import { hostProfileSchema } from "../host-tuning/profile/host-profile.ts";
import { driftReportSchema } from "../host-tuning/report/drift-report.ts";
import { hostReportSchema } from "../host-tuning/report/host-report.ts";
import { renderCoverage } from "./render-coverage.ts";

const REPOSITORY = join(import.meta.dirname, "..");
const { version } = createRequire(import.meta.url)("../package.json") as { readonly version: string };

/** What people write is described as they write it, with defaults left out; what the agent writes as it comes out. */
const CONTRACTS = [
  { file: "environment", schema: environmentSchema, io: "input" },
  { file: "host-profile", schema: hostProfileSchema, io: "input" },
  { file: "host-facts", schema: hostFactsSchema, io: "output" },
  { file: "host-plan", schema: hostPlanSchema, io: "output" },
  { file: "host-report", schema: hostReportSchema, io: "output" },
  { file: "drift-report", schema: driftReportSchema, io: "output" },
  { file: "cost-owners", schema: ownersFileSchema, io: "input" },
  { file: "allocation-rules", schema: allocationRulesSchema, io: "input" },
  { file: "host-ranking", schema: hostRankingSchema, io: "output" },
  { file: "cost-report", schema: costReportSchema, io: "output" },
  { file: "cost-estimate", schema: costEstimateSchema, io: "output" },
  { file: "cost-estimate-diff", schema: estimateDiffSchema, io: "output" },
  { file: "cost-variance", schema: costVarianceSchema, io: "output" },
  { file: "showback", schema: showbackSchema, io: "output" },
  { file: "chargeback-journal", schema: journalSchema, io: "output" },
  { file: "idle-report", schema: idleReportSchema, io: "output" },
  { file: "off-hours", schema: offHoursSchema, io: "output" },
  { file: "unit-cost", schema: unitCostSchema, io: "output" },
  { file: "unit-cost-trend", schema: unitCostTrendSchema, io: "output" },
  { file: "right-sizing", schema: rightSizeReportSchema, io: "output" },
  { file: "commitments", schema: commitmentsSchema, io: "input" },
] as const;

/** Every generated file by its path in the repository. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const schemas = CONTRACTS.map(({ file, schema, io }): [string, string] => {
    const json = z.toJSONSchema(schema, { io, target: "draft-2020-12" });
    return [`docs/schemas/${file}.schema.json`, `${JSON.stringify(json, null, 2)}\n`];
  });
  return new Map([
    ...schemas,
    ["components/provider/package-schema.json", packageSchema(version)],
    ["docs/knobs.md", renderKnobs(KNOBS)],
    ["docs/bench.md", renderBenchPage()],
    ["docs/bench-cost.md", renderCostBenchPage()],
    ["docs/bench-environments.md", renderEnvironmentBenchPage()],
    ["docs/right-size-simulation.md", renderSimulationPage()],
    ["docs/coverage.md", renderCoverage(KNOBS, DECLINED)],
  ]);
}

/** The registry as a page. */
export function renderKnobs(knobs: readonly AnyKnob[]): string {
  const families = [...new Set(knobs.map((knob) => knob.family))];
  return [
    "<!-- Generated by tools/generate.ts from host-tuning/knobs: change a knob there, then `npm run generate`. -->",
    "",
    "# Knobs",
    "",
    `${knobs.length} settings that the agent computes for a host. \`bedplate explain KNOB\` shows one with its values on a host.`,
    ...families.flatMap((family) => [
      "",
      `## ${family}`,
      ...knobs.filter((knob) => knob.family === family).flatMap((knob) => ["", ...knobSection(knob)]),
    ]),
    "",
  ].join("\n");
}

function knobSection(knob: AnyKnob): string[] {
  const rows: readonly (readonly [string, string])[] = [
    ["unit", knob.unit],
    ["acts on", knob.scope],
    ["phase", knob.phase === "early" ? "early: before the network is up" : "late: after devices are found"],
    ["takes effect", knob.takesEffect],
    ["after a reboot", knob.survivesReboot ? "stays" : "set again at boot"],
    ["risk", `${knob.risk.level}: ${knob.risk.what}`],
    ["taken back", knob.isReversible ? "by rollback" : "cannot be; needs `consent: [irreversible]`"],
    ["kernel default", knob.kernelDefault],
    ["kernels", knob.kernelRange ?? "all supported"],
    ["written after", knob.after?.join(", ") ?? "-"],
    ["sources", knob.sources.map((source) => `<${source}>`).join(" ")],
  ];
  return [
    `### ${knob.id}`,
    "",
    `${knob.title}.`,
    "",
    "| | |",
    "|---|---|",
    ...rows.map(([label, text]) => `| ${label} | ${text.replaceAll("|", "\\|")} |`),
  ];
}

/** Files whose text on disk is not what would be generated now. */
export async function staleFiles(): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, text] of generatedFiles()) {
    if ((await readIfThere(join(REPOSITORY, path))) !== text) stale.push(path);
  }
  return stale;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

async function main(args: readonly string[]): Promise<void> {
  const stale = await staleFiles();
  if (args.includes("--check")) {
    if (stale.length === 0) return;
    process.stderr.write(
      `Stale, run \`npm run generate\`:\n${stale.map((path) => `  ${path}`).join("\n")}\n`,
    );
    process.exitCode = 1;
    return;
  }
  for (const [path, text] of generatedFiles()) {
    if (!stale.includes(path)) continue;
    await mkdir(dirname(join(REPOSITORY, path)), { recursive: true });
    await writeFile(join(REPOSITORY, path), text);
    process.stdout.write(`wrote ${path}\n`);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
