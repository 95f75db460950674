import { REQUEST_POLICY, type RequestPolicy } from "../../cost/right-size/recommend-requests.ts";
import { bedplate, type HarmPrices, type Recommender } from "./recommenders.ts";
import { simulate, totalUsd } from "./simulate.ts";

const DAY_SECONDS = 86_400;

/** What tuning may choose from. */
const CHOICES: { readonly [Key in keyof RequestPolicy]: readonly number[] } = {
  cpuPercentile: [0.9, 0.95, 0.98, 0.99, 0.995],
  cpuMargin: [1, 1.05, 1.1, 1.15, 1.25],
  memoryPercentile: [0.95, 1],
  memoryMargin: [1.02, 1.05, 1.1, 1.15, 1.25],
  halfLifeSeconds: [1, 3, 7, 14].map((days) => days * DAY_SECONDS),
  horizonDays: [0, 4, 7, 10],
};

function meanTotalUsd(policy: RequestPolicy, seeds: readonly number[], harm: HarmPrices): number {
  const recommender: Recommender = { id: "tuned", title: "tuned", recommend: bedplate(policy) };
  const totals = seeds.map((seed) => totalUsd(simulate(seed, recommender, harm), harm));
  return totals.reduce((sum, total) => sum + total, 0) / totals.length;
}

/**
 * Better numbers for our policy by coordinate descent, from those it has: one number after the other, twice around.
 * The seeds must be others than those that results are reported of.
 */
export function tunePolicy(
  seeds: readonly number[],
  harm: HarmPrices,
  progress: (text: string) => void,
): RequestPolicy {
  let best = { policy: REQUEST_POLICY, usd: meanTotalUsd(REQUEST_POLICY, seeds, harm) };
  progress(`start: ${best.usd.toFixed(2)} USD`);
  for (let sweep = 0; sweep < 2; sweep += 1) {
    for (const key of Object.keys(CHOICES) as (keyof RequestPolicy)[]) {
      for (const value of CHOICES[key]) {
        if (best.policy[key] === value) continue;
        const policy = { ...best.policy, [key]: value };
        const usd = meanTotalUsd(policy, seeds, harm);
        if (usd < best.usd) best = { policy, usd };
      }
      progress(`${key} = ${best.policy[key]}: ${best.usd.toFixed(2)} USD`);
    }
  }
  return best.policy;
}
