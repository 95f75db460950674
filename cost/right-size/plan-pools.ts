import { Decimal } from "decimal.js";
import type { AwsPool, HostNeeds } from "../../components/environment/environment-spec.ts";
import type { Catalogue, InstanceType } from "../catalogue/catalogue.ts";
import { chooseInstanceTypes, cpuOptionsOf } from "../catalogue/choose-instance-type.ts";
import { type Commitments, type RunningHosts, uncoveredPerHour } from "./commitments.ts";
import { allocatableOf, type Room, without } from "./host-capacity.ts";
import { packHosts, type PodGroup } from "./pack-hosts.ts";
import type { PoolPlan } from "./right-size-report.ts";

/** A pool with the pods that are to run on it. */
export interface PoolLoad {
  readonly pool: AwsPool;
  readonly pods: readonly PodGroup[];
  /** What runs on every host: daemons. */
  readonly perHost: Room;
  /** Hosts below which the pool never goes. */
  readonly leastHosts: number;
  /** Why the pool is not looked at. */
  readonly leftBecause?: string;
}

/** Hosts of one type with a price. */
interface PricedHosts extends RunningHosts {
  readonly lowerBound: number | null;
}

export interface PlannedPool {
  readonly plan: PoolPlan;
  readonly now: RunningHosts | undefined;
  readonly after: RunningHosts | undefined;
  /** The needs that choose the type after, where it is another one. */
  readonly needs: Pick<HostNeeds, "vcpus" | "memoryGiB" | "gpus">;
}

/** The pool's needs without their size: what every type that may replace it has to have. */
function sizelessNeeds({ pool, pods }: PoolLoad): HostNeeds {
  const gpus = pool.needs.gpus === 0 ? 0 : Math.max(1, ...pods.map(({ takes }) => takes.gpus));
  return { ...pool.needs, vcpus: 1, memoryGiB: 0.5, gpus };
}

/** The pool's needs in the size of a type. */
function needsOf(spec: InstanceType, load: PoolLoad): HostNeeds {
  const { gpus } = sizelessNeeds(load);
  const options = cpuOptionsOf(spec, load.pool.needs);
  const vcpus = options === undefined ? spec.vcpus : options.coreCount * options.threadsPerCore;
  return { ...load.pool.needs, vcpus, memoryGiB: spec.memoryMiB / 1024, gpus };
}

function pricedHosts(spec: InstanceType, count: number, lowerBound: number | null): PricedHosts | undefined {
  return spec.price.kind === "priced"
    ? { spec, pricePerHour: spec.price.amount, count, lowerBound }
    : undefined;
}

/** Hosts of `spec` that hold the pool's pods. */
function hostsOf(spec: InstanceType, load: PoolLoad): PricedHosts | undefined {
  const options = cpuOptionsOf(spec, load.pool.needs);
  const packing = packHosts(load.pods, without(allocatableOf(spec, options), load.perHost));
  if (packing.kind === "unfit") return undefined;
  return pricedHosts(spec, Math.max(packing.hosts, load.leastHosts), packing.lowerBound);
}

/**
 * The cheapest hosts that hold the pool's pods: by what is paid on top of the commitments, then by list price, then
 * those that change least. A type counts only when the environment's needs can ask for it: the cheapest type of its size.
 */
function cheapestHosts(
  load: PoolLoad,
  current: InstanceType,
  catalogue: Catalogue,
  paid: (hosts: RunningHosts) => Decimal,
): PricedHosts | undefined {
  const candidates = chooseInstanceTypes({ ...load.pool, needs: sizelessNeeds(load) }, catalogue).ranked;
  const ranked = candidates
    .flatMap((spec) => {
      const hosts = hostsOf(spec, load);
      if (hosts === undefined) return [];
      const listed = new Decimal(hosts.pricePerHour).times(hosts.count);
      return [{ hosts, paid: paid(hosts), listed, isOther: spec.type !== current.type }];
    })
    .toSorted(
      (a, b) =>
        a.paid.comparedTo(b.paid) ||
        a.listed.comparedTo(b.listed) ||
        Number(a.isOther) - Number(b.isOther) ||
        a.hosts.count - b.hosts.count,
    );
  return ranked.find(
    ({ hosts: { spec }, isOther }) =>
      !isOther ||
      chooseInstanceTypes({ ...load.pool, needs: needsOf(spec, load) }, catalogue).ranked[0]?.type ===
        spec.type,
  )?.hosts;
}

function perMonth(hosts: RunningHosts, hoursPerMonth: number): string {
  return new Decimal(hosts.pricePerHour).times(hosts.count).times(hoursPerMonth).toFixed();
}

function hostsText({ spec, count }: RunningHosts): string {
  return `${count} x ${spec.type}`;
}

function podsOf(load: PoolLoad): PoolPlan["pods"] {
  return load.pods.map(({ name, count, takes }) => ({
    name,
    count,
    milliCpus: takes.milliCpus,
    memoryMiB: takes.memoryMiB,
    gpus: takes.gpus,
  }));
}

function hostsReport(hosts: RunningHosts, hoursPerMonth: number): NonNullable<PoolPlan["now"]> {
  return { instanceType: hosts.spec.type, count: hosts.count, perMonth: perMonth(hosts, hoursPerMonth) };
}

/** Whether the pods fit on the pool as it is. */
function fitsOn(hosts: RunningHosts, load: PoolLoad): boolean {
  const needed = hostsOf(hosts.spec, load);
  return needed !== undefined && needed.count <= hosts.count;
}

function stayBecause(load: PoolLoad, now: PricedHosts, cheapest: PricedHosts): string {
  if (cheapest.spec.type !== now.spec.type || cheapest.count < now.count) {
    return `the pods would fit on ${hostsText(cheapest)}, which saves nothing while commitments pay for ${hostsText(now)}`;
  }
  if (cheapest.count === load.leastHosts && (cheapest.lowerBound ?? 0) < cheapest.count) {
    return `the pods would fit on fewer hosts; ${load.leastHosts} stay, so that one can be lost`;
  }
  return "no host disappears and no type that fits is cheaper";
}

/** What planning a pool goes by, beside its load. */
export interface PoolSurroundings {
  /** Hosts of the other pools as they are to be: commitments are shared among all. */
  readonly others: readonly RunningHosts[];
  readonly catalogue: Catalogue;
  readonly commitments: Commitments;
  readonly hoursPerMonth: number;
}

/** The hosts that a pool should have. What cannot be planned is `left` or `unpriced`, with the reason. Pure. */
export function planPool(load: PoolLoad, surroundings: PoolSurroundings): PlannedPool {
  const { others, catalogue, commitments, hoursPerMonth } = surroundings;
  const { pool } = load;
  const [current] = chooseInstanceTypes(pool, catalogue).ranked;
  const base = { pool: pool.name, lowerBound: null, pods: podsOf(load) };
  const needs = { vcpus: pool.needs.vcpus, memoryGiB: pool.needs.memoryGiB, gpus: pool.needs.gpus };
  const stay = (outcome: PoolPlan["outcome"], because: string, now?: PricedHosts): PlannedPool => {
    const hosts = now === undefined ? null : hostsReport(now, hoursPerMonth);
    const lowerBound = now?.lowerBound ?? null;
    return {
      plan: { ...base, outcome, now: hosts, after: hosts, lowerBound, because },
      now,
      after: now,
      needs,
    };
  };
  if (current === undefined) return stay("left", "no instance type satisfies its needs as they are");
  const now = pricedHosts(current, pool.count, null);
  if (now === undefined) {
    const because = current.price.kind === "unpriced" ? current.price.because : "";
    return stay("unpriced", `${current.type}: ${because}`);
  }
  if (load.leftBecause !== undefined) return stay("left", load.leftBecause, now);
  const paid = (hosts: RunningHosts): Decimal => uncoveredPerHour([...others, hosts], commitments);
  const cheapest = cheapestHosts(load, current, catalogue, paid);
  if (cheapest === undefined) return stay("left", "no instance type with a price holds its largest pod", now);
  const fitsNow = fitsOn(now, load);
  if (fitsNow && paid(cheapest).greaterThanOrEqualTo(paid(now))) {
    return stay("already-right", stayBecause(load, now, cheapest), {
      ...now,
      lowerBound: cheapest.lowerBound,
    });
  }
  const chosen = needsOf(cheapest.spec, load);
  return {
    plan: {
      ...base,
      outcome: "changed",
      now: hostsReport(now, hoursPerMonth),
      after: hostsReport(cheapest, hoursPerMonth),
      lowerBound: cheapest.lowerBound,
      because: fitsNow
        ? `the pods fit on ${hostsText(cheapest)}`
        : `the pods do not fit on ${hostsText(now)}: ${hostsText(cheapest)} hold them`,
    },
    now,
    after: cheapest,
    needs:
      now.spec.type === cheapest.spec.type
        ? needs
        : { vcpus: chosen.vcpus, memoryGiB: chosen.memoryGiB, gpus: chosen.gpus },
  };
}
