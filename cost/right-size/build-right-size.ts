import type { Decimal } from "decimal.js";
import type { Environment } from "../../components/environment/environment-spec.ts";
import { formatPath } from "../../host-tuning/profile/parse-contract.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { formatDecimal, parseDecimal, roundDecimal } from "../money/exact-decimal.ts";
import { type Commitments, NO_COMMITMENTS, type RunningHosts, uncoveredPerHour } from "./commitments.ts";
import { containersOf, type ObservedUsage } from "./container-usage.ts";
import { type PlannedPool, planPool, type PoolLoad } from "./plan-pools.ts";
import { loadsOf } from "./pool-loads.ts";
import type { EnvironmentChange, RightSizeReport, WorkloadReport } from "./right-size-report.ts";
import { GPU_DEVICE, type SizedContainer, serviceAfter, sizeContainer } from "./size-containers.ts";

const MINOR_DIGITS = 2;

export interface RightSizeInput {
  readonly environment: Environment;
  readonly usage: ObservedUsage;
  readonly catalogue: Catalogue;
  readonly commitments: Commitments;
}

/** Pool by pool, each with the others' newest hosts: commitments cover all of them together. */
function planAll(input: RightSizeInput, loads: readonly PoolLoad[]): readonly PlannedPool[] {
  const { catalogue, commitments, environment } = input;
  const { hoursPerMonth } = environment.schedule;
  const alone = { others: [], catalogue, commitments: NO_COMMITMENTS, hoursPerMonth };
  const hosts = loads.map((load) => planPool({ ...load, leftBecause: "" }, alone).now);
  return loads.map((load, index) => {
    const others = hosts.filter((_, other) => other !== index).filter((other) => other !== undefined);
    const planned = planPool(load, { others, catalogue, commitments, hoursPerMonth });
    hosts[index] = planned.after;
    return planned;
  });
}

function changesOf(
  environment: Environment,
  loads: readonly PoolLoad[],
  planned: readonly PlannedPool[],
  sized: readonly SizedContainer[],
): readonly EnvironmentChange[] {
  const after = serviceAfter(environment, sized);
  const { service } = environment;
  const changes: EnvironmentChange[] = [
    { path: "service.cpus", from: service.cpus, to: after.cpus },
    { path: "service.memoryMiB", from: service.memoryMiB, to: after.memoryMiB },
    {
      path: formatPath(["service", "kubernetes", "devices", GPU_DEVICE]),
      from: service.kubernetes?.devices[GPU_DEVICE] ?? 0,
      to: after.gpus,
    },
  ];
  for (const [index, { after: hosts, needs }] of planned.entries()) {
    const pool = loads[index]?.pool;
    if (pool === undefined || hosts === undefined) continue;
    const at = `hostPools[${environment.hostPools.indexOf(pool)}]`;
    changes.push({ path: `${at}.count`, from: pool.count, to: hosts.count });
    if (pool.maxCount !== undefined) {
      changes.push({ path: `${at}.maxCount`, from: pool.maxCount, to: Math.max(pool.maxCount, hosts.count) });
    }
    for (const key of ["vcpus", "memoryGiB", "gpus"] as const) {
      changes.push({ path: `${at}.needs.${key}`, from: pool.needs[key], to: needs[key] });
    }
  }
  return changes.filter(({ from, to }) => from !== to);
}

function savingOf(
  { environment, commitments }: RightSizeInput,
  planned: readonly PlannedPool[],
): RightSizeReport["saving"] {
  const now = planned.flatMap((pool) => pool.now ?? []);
  const after = planned.flatMap((pool) => pool.after ?? []);
  const { hoursPerMonth } = environment.schedule;
  const saved = (owned: Commitments): Decimal =>
    uncoveredPerHour(now, owned).minus(uncoveredPerHour(after, owned)).times(hoursPerMonth);
  const net = saved(commitments);
  const gross = saved(NO_COMMITMENTS);
  const count = (hosts: readonly RunningHosts[]): number => hosts.reduce((sum, host) => sum + host.count, 0);
  // Quotients of discounts have no last digit; a millionth of a cent is below what any bill has.
  const perMonth = net.toDecimalPlaces(12).toFixed();
  return {
    perMonth,
    perMonthRounded: formatDecimal(roundDecimal(parseDecimal(perMonth), MINOR_DIGITS), MINOR_DIGITS),
    beforeCommitmentsPerMonth: gross.toDecimalPlaces(12).toFixed(),
    hostsNow: count(now),
    hostsAfter: count(after),
    because: savingBecause(net, gross, count(now) - count(after)),
  };
}

function savingBecause(net: Decimal, gross: Decimal, gone: number): string {
  if (net.isZero()) {
    return "no host disappears that is not paid for anyway, and none gets cheaper: smaller requests alone save nothing, they only leave more idle";
  }
  if (net.isNegative()) return "the hosts are too few or too small for what was measured";
  const hosts =
    gone > 0 ? `${gone} ${gone === 1 ? "host disappears" : "hosts disappear"}` : "hosts get cheaper";
  return net.equals(gross) ? hosts : `${hosts}; the rest of ${gross.toFixed(2)} is paid for by commitments`;
}

function assumptionsOf({ environment, commitments }: RightSizeInput): readonly string[] {
  const { hoursPerMonth } = environment.schedule;
  const hasCommitments = commitments.reservations.length + commitments.savingsPlans.length > 0;
  const spot = environment.hostPools.filter((pool) => pool.where === "aws" && pool.spot);
  return [
    hasCommitments
      ? "commitments are paid on; only on-demand use above them is saved"
      : "no commitments were given (--commitments, --bill): all hosts are taken to be paid on demand",
    `hosts run ${hoursPerMonth} hours a month`,
    "a pool keeps the lesser of its count and 2 hosts, so that one can be lost",
    ...(environment.service.runtime === "kubernetes"
      ? [
          "room is left for one pod more of the service, which a rollout starts before it stops one",
          "hosts keep for themselves what the agent tells the kubelet, and EC2 7.5 % of memory",
          "the service runs on the first pool that it names; other pods on the first that takes them: GPUs, taints",
        ]
      : ["the service runs once on each host, so the number of hosts stays"]),
    ...(spot.length === 0 ? [] : ["spot is counted at the on-demand price: its saving is lower"]),
    "whole CPUs and 64 MiB of memory are the steps of the environment file",
  ];
}

function notesOf(usage: ObservedUsage, sized: readonly SizedContainer[]): readonly string[] {
  const of = (report: WorkloadReport): string => `${report.namespace}/${report.owner} ${report.container}`;
  const service = sized.find(({ report }) => report.isOfEnvironment)?.report;
  const unsure = [service?.cpuCores.confidence, service?.memoryBytes.confidence].find(
    (confidence) => confidence !== undefined && confidence.level !== "high",
  );
  return [
    ...usage.notes,
    ...(service === undefined
      ? ["no container of the environment's service was seen: its requests stay"]
      : []),
    ...(unsure === undefined ? [] : [`the service's requests stay as they are: ${unsure.because}`]),
    ...sized
      .filter(({ report }) => report.oomKills > 0)
      .map(({ report }) => `${of(report)}: ${report.oomKills} out-of-memory kills`),
    ...sized
      .filter(({ report }) => report.isLeaking)
      .map(({ report }) => `${of(report)}: memory grows as long as a pod lives; no request holds a leak`),
  ];
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** Recommendations for every container that was seen, and the hosts that the environment would then need. Pure. */
export function buildRightSize(input: RightSizeInput): RightSizeReport {
  const { environment, usage, catalogue } = input;
  const sized = containersOf(usage).map((container) => sizeContainer(container, environment, usage.window));
  const loads = loadsOf(environment, sized);
  const planned = planAll(input, loads);
  return {
    apiVersion: API_VERSION,
    kind: "RightSizing",
    environment: environment.name,
    region: environment.region,
    currency: catalogue.currency,
    pricesAsOf: catalogue.pricesAsOf,
    usage: {
      source: usage.source,
      first: isoTime(usage.window.firstSeconds),
      last: isoTime(usage.window.lastSeconds),
      stepSeconds: usage.window.stepSeconds,
      metrics: [...new Set(usage.series.map(({ metric }) => metric))].toSorted(),
    },
    workloads: sized.map(({ report }) => report),
    pools: planned.map(({ plan }) => plan),
    saving: savingOf(input, planned),
    changes: [...changesOf(environment, loads, planned, sized)],
    assumptions: [...assumptionsOf(input)],
    notes: [...notesOf(usage, sized)],
  };
}
