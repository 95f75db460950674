import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";

const exactMoney = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/, "a decimal amount")
  .describe("To the last digit of the bill");
const roundedMoney = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/, "a decimal amount")
  .describe("In the currency's smallest unit (cents); the rows of a report add up to its total");
const month = z.string().regex(/^\d{4}-\d{2}$/, "a month as in 2026-07");
const lineCount = z.int().min(0);

/** Every line of a bill is in exactly one of these. */
export const BUCKETS = [
  "owner",
  "shared",
  "idle",
  "unused-commitment",
  "tax-and-credit",
  "untagged",
] as const;

/** Why a line has no owner. */
export const REASONS = [
  "no-tags",
  "key-absent",
  "empty-value",
  "not-taggable",
  "no-value",
  "tax",
  "credit",
  "refund",
  "commitment-purchase",
  "support",
  "shared-owner",
  "shared-rule",
  "unused-commitment",
  "unused-reservation",
  "node-idle",
] as const;

export const bucketSchema = z.enum(BUCKETS);
export const reasonSchema = z.enum(REASONS);

/** Money of the bill with all that its owner asks of it: FOCUS columns, the owner or the reason there is none. */
export const costLineSchema = z.strictObject({
  BillingCurrency: z.string(),
  BillingMonth: month,
  ServiceName: z.string(),
  ChargeCategory: z.enum(["Usage", "Purchase", "Tax", "Credit", "Adjustment"]),
  bucket: bucketSchema,
  owner: z.string().nullable(),
  because: reasonSchema.nullable(),
  lines: lineCount,
  allocation: z
    .string()
    .nullable()
    .describe(
      "What moved the money: a rule's name, an owner's date, a node's pods; null for lines of the bill",
    ),
  BilledCost: exactMoney,
  EffectiveCost: exactMoney,
  ListCost: exactMoney.nullable().describe("Null where the bill has no list price"),
});

export const moneySchema = z.strictObject({
  billed: exactMoney,
  effective: exactMoney,
  list: exactMoney.nullable().describe("At list prices; null where the bill has none for any of it"),
  billedRounded: roundedMoney,
  effectiveRounded: roundedMoney,
  listRounded: roundedMoney.nullable(),
});

const percent = z.string().regex(/^-?\d+\.\d+$/);

export const reportRowSchema = moneySchema.extend({
  bucket: bucketSchema,
  owner: z.string().nullable(),
  because: reasonSchema.nullable(),
  lines: lineCount,
  unlistedLines: lineCount.describe("Lines without a list price, which `list` is without"),
  allocated: z
    .strictObject({ billed: exactMoney, effective: exactMoney })
    .describe("Of it, what was moved here (or away, below 0) and is on no line of the bill"),
  effectiveSharePercent: percent.nullable().describe("Of the bill; null where the bill is not above 0"),
});

export const balanceSheetSchema = z.strictObject({
  bill: moneySchema.describe("The bill as it is, added up without any split"),
  owners: moneySchema,
  shared: moneySchema,
  idle: moneySchema,
  unusedCommitment: moneySchema,
  taxAndCredit: moneySchema,
  untagged: moneySchema,
  difference: moneySchema.describe("Bill less all parts; the report fails unless it is 0"),
  lines: z.strictObject({ bill: lineCount, parts: lineCount }),
  balanced: z.boolean(),
});

/** Money that a rule, a date of the owners file or the pods of a node moved; those of one allocation add up to 0. */
export const allocationSchema = z.strictObject({
  allocation: z.string(),
  split: z.enum(["even", "weighted", "fixed", "metric", "by-date", "by-pod"]),
  bucket: bucketSchema,
  owner: z.string().nullable(),
  because: reasonSchema.nullable(),
  billed: exactMoney,
  effective: exactMoney,
  list: exactMoney,
});

export const commitmentSchema = z.strictObject({
  commitmentId: z.string(),
  type: z.string().nullable().describe("As in Savings Plan, Reservation"),
  purchased: exactMoney.describe("Billed for the commitment itself"),
  used: exactMoney.describe("Effective cost of what it covered"),
  unused: exactMoney.describe("Effective cost of what nobody used"),
  usedAtListPrice: exactMoney.nullable().describe("Null where the bill lacks a list price for any of it"),
  utilizationPercent: percent.nullable().describe("Used of used and unused"),
});

export const nodeSchema = z.strictObject({
  node: z.string(),
  resource: z.enum(["cpu", "memory", "gpu"]).nullable().describe("Null where the bill does not say"),
  used: exactMoney.describe("Effective cost of what pods had: the larger of request and usage"),
  idle: exactMoney.describe("Effective cost of what no pod had; never below 0"),
  idlePercent: percent.nullable(),
});

/** What rows are made of by provider service and single resource. */
export const resourceCostSchema = z.strictObject({
  bucket: bucketSchema,
  owner: z.string().nullable(),
  because: reasonSchema.nullable(),
  ServiceName: z.string(),
  part: z
    .enum(["resource", "others", "no-resource", "moved"])
    .describe(
      "One resource, all that are not named, charges of none, or what `allocation` moved here (or away, below 0)",
    ),
  ResourceId: z.string().nullable(),
  resources: z.int().min(0).describe("How many resources it is"),
  allocation: z.string().nullable(),
  lines: lineCount,
  billed: exactMoney,
  effective: exactMoney,
  list: exactMoney.nullable(),
});

/** What a row is by the day that charges start on. */
export const dayCostSchema = z.strictObject({
  bucket: bucketSchema,
  owner: z.string().nullable(),
  because: reasonSchema.nullable(),
  day: z.iso.date().nullable().describe("Null for what rules moved, which is of a billing period"),
  billed: exactMoney,
  effective: exactMoney,
  list: exactMoney.nullable(),
});

export const currencyReportSchema = z.strictObject({
  currency: z.string().regex(/^[A-Z]{3}$/),
  minorDigits: z.int().min(0).max(4).describe("Digits after the point of the currency's smallest unit"),
  billingMonths: z.strictObject({ first: month, last: month }),
  chargeDays: z.strictObject({ first: z.iso.date(), last: z.iso.date() }),
  rows: z.array(reportRowSchema),
  balance: balanceSheetSchema,
  coverage: z
    .strictObject({ billedPercent: percent.nullable(), effectivePercent: percent.nullable() })
    .describe("Usage above 0 that has an owner; credits would make a share of the bill meaningless"),
  allocations: z.array(allocationSchema),
  commitments: z.array(commitmentSchema),
  nodes: z.array(nodeSchema).describe("Nodes whose cost is split by their pods"),
  lines: z.array(costLineSchema),
  resources: z
    .array(resourceCostSchema)
    .nullable()
    .describe("Adds up to the rows and to each service of a row; null unless asked for"),
  days: z.array(dayCostSchema).nullable().describe("Adds up to the rows; null unless asked for"),
});

export const usedFileSchema = z
  .strictObject({ name: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) })
  .nullable();

/** The cost report: what each owner's share of a bill is, and the proof that nothing is lost or twice. */
export const costReportSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("CostReport"),
    source: z.strictObject({
      name: z.string(),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .describe(
          "Of the file; of several files, of their digests, one in a line, in order; of a table in place, of what the engine says of its files, lines and sums",
        ),
      bytes: z.int().min(1).nullable().describe("Null of a table in place"),
      files: z
        .array(
          z.strictObject({
            name: z.string(),
            sha256: z.string().regex(/^[0-9a-f]{64}$/),
            bytes: z.int().min(1).nullable(),
            format: z.enum(["csv", "csv.gz", "parquet", "table"]),
            lines: lineCount,
          }),
        )
        .min(1),
      standard: z.enum(["FOCUS", "CUR"]),
      version: z.enum(["1.0", "1.1", "1.2", "1.3", "2.0", "legacy"]),
      lines: lineCount,
    }),
    by: z.string(),
    tagKey: z.string().nullable(),
    spellings: z.array(z.strictObject({ spelling: z.string(), lines: lineCount })),
    plural: z.string(),
    month: month.nullable().describe("The billing period asked for; null for all of the file"),
    owners: usedFileSchema.describe("The owners file"),
    allocation: usedFileSchema.describe("The file of allocation rules"),
    currencies: z.array(currencyReportSchema).min(1),
    notes: z.array(z.string()),
  })
  .describe("A bill split by owner, with its balance sheet");

export type CostLine = z.output<typeof costLineSchema>;
export type Money = z.output<typeof moneySchema>;
export type ReportRow = z.output<typeof reportRowSchema>;
export type BalanceSheet = z.output<typeof balanceSheetSchema>;
export type CurrencyReport = z.output<typeof currencyReportSchema>;
export type CostReport = z.output<typeof costReportSchema>;
export type Allocation = z.output<typeof allocationSchema>;
export type Commitment = z.output<typeof commitmentSchema>;
export type NodeCost = z.output<typeof nodeSchema>;
export type ResourceCost = z.output<typeof resourceCostSchema>;
export type DayCost = z.output<typeof dayCostSchema>;
export type UsedFile = z.output<typeof usedFileSchema>;
export type Bucket = z.output<typeof bucketSchema>;
export type Reason = z.output<typeof reasonSchema>;
