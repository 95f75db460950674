import * as z from "zod";
import type { Catalogue, InstanceType } from "../../../cost/catalogue/catalogue.ts";
import {
  type InstanceTypeChoice,
  chooseInstanceTypes,
  cpuOptionsOf,
  nearestRejections,
} from "../../../cost/catalogue/choose-instance-type.ts";
import { API_VERSION } from "../../../host-tuning/profile/host-profile.ts";
import type { AwsPool, Environment } from "../../environment/environment-spec.ts";
import { selectInstanceTypes } from "./select-instance-types.ts";

const decimal = z.string().regex(/^\d+(\.\d+)?$/, "a decimal amount");

const priceSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("priced"),
    amount: decimal.describe("Per hour, on demand, Linux, shared tenancy"),
    currency: z.string(),
    unit: z.literal("hour"),
    region: z.string(),
    asOf: z.iso.date(),
    source: z.string(),
  }),
  z.strictObject({
    kind: z.literal("unpriced"),
    because: z.string(),
    elsewhere: z.strictObject({ amount: decimal, currency: z.string(), region: z.string() }).optional(),
  }),
]);

const rankedTypeSchema = z.strictObject({
  type: z.string(),
  vcpus: z.int(),
  memoryMiB: z.int(),
  bareMetal: z.boolean(),
  nvmeDisks: z.int().nullable(),
  nvmeGB: z.int(),
  networkMbitPerSec: z.int().nullable(),
  efaInterfaces: z.int(),
  enaExpress: z.boolean().nullable(),
  gpus: z.array(z.strictObject({ model: z.string(), count: z.int(), memoryMiB: z.int() })),
  cpuOptions: z
    .strictObject({ coreCount: z.int(), threadsPerCore: z.int() })
    .nullable()
    .describe("What the launch template sets; null where the type boots as needed"),
  isUsed: z.boolean().describe("The pool launches it: the first, and of a spot pool its alternatives"),
  price: priceSchema,
});

const poolRankingSchema = z.strictObject({
  pool: z.string(),
  count: z.int(),
  maxCount: z.int(),
  spot: z.boolean(),
  faults: z.array(z.strictObject({ path: z.string(), message: z.string() })),
  ranked: z.array(rankedTypeSchema).describe("Cheapest first; those without a price last"),
  rejectedFamilies: z
    .array(z.strictObject({ family: z.string(), nearest: z.string(), because: z.string() }))
    .describe("Families none of whose types is ranked: those that lack least first"),
  rejectedTypes: z.array(z.strictObject({ type: z.string(), lacks: z.array(z.string()) })),
  unchecked: z.array(z.string()).describe("Needs that are left to a check on the host"),
});

/** Which instance types the pools of an environment could run on, and why the others do not do. */
export const hostRankingSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("HostRanking"),
    environment: z.string(),
    region: z.string(),
    specifications: z.strictObject({ source: z.string(), asOf: z.iso.date() }),
    prices: z.strictObject({ source: z.string(), region: z.string(), asOf: z.iso.date() }),
    pools: z.array(poolRankingSchema),
  })
  .describe("The instance types that satisfy each pool on AWS, by price, and the reason for every other");

export type HostRanking = z.output<typeof hostRankingSchema>;
export type PoolRanking = z.output<typeof poolRankingSchema>;
export type RankedType = z.output<typeof rankedTypeSchema>;

export function rankHosts(environment: Environment, catalogue: Catalogue): HostRanking {
  return {
    apiVersion: API_VERSION,
    kind: "HostRanking",
    environment: environment.name,
    region: environment.region,
    specifications: { source: catalogue.describedBy, asOf: catalogue.describedAsOf },
    prices: { source: catalogue.source, region: catalogue.pricesOf, asOf: catalogue.pricesAsOf },
    pools: environment.hostPools.flatMap((pool, index) =>
      pool.where === "aws" ? [rankPool(pool, `hostPools[${index}]`, catalogue)] : [],
    ),
  };
}

function rankPool(pool: AwsPool, at: string, catalogue: Catalogue): PoolRanking {
  const selection = selectInstanceTypes(pool, at, catalogue);
  const choice = "faults" in selection ? chooseInstanceTypes(pool, catalogue) : selection.choice;
  const used = new Set("faults" in selection ? [] : selection.instanceTypes.map((spec) => spec.type));
  return {
    pool: pool.name,
    count: pool.count,
    maxCount: pool.maxCount ?? pool.count,
    spot: pool.spot,
    faults: "faults" in selection ? [...selection.faults] : [],
    ranked: choice.ranked.map((spec) => rankedType(spec, pool, used.has(spec.type))),
    rejectedFamilies: familiesOf(choice, pool, catalogue),
    rejectedTypes: choice.rejectedTypes.map(({ type, lacks }) => ({ type, lacks: [...lacks] })),
    unchecked: [...choice.unchecked],
  };
}

function rankedType(spec: InstanceType, pool: AwsPool, isUsed: boolean): RankedType {
  const cpuOptions = cpuOptionsOf(spec, pool.needs);
  return {
    type: spec.type,
    vcpus: cpuOptions === undefined ? spec.vcpus : cpuOptions.coreCount * cpuOptions.threadsPerCore,
    memoryMiB: spec.memoryMiB,
    bareMetal: spec.bareMetal,
    nvmeDisks: spec.disks === undefined ? null : spec.disks.kind === "nvme" ? spec.disks.count : 0,
    nvmeGB: spec.disks?.kind === "hdd" ? 0 : spec.nvmeGB,
    networkMbitPerSec: spec.networkMbitPerSec ?? null,
    efaInterfaces: spec.efaInterfaces,
    enaExpress: spec.enaExpress ?? null,
    gpus: spec.gpus.map(({ model, count, memoryMiB }) => ({ model, count, memoryMiB })),
    cpuOptions: cpuOptions === undefined ? null : { ...cpuOptions },
    isUsed,
    price: { ...spec.price },
  };
}

function familiesOf(choice: InstanceTypeChoice, pool: AwsPool, catalogue: Catalogue) {
  return nearestRejections(choice, pool.needs, catalogue, choice.rejected.length).map(
    ({ family, nearest, because }) => ({ family, nearest, because }),
  );
}
