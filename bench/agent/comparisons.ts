import type { AgentBench, Sample } from "./agent-bench.ts";
import { type Spread, ratioSpreadOf } from "../spread.ts";

/** Some steps of a contender, one after the other. */
interface Run {
  readonly contender: string;
  readonly steps: readonly string[];
}

/** Two runs that bring a host to about the same end. */
interface Comparison {
  readonly title: string;
  readonly of: Run;
  readonly to: Run;
}

/** What the project aims at: this share of TuneD's wall time. */
export const AIM_RATIO = 0.25;

const DAEMON = ["daemon start", "profile", "verify"];
const FULL = ["apply", "verify"];

/** The first is the one that the aim is for. */
export const COMPARISONS: readonly [Comparison, ...Comparison[]] = [
  {
    title: "apply, verify / TuneD start, profile, verify",
    of: { contender: "bedplate", steps: FULL },
    to: { contender: "tuned", steps: DAEMON },
  },
  {
    title: "apply, which reads back / the same of TuneD",
    of: { contender: "bedplate", steps: ["apply"] },
    to: { contender: "tuned", steps: DAEMON },
  },
  {
    title: "apply, verify, TuneD's settings only / same",
    of: { contender: "bedplate-same", steps: FULL },
    to: { contender: "tuned", steps: DAEMON },
  },
  {
    title: "apply, verify / TuneD already running",
    of: { contender: "bedplate", steps: FULL },
    to: { contender: "tuned", steps: ["profile", "verify"] },
  },
  {
    title: "apply, verify / TuneD, both after a boot",
    of: { contender: "bedplate-cold", steps: FULL },
    to: { contender: "tuned-cold", steps: DAEMON },
  },
  {
    title: "apply, verify / TuneD, first run on a host",
    of: { contender: "bedplate-first", steps: FULL },
    to: { contender: "tuned-cold", steps: DAEMON },
  },
  {
    title: "apply / TuneD one-shot (it cannot verify)",
    of: { contender: "bedplate", steps: ["apply"] },
    to: { contender: "tuned-one-shot", steps: ["apply"] },
  },
  {
    title: "apply / TuneD one-shot, both after a boot",
    of: { contender: "bedplate-cold", steps: ["apply"] },
    to: { contender: "tuned-one-shot-cold", steps: ["apply"] },
  },
  {
    title: "apply again, nothing to change / first apply",
    of: { contender: "bedplate", steps: ["apply again"] },
    to: { contender: "bedplate", steps: ["apply"] },
  },
  {
    title: "apply / node -e 0",
    of: { contender: "bedplate", steps: ["apply"] },
    to: { contender: "node", steps: ["start and end"] },
  },
];

/** Of one comparison, round by round: below 1 where the first of the two needs less. */
export interface Ratios {
  readonly title: string;
  readonly wall: Spread;
  readonly cpu: Spread;
  readonly maxRss: Spread;
}

/** @throws {RangeError} when the result lacks a contender or a step that is compared */
export function ratiosOf(bench: AgentBench, { title, of, to }: Comparison): Ratios {
  const [ours, theirs] = [totalsOf(bench, of), totalsOf(bench, to)];
  const ratio = (pick: (total: Sample) => number): Spread => ratioSpreadOf(ours.map(pick), theirs.map(pick));
  return {
    title,
    wall: ratio((total) => total.wallMillis),
    cpu: ratio((total) => total.cpuMillis),
    maxRss: ratio((total) => total.maxRssKiB),
  };
}

/** A run's steps together, by round: times add up, of peaks the largest counts. */
export function totalsOf(bench: AgentBench, run: Run): Sample[] {
  const contender = bench.contenders.find(({ id }) => id === run.contender);
  const steps = run.steps.map((name) => contender?.steps.find((step) => step.name === name));
  return Array.from({ length: bench.rounds }, (_, round) =>
    steps
      .map((step, index) => {
        const sample = step?.samples[round];
        if (sample === undefined) {
          throw new RangeError(`No round ${round + 1} of ${run.contender}, ${run.steps[index]}`);
        }
        return sample;
      })
      .reduce((total, sample) => ({
        wallMillis: total.wallMillis + sample.wallMillis,
        cpuMillis: total.cpuMillis + sample.cpuMillis,
        maxRssKiB: Math.max(total.maxRssKiB, sample.maxRssKiB),
        peakCgroupKiB: Math.max(total.peakCgroupKiB, sample.peakCgroupKiB),
      })),
  );
}
