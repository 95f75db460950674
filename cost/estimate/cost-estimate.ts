import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";

const exactMoney = z.string().regex(/^-?\d+(\.\d+)?$/, "a decimal amount");

/** Who pays, under the keys that the bill is split by. */
const ownerKeysSchema = z.strictObject({
  team: z.string(),
  "cost-center": z.string(),
  service: z.string(),
  environment: z.string(),
});

const lineBase = {
  pool: z.string().nullable().describe("The host pool; null for what belongs to the whole environment"),
  item: z.string(),
  owner: ownerKeysSchema,
};

/** One thing that the environment buys: with a price, without a known price, or not bought at all. */
export const estimateLineSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("priced"),
    ...lineBase,
    instanceType: z.string(),
    count: z.int().min(1),
    maxCount: z.int().min(1),
    hoursPerMonth: z.number(),
    pricePerHour: exactMoney,
    perMonth: exactMoney.describe("At count; exact"),
    perMonthAtMost: exactMoney.describe("At maxCount; exact"),
    perMonthRounded: exactMoney,
    perMonthAtMostRounded: exactMoney,
  }),
  z.strictObject({
    kind: z.literal("unpriced"),
    ...lineBase,
    instanceType: z.string().nullable(),
    because: z.string(),
  }),
  z.strictObject({ kind: z.literal("not-billed"), ...lineBase, because: z.string() }),
]);

const totalSchema = z.strictObject({
  perMonth: exactMoney,
  perMonthAtMost: exactMoney,
  perMonthRounded: exactMoney,
  perMonthAtMostRounded: exactMoney,
});

/** What an environment will cost a month, before it is there; the same keys as the cost report. */
export const costEstimateSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("CostEstimate"),
    environment: z.string(),
    region: z.string(),
    currency: z.string().regex(/^[A-Z]{3}$/),
    prices: z.strictObject({
      source: z.string(),
      region: z.string(),
      asOf: z.iso.date(),
      specsAsOf: z.iso.date(),
    }),
    by: z.string(),
    lines: z.array(estimateLineSchema),
    rows: z.array(totalSchema.extend({ owner: z.string() })),
    total: totalSchema.describe("Of the priced lines; the unpriced ones are not in it"),
    unpricedLines: z.int().min(0),
    budget: z.strictObject({
      perMonth: exactMoney,
      remaining: exactMoney,
      remainingAtMost: exactMoney,
      isWithin: z.boolean().describe("At count; unpriced lines are not in it"),
    }),
    assumptions: z.array(z.string()),
  })
  .describe("The monthly cost of an environment by owner, with its assumptions");

export type EstimateLine = z.output<typeof estimateLineSchema>;
export type PricedLine = Extract<EstimateLine, { kind: "priced" }>;
export type EstimateTotal = z.output<typeof totalSchema>;
export type CostEstimate = z.output<typeof costEstimateSchema>;
