import { Decimal } from "decimal.js";
import {
  type AwsPool,
  type Environment,
  type HostPool,
  ownerTags,
} from "../../components/environment/environment-spec.ts";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import {
  chooseInstanceTypes,
  type InstanceTypeChoice,
  nearestRejections,
} from "../catalogue/choose-instance-type.ts";
import {
  addDecimals,
  formatDecimal,
  parseDecimal,
  roundToTotal,
  subtractDecimals,
} from "../money/exact-decimal.ts";
import type { CostEstimate, EstimateLine, EstimateTotal, PricedLine } from "./cost-estimate.ts";

/** The keys that an estimate can be split by: the owner tags that the bill is split by too. */
export const ESTIMATE_KEYS = ["team", "cost-center", "service", "environment"] as const;

export type EstimateKey = (typeof ESTIMATE_KEYS)[number];

/** Wide enough that a product of price, hours and count is never rounded. */
const Exact = Decimal.clone({ precision: 60 });

const MINOR_DIGITS = 2;

/** How many families a message about unmet needs names. */
const NAMED_FAMILIES = 3;

/** A line before its cents are shared out. */
export type UnroundedLine =
  | Exclude<EstimateLine, { kind: "priced" }>
  | Omit<PricedLine, "perMonthRounded" | "perMonthAtMostRounded">;

type OwnerKeys = EstimateLine["owner"];

/** Who pays for an environment, under the keys that the bill is split by. */
export function ownerKeysOf(environment: Environment): OwnerKeys {
  const { "managed-by": _, ...keys } = ownerTags(environment);
  return keys;
}

/** Exact cost of `count` hosts for a month. */
export function perMonth(pricePerHour: string, hoursPerMonth: number, count: number): string {
  return new Exact(pricePerHour).times(hoursPerMonth).times(count).toFixed();
}

function awsPoolLines(
  pool: AwsPool,
  choice: InstanceTypeChoice,
  environment: Environment,
): readonly UnroundedLine[] {
  const owner = ownerKeysOf(environment);
  const base = { pool: pool.name, owner };
  const [chosen] = choice.ranked;
  if (chosen === undefined) return [];
  const { price, type: instanceType } = chosen;
  const { hoursPerMonth } = environment.schedule;
  const maxCount = pool.maxCount ?? pool.count;
  const hosts: UnroundedLine =
    price.kind === "priced"
      ? {
          kind: "priced",
          ...base,
          item: `${instanceType} hosts`,
          instanceType,
          count: pool.count,
          maxCount,
          hoursPerMonth,
          pricePerHour: price.amount,
          perMonth: perMonth(price.amount, hoursPerMonth, pool.count),
          perMonthAtMost: perMonth(price.amount, hoursPerMonth, maxCount),
        }
      : { kind: "unpriced", ...base, item: `${instanceType} hosts`, instanceType, because: price.because };
  return [
    hosts,
    {
      kind: "unpriced",
      ...base,
      item: `${pool.count} x ${pool.rootVolumeGiB} GiB root volume (EBS gp3)`,
      instanceType: null,
      because: "the catalogue has no EBS prices",
    },
  ];
}

const NOT_BILLED = {
  local: "runs on this machine",
  ssh: "the machines exist already; nothing is bought",
  metal3: "the racks exist already; nothing is bought",
} as const satisfies Record<Exclude<HostPool["where"], "aws">, string>;

function poolLines(
  pool: HostPool,
  choice: InstanceTypeChoice | undefined,
  environment: Environment,
): readonly UnroundedLine[] {
  if (pool.where === "aws") return choice === undefined ? [] : awsPoolLines(pool, choice, environment);
  return [
    {
      kind: "not-billed",
      pool: pool.name,
      item: `${pool.count} ${pool.where} ${pool.count === 1 ? "host" : "hosts"}`,
      owner: ownerKeysOf(environment),
      because: NOT_BILLED[pool.where],
    },
  ];
}

/** What an environment on AWS also pays for, by use or by a price that the catalogue lacks. */
function environmentLines(environment: Environment): readonly UnroundedLine[] {
  if (environment.hostPools.every((pool) => pool.where !== "aws")) return [];
  const base = { kind: "unpriced", pool: null, instanceType: null, owner: ownerKeysOf(environment) } as const;
  return [
    { ...base, item: "traffic, storage requests and logs", because: "their cost follows their use" },
    ...(environment.service.runtime === "kubernetes"
      ? [{ ...base, item: "Kubernetes control plane", because: "the catalogue has no EKS price" }]
      : []),
  ];
}

function roundLines(lines: readonly UnroundedLine[]): readonly EstimateLine[] {
  const priced = lines.filter((line) => line.kind === "priced");
  const amounts = (pick: (line: (typeof priced)[number]) => string): readonly string[] =>
    roundToTotal(
      priced.map((line) => parseDecimal(pick(line))),
      MINOR_DIGITS,
    ).map((amount) => formatDecimal(amount, MINOR_DIGITS));
  const rounded = amounts((line) => line.perMonth);
  const roundedAtMost = amounts((line) => line.perMonthAtMost);
  return lines.map((line) => {
    if (line.kind !== "priced") return line;
    const place = priced.indexOf(line);
    return {
      ...line,
      perMonthRounded: rounded[place] ?? "0.00",
      perMonthAtMostRounded: roundedAtMost[place] ?? "0.00",
    };
  });
}

function totalOf(lines: readonly PricedLine[]): EstimateTotal {
  const sum = (pick: (line: PricedLine) => string, minDigits: number): string =>
    formatDecimal(addDecimals(lines.map((line) => parseDecimal(pick(line)))), minDigits);
  return {
    perMonth: sum((line) => line.perMonth, 0),
    perMonthAtMost: sum((line) => line.perMonthAtMost, 0),
    perMonthRounded: sum((line) => line.perMonthRounded, MINOR_DIGITS),
    perMonthAtMostRounded: sum((line) => line.perMonthAtMostRounded, MINOR_DIGITS),
  };
}

function budgetOf(environment: Environment, total: EstimateTotal): CostEstimate["budget"] {
  const budget = parseDecimal(environment.budget.perMonth);
  const left = subtractDecimals(budget, parseDecimal(total.perMonthRounded));
  const leftAtMost = subtractDecimals(budget, parseDecimal(total.perMonthAtMostRounded));
  return {
    perMonth: formatDecimal(budget, MINOR_DIGITS),
    remaining: formatDecimal(left, MINOR_DIGITS),
    remainingAtMost: formatDecimal(leftAtMost, MINOR_DIGITS),
    isWithin: left.units >= 0n,
  };
}

function assumptionsOf(
  environment: Environment,
  choices: ReadonlyMap<HostPool, InstanceTypeChoice>,
): readonly string[] {
  const { hoursPerMonth } = environment.schedule;
  const spot = environment.hostPools.flatMap((pool) =>
    pool.where === "aws" && pool.spot ? [pool.name] : [],
  );
  const growing = environment.hostPools.some(
    (pool) => pool.where === "aws" && (pool.maxCount ?? pool.count) > pool.count,
  );
  if (choices.size === 0) return [];
  return [
    `hosts run ${hoursPerMonth} hours a month${hoursPerMonth === 730 ? " (all of them)" : " (the environment's schedule)"}`,
    "on-demand prices, Linux, shared tenancy; no savings plan, reservation, discount, tax or support plan",
    "every pool runs on the cheapest instance type that satisfies its needs",
    ...(growing ? ['"at most" is every pool at its maxCount all month'] : []),
    ...(spot.length === 0
      ? []
      : [`spot in ${spot.join(", ")} is counted at the on-demand price, which it stays below`]),
    ...environment.hostPools.flatMap((pool) =>
      (choices.get(pool)?.unchecked ?? []).map((need) => `${pool.name}: ${need}`),
    ),
  ];
}

/**
 * Chooses an instance type for every AWS pool.
 *
 * @throws {InputError} naming every pool whose needs no type satisfies, and what came nearest
 */
function choosePoolTypes(environment: Environment, catalogue: Catalogue): Map<HostPool, InstanceTypeChoice> {
  const choices = new Map<HostPool, InstanceTypeChoice>();
  const faults: Fault[] = [];
  for (const [index, pool] of environment.hostPools.entries()) {
    if (pool.where !== "aws") continue;
    const choice = chooseInstanceTypes(pool, catalogue);
    choices.set(pool, choice);
    if (choice.ranked.length > 0) continue;
    const nearest = nearestRejections(choice, pool.needs, catalogue, NAMED_FAMILIES).map(
      (rejection) => rejection.because,
    );
    faults.push({
      path: `hostPools[${index}].needs`,
      message: `no instance type satisfies them; nearest: ${nearest.join("; ")}`,
    });
  }
  if (faults.length > 0) throw new InputError(`environment ${environment.name}`, faults);
  return choices;
}

/** Lines as an estimate: rounded to cents that add up, with totals by owner and the environment's budget. Pure. */
export function estimateOfLines(
  environment: Environment,
  catalogue: Catalogue,
  by: EstimateKey,
  unrounded: readonly UnroundedLine[],
  assumptions: readonly string[],
): CostEstimate {
  const lines = roundLines(unrounded);
  const priced = lines.filter((line) => line.kind === "priced");
  const owners = Map.groupBy(lines, (line) => line.owner[by]);
  const total = totalOf(priced);
  return {
    apiVersion: API_VERSION,
    kind: "CostEstimate",
    environment: environment.name,
    region: environment.region,
    currency: catalogue.currency,
    prices: {
      source: catalogue.source,
      region: catalogue.pricesOf,
      asOf: catalogue.pricesAsOf,
      specsAsOf: catalogue.specsAsOf,
    },
    by,
    lines: [...lines],
    rows: [...owners].map(([owner, own]) => ({
      owner,
      ...totalOf(own.filter((line) => line.kind === "priced")),
    })),
    total,
    unpricedLines: lines.filter((line) => line.kind === "unpriced").length,
    budget: budgetOf(environment, total),
    assumptions: [...assumptions],
  };
}

/**
 * What `environment` costs a month at the catalogue's prices. A line without a price is listed with the reason and left
 * out of the total; it is never 0.
 *
 * @throws {InputError} when no instance type satisfies a pool's needs
 */
export function buildCostEstimate(
  environment: Environment,
  catalogue: Catalogue,
  by: EstimateKey,
): CostEstimate {
  const choices = choosePoolTypes(environment, catalogue);
  const lines = [
    ...environment.hostPools.flatMap((pool) => poolLines(pool, choices.get(pool), environment)),
    ...environmentLines(environment),
  ];
  return estimateOfLines(environment, catalogue, by, lines, assumptionsOf(environment, choices));
}
