import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";

const money = z.string().regex(/^-?\d+(\.\d+)?$/, "a decimal amount");

const sideSchema = z.strictObject({
  kind: z.enum(["priced", "unpriced", "not-billed"]),
  item: z.string(),
  because: z.string().nullable().describe("Why it has no price; null where it has one"),
  perMonth: money.nullable().describe("Exact; null where it is unpriced or not billed"),
  perMonthRounded: money.nullable(),
});

const changeSchema = z.strictObject({
  before: money,
  after: money,
  change: money.describe("After less before; exact"),
  beforeRounded: money,
  afterRounded: money,
  changeRounded: money.describe("Of the rounded amounts, so that it adds up across and down"),
});

const diffLineSchema = z.strictObject({
  pool: z.string().nullable().describe("The host pool; null for what belongs to the whole environment"),
  outcome: z.enum(["added", "removed", "changed", "same"]),
  before: sideSchema.nullable(),
  after: sideSchema.nullable(),
  change: money.nullable().describe("Exact; null where a side that is there has no price"),
  changeRounded: money.nullable(),
});

/** What a change of an environment does to its monthly cost, against what is deployed or another revision. */
export const estimateDiffSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("CostEstimateDiff"),
    environment: z.string(),
    region: z.string(),
    currency: z.string().regex(/^[A-Z]{3}$/),
    pricesAsOf: z.iso.date().describe("Of both sides: only the change shows, never a change of prices"),
    base: z.string().describe("What it is compared with: a commit, or what is deployed"),
    by: z.string(),
    lines: z.array(diffLineSchema),
    rows: z.array(changeSchema.extend({ owner: z.string() })),
    total: changeSchema.describe("Of the priced lines of each side"),
    atMost: changeSchema.describe("With every pool at its maxCount"),
    unpriced: z.strictObject({ before: z.int(), after: z.int() }).describe("Lines that are in no total"),
    budget: z.strictObject({ perMonth: money, remaining: money, isWithin: z.boolean() }),
    assumptions: z.array(z.string()),
    notes: z.array(z.string()),
  })
  .describe("The monthly cost of a change, by owner, with its assumptions");

export type EstimateDiff = z.output<typeof estimateDiffSchema>;
export type DiffLine = z.output<typeof diffLineSchema>;
export type DiffSide = z.output<typeof sideSchema>;
export type DiffChange = z.output<typeof changeSchema>;
