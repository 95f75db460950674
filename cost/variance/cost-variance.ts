import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";

const money = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/, "a decimal amount")
  .describe("In the smallest unit (cents)");

export const varianceRowSchema = z.strictObject({
  environment: z.string(),
  team: z.string().nullable().describe("Whose it is; null where the environment has nothing to estimate"),
  estimated: money.describe("A month at the environment's counts; without what has no known price"),
  estimatedAtMost: money,
  actual: money.describe("Effective cost in the bill"),
  variance: money.describe("Actual less estimated"),
  variancePercent: z
    .string()
    .regex(/^-?\d+\.\d+$/)
    .nullable()
    .describe("Of the estimate; null where it is 0"),
  budget: money,
  overBudget: money.describe("Actual less budget; below 0 is what was left"),
  unpricedLines: z.int().min(0),
});

/** What environments cost beside what was estimated: one row each, under the key that both carry, and the rest of the bill. */
export const costVarianceSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("CostVariance"),
    source: z.strictObject({ name: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
    month: z.string().regex(/^\d{4}-\d{2}$/),
    chargeDays: z.strictObject({ first: z.iso.date(), last: z.iso.date() }),
    currency: z.string().regex(/^[A-Z]{3}$/),
    pricesAsOf: z.iso.date(),
    rows: z.array(varianceRowSchema).min(1),
    rest: money.describe("Effective cost of the bill that belongs to none of these environments"),
    bill: money.describe("Effective cost of the bill: the rows' actual cost and the rest"),
    notes: z.array(z.string()),
  })
  .describe("Estimate, actual and budget of environments in a billing period");

export type CostVariance = z.output<typeof costVarianceSchema>;
export type VarianceRow = z.output<typeof varianceRowSchema>;
