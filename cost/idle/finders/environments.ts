import type { Finder, Known, WatchedEnvironment } from "../finder.ts";
import { dayOf, exact, hoursBetween, type Judgement, lastDayOf, perMonthOf } from "../finding.ts";
import type { Finding, WHOLE_ENVIRONMENTS } from "../idle-report.ts";

type EnvironmentKind = (typeof WHOLE_ENVIRONMENTS)[number];

function environmentFinding(
  kind: EnvironmentKind,
  { environment, cost }: WatchedEnvironment,
  { first, last }: Known["charges"],
  { confidence, evidence, unusedSince }: Judgement,
  action: string,
): Finding {
  return {
    kind,
    resource: environment.name,
    account: null,
    region: environment.region,
    team: environment.owner.team,
    environment: environment.name,
    since: dayOf(unusedSince ?? first),
    charges: { first: dayOf(first), last: lastDayOf(last), lines: cost.lines },
    cost: { billed: exact(cost.billed), effective: exact(cost.effective) },
    ...perMonthOf(cost.effective, hoursBetween(first, last), cost.currency),
    confidence,
    evidence: [...evidence],
    action,
  };
}

/** Environments with a cost in the bill that are past the day in their file. */
export const expiredEnvironment: Finder = {
  roles: [],
  find: ({ environments, charges, today }) =>
    environments.flatMap((watched) => {
      const { name, expires } = watched.environment;
      if (watched.cost.lines === 0 || expires === undefined || expires >= today) return [];
      const judgement: Judgement = {
        confidence: "high",
        evidence: [`its file says that it expires on ${expires}, and it is ${today}`],
        unusedSince: expires,
      };
      const action = `pulumi destroy -s ${name}, or a later day in its file`;
      return [environmentFinding("expired-environment", watched, charges, judgement, action)];
    }),
};

/** Environments with a cost in the bill whose service nobody called, as Prometheus saw it. */
export const unusedEnvironment: Finder = {
  roles: [],
  find: ({ environments, charges }) =>
    environments.flatMap((watched) => {
      const { environment, calls, cost } = watched;
      const called = calls?.rows.reduce((sum, row) => sum + row.calls, 0);
      if (cost.lines === 0 || calls === undefined || called !== 0 || calls.watchedDays === 0) return [];
      const days = Math.round(hoursBetween(charges.first, charges.last) / 24);
      const judgement: Judgement = {
        confidence: calls.watchedDays >= days ? "high" : "low",
        evidence: [
          `no tool call on the ${calls.watchedDays} of ${days} days that Prometheus scraped its service`,
        ],
      };
      const action = `ask ${environment.owner.team} whether it is needed; cost off-hours where it is at times`;
      return [environmentFinding("unused-environment", watched, charges, judgement, action)];
    }),
  notes: ({ environments }) =>
    environments
      .filter(({ cost }) => cost.lines === 0)
      .map(
        ({ environment: { name } }) =>
          `the bill has nothing tagged ${name}: is the tag "environment" activated for cost allocation?`,
      ),
};
