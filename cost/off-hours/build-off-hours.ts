import type { AwsPool, Environment } from "../../components/environment/environment-spec.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { chooseInstanceTypes } from "../catalogue/choose-instance-type.ts";
import { formatDecimal, parseDecimal, roundDecimal } from "../money/exact-decimal.ts";
import {
  type Commitments,
  NO_COMMITMENTS,
  type RunningHosts,
  uncoveredPerHour,
} from "../right-size/commitments.ts";
import type { OffHours } from "./off-hours.ts";
import { proposeSchedule } from "./propose-schedule.ts";
import type { HourlyCalls } from "./read-hourly-calls.ts";

export interface OffHoursArgs {
  readonly environment: Environment;
  readonly calls: HourlyCalls;
  readonly source: string;
  readonly timeZone: string;
  readonly catalogue: Catalogue;
  readonly commitments: Commitments;
}

const MINOR_DIGITS = 2;

interface PoolHosts {
  readonly pool: AwsPool;
  readonly hosts: RunningHosts | undefined;
}

function hostsOf(pool: AwsPool, catalogue: Catalogue): PoolHosts {
  const [spec] = chooseInstanceTypes(pool, catalogue).ranked;
  return spec?.price.kind === "priced"
    ? { pool, hosts: { spec, pricePerHour: spec.price.amount, count: pool.count } }
    : { pool, hosts: undefined };
}

function poolRow({ pool, hosts }: PoolHosts): OffHours["pools"][number] {
  return {
    pool: pool.name,
    instanceType: hosts?.spec.type ?? null,
    count: pool.count,
    perHour: hosts === undefined ? null : uncoveredPerHour([hosts], NO_COMMITMENTS).toFixed(),
  };
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function assumptionsOf({ environment, commitments }: OffHoursArgs): string[] {
  const hasCommitments = commitments.reservations.length + commitments.savingsPlans.length > 0;
  const spot = environment.hostPools.some((pool) => pool.where === "aws" && pool.spot);
  return [
    "outside of the schedule there are no hosts: a call then fails, and nothing else may need them",
    "hosts start an hour before the first call that was seen",
    hasCommitments
      ? "commitments are paid in off hours too; only on-demand use above them is saved"
      : "no commitments were given (--commitments, --bill): all hosts are taken to be paid on demand",
    "hosts alone are counted: their root volumes go with them, load balancers and clusters stay",
    ...(spot ? ["spot is counted at the on-demand price: its saving is lower"] : []),
  ];
}

function notesOf({ environment, calls }: OffHoursArgs, pools: readonly PoolHosts[]): string[] {
  const others = environment.hostPools.filter(({ where }) => where !== "aws");
  return [
    ...pools
      .filter(({ hosts }) => hosts === undefined)
      .map(({ pool }) => `pool ${pool.name} is unpriced: its saving is not counted`),
    ...(others.length === 0
      ? []
      : [`no schedule stops ${others.map(({ name }) => name).join(", ")}: those hosts are not AWS's`]),
    ...calls.warnings.map((warning) => `Prometheus warns: ${warning}`),
  ];
}

/** A schedule by the hours without calls, and what it saves on top of what is committed. Pure. */
export function buildOffHours(args: OffHoursArgs): OffHours {
  const { environment, calls, source, timeZone, catalogue, commitments } = args;
  const { schedule } = environment;
  const now = { running: schedule.running, hoursPerMonth: schedule.hoursPerMonth };
  const { proposal, because, confidence } = proposeSchedule({ hours: calls.hours, timeZone, now });
  const pools = environment.hostPools
    .filter((pool) => pool.where === "aws")
    .map((pool) => hostsOf(pool, catalogue));
  const hosts = pools.flatMap((pool) => pool.hosts ?? []);
  const hoursSaved = proposal === null ? 0 : now.hoursPerMonth - proposal.hoursPerMonth;
  // Quotients of discounts have no last digit; a millionth of a cent is below what any bill has.
  const saved = (owned: Commitments): string =>
    uncoveredPerHour(hosts, owned).times(hoursSaved).toDecimalPlaces(12).toFixed();
  const perMonth = saved(commitments);
  const count = (isCalled: boolean | undefined): number =>
    calls.hours.filter((hour) => hour.isCalled === isCalled).length;
  const [first] = calls.hours;
  const last = calls.hours.at(-1);
  return {
    apiVersion: API_VERSION,
    kind: "OffHours",
    environment: environment.name,
    team: environment.owner.team,
    region: environment.region,
    currency: catalogue.currency,
    pricesAsOf: catalogue.pricesAsOf,
    usage: {
      source,
      first: isoTime(first?.startSeconds ?? 0),
      last: isoTime((last?.startSeconds ?? 0) + 3600),
      watchedHours: count(true) + count(false),
      unwatchedHours: count(undefined),
      busyHours: count(true),
    },
    timeZone,
    now: { running: now.running ?? null, hoursPerMonth: now.hoursPerMonth },
    proposal,
    because,
    confidence,
    pools: pools.map(poolRow),
    saving: {
      perMonth,
      perMonthRounded: formatDecimal(roundDecimal(parseDecimal(perMonth), MINOR_DIGITS), MINOR_DIGITS),
      beforeCommitmentsPerMonth: saved(NO_COMMITMENTS),
    },
    assumptions: assumptionsOf(args),
    notes: notesOf(args, pools),
  };
}
