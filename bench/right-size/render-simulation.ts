import type { Simulation, SimulationRow } from "./simulation-results.ts";

function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

function rowText(row: SimulationRow): string {
  return `| ${[
    row.title,
    row.hostUsd.toFixed(0),
    row.oomKillsPerPodWeek.toFixed(3),
    row.oomKillsPerPodWeekWithoutLeaks.toFixed(3),
    percent(row.throttledShare, 2),
    row.totalUsd.toFixed(0),
    percent(row.regretShare),
    percent(row.regretWorstShare),
  ].join(" | ")} |`;
}

function harmSection({ name, harm, rows }: Simulation["harms"][number]): readonly string[] {
  return [
    `## Harm is ${name}: ${harm.usdPerOomKill} USD a kill, ${harm.usdPerThrottledPodHour} USD a throttled pod-hour`,
    "",
    "| recommender | hosts, USD | kills a pod-week | without leaks | throttled | hosts and harm, USD | regret | worst cluster |",
    "|---|---:|---:|---:|---:|---:|---:|---:|",
    ...rows.map(rowText),
    "",
  ];
}

/** Who comes out cheapest under one assumption of harm, and where ours stands: good or bad. */
function standing({ name, rows }: Simulation["harms"][number]): string {
  const ranked = rows.filter(({ id }) => id !== "clairvoyant").toSorted((a, b) => a.totalUsd - b.totalUsd);
  const place = ranked.findIndex(({ id }) => id === "bedplate") + 1;
  const order = ranked.map((row) => `${row.title} ${percent(row.regretShare)}`).join(", ");
  return `- harm ${name}: Bedplate is ${place} of ${ranked.length}. Regret: ${order}.`;
}

/** The simulation as a page. */
export function renderSimulation(simulation: Simulation): string {
  const { reportedSeeds: reported, tuningSeeds: tuning, policy } = simulation;
  const clusters = reported.last - reported.first + 1;
  return [
    "# Right-sizing against simulated clusters",
    "",
    `Simulated on ${simulation.simulatedOn} (${simulation.ranOn}), ${clusters} clusters (seeds ${reported.first} to ${reported.last}), prices of ${simulation.pricesAsOf}. USD and rates are of a week of the mean cluster. The same seeds give the same numbers on every machine: \`npm run bench:right-size\` repeats them.`,
    "",
    "A cluster has two or three workloads of each kind: diurnal with quiet weekends, bursty, growing, leaking (restarted every third day), nightly batch, steady; two to seven pods each. Most ask for 1.2 to 3 times the peak of their first days, some for about that peak. Fourteen days are seen; then a recommender sets requests, which are limits too, for a week, sees what became of it under them, and sets the next. Use above the CPU limit is cut off; memory above the limit kills. The pods of a week are packed by the scheduler's rule on the cheapest of c6i, m6i and r6i hosts.",
    "",
    "The clairvoyant choice knows the week that comes: the highest memory, and the CPU at which a core more costs more than the harm it prevents. Regret is how much dearer hosts and harm together are than with that choice. What harm costs is an assumption, so three are shown: where a throttled hour is nearly free, the lowest requests win, and where it is dear, the most careful.",
    "",
    `The VPA and KRR rows are their documented formulas on the same traces, applied once a week without their updaters, not their programs. Bedplate's numbers were chosen on seeds ${tuning.first} to ${tuning.last} at the middle harm (\`npm run bench:right-size -- tune\`) and not on those reported: ${Object.entries(
      policy,
    )
      .map(([key, value]) => `${key} ${value}`)
      .join(", ")}.`,
    "",
    "## Result",
    "",
    ...simulation.harms.map(standing),
    "",
    ...simulation.harms.flatMap(harmSection),
    "Read with care: the traces are made up, with the kinds of change that right-sizing meets, and not measured in a real fleet. Bedplate's numbers were chosen on clusters of the same kind at the middling harm, the others' were chosen by nobody for these: that favours Bedplate there. Where harm is cheap, VPA's and KRR's lower requests are the better choice; where it is very dear, more than Bedplate asks for. VPA adapts within hours where it may evict pods; a week between changes is the rhythm of a reviewed file, and favours recommenders that look ahead.",
    "",
  ].join("\n");
}
