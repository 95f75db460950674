import { relative } from "node:path";
import { Command } from "commander";
import { loadCatalogue } from "../../cost/catalogue/catalogue.ts";
import { REQUEST_POLICY } from "../../cost/right-size/recommend-requests.ts";
import { EXIT_CODE } from "../../host-tuning/exit-code.ts";
import { runProgram } from "../../host-tuning/verbs/run-program.ts";
import { type HarmPrices, RECOMMENDERS } from "./recommenders.ts";
import { renderSimulation } from "./render-simulation.ts";
import { type ClusterOutcome, simulate, totalUsd } from "./simulate.ts";
import { saveSimulation, type Simulation, type SimulationRow } from "./simulation-results.ts";
import { tunePolicy } from "./tune-policy.ts";

/** Apart, so that what is tuned on is never what is reported. */
const TUNING_SEEDS = { first: 1, last: 3 } as const;
const REPORTED_SEEDS = { first: 1001, last: 1020 } as const;

const HARMS = [
  { name: "low", harm: { usdPerOomKill: 0.5, usdPerThrottledPodHour: 0.1 } },
  { name: "middling", harm: { usdPerOomKill: 5, usdPerThrottledPodHour: 1 } },
  { name: "high", harm: { usdPerOomKill: 50, usdPerThrottledPodHour: 10 } },
] as const;

/** Every outcome is of two weeks. */
const WEEKS = 2;

function seedsOf({ first, last }: { readonly first: number; readonly last: number }): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

function sumOf(outcomes: readonly ClusterOutcome[], pick: (outcome: ClusterOutcome) => number): number {
  return outcomes.reduce((sum, outcome) => sum + pick(outcome), 0);
}

function rowsUnder(
  harm: HarmPrices,
  seeds: readonly number[],
  known: Map<string, readonly ClusterOutcome[]>,
): SimulationRow[] {
  const outcomes = RECOMMENDERS.map((recommender) => {
    const { id } = recommender;
    // Only the clairvoyant choice depends on what harm costs.
    const own = known.get(id) ?? seeds.map((seed) => simulate(seed, recommender, harm));
    if (id !== "clairvoyant") known.set(id, own);
    progress(`${id}: ${seeds.length} clusters`);
    return { recommender, own };
  });
  const best = outcomes.find(({ recommender }) => recommender.id === "clairvoyant")?.own ?? [];
  const totals = (own: readonly ClusterOutcome[]): readonly number[] => own.map((one) => totalUsd(one, harm));
  const bestTotals = totals(best);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return outcomes.map(({ recommender: { id, title }, own }) => {
    const podWeeks = sumOf(own, (one) => one.podWeeks);
    const mine = totals(own);
    return {
      id,
      title,
      hostUsd: sumOf(own, (one) => one.hostUsd) / own.length / WEEKS,
      oomKillsPerPodWeek: sumOf(own, (one) => one.oomKills) / podWeeks,
      oomKillsPerPodWeekWithoutLeaks: sumOf(own, (one) => one.oomKills - one.leakKills) / podWeeks,
      throttledShare: sumOf(own, (one) => one.throttledPodSteps) / sumOf(own, (one) => one.podSteps),
      totalUsd: sum(mine) / own.length / WEEKS,
      regretShare: sum(mine) / sum(bestTotals) - 1,
      regretWorstShare: Math.max(...mine.map((total, index) => total / (bestTotals[index] ?? total) - 1)),
    };
  });
}

const program = new Command("bench:right-size").description(
  "our recommender next to the formulas of VPA and KRR and to the clairvoyant choice, on simulated clusters",
);
program
  .command("compare", { isDefault: true })
  .option("--json", "print the result as JSON")
  .option("--save", "keep the result under bench/right-size/results/")
  .action(async ({ json, save }: { json?: boolean; save?: boolean }) => {
    const known = new Map<string, readonly ClusterOutcome[]>();
    const simulation: Simulation = {
      kind: "RightSizeSimulation",
      simulatedOn: new Date().toISOString().slice(0, 10),
      ranOn: `${process.platform}/${process.arch}, Node.js ${process.versions.node}`,
      reportedSeeds: REPORTED_SEEDS,
      tuningSeeds: TUNING_SEEDS,
      policy: { ...REQUEST_POLICY },
      pricesAsOf: loadCatalogue("us-east-1").pricesAsOf,
      harms: HARMS.map(({ name, harm }) => ({
        name,
        harm,
        rows: rowsUnder(harm, seedsOf(REPORTED_SEEDS), known),
      })),
    };
    process.stdout.write(
      json === true ? `${JSON.stringify(simulation, null, 2)}\n` : renderSimulation(simulation),
    );
    if (save === true) {
      const path = relative(process.cwd(), await saveSimulation(simulation));
      progress(`kept in ${path}; \`npm run generate\` renders docs/right-size-simulation.md from it`);
    }
    process.exitCode = EXIT_CODE.asWanted;
  });
program
  .command("tune")
  .description(`search better numbers for our policy on seeds ${TUNING_SEEDS.first} to ${TUNING_SEEDS.last}`)
  .action(() => {
    const policy = tunePolicy(seedsOf(TUNING_SEEDS), HARMS[1].harm, progress);
    process.stdout.write(`${JSON.stringify(policy, null, 2)}\n`);
  });
await runProgram(program);
