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
  "commitment-purchase",
  "support",
  "shared-owner",
  "unused-commitment",
  "unused-reservation",
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
  BilledCost: exactMoney,
  EffectiveCost: exactMoney,
});

const moneySchema = z.strictObject({
  billed: exactMoney,
  effective: exactMoney,
  billedRounded: roundedMoney,
  effectiveRounded: roundedMoney,
});

const percent = z.string().regex(/^-?\d+\.\d+$/);

export const reportRowSchema = moneySchema.extend({
  bucket: bucketSchema,
  owner: z.string().nullable(),
  because: reasonSchema.nullable(),
  lines: lineCount,
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
  lines: z.array(costLineSchema),
});

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
        .describe("Of the file; of several files, of their digests, one in a line, in order"),
      bytes: z.int().min(1),
      files: z
        .array(
          z.strictObject({
            name: z.string(),
            sha256: z.string().regex(/^[0-9a-f]{64}$/),
            bytes: z.int().min(1),
            format: z.enum(["csv", "csv.gz", "parquet"]),
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
export type Bucket = z.output<typeof bucketSchema>;
export type Reason = z.output<typeof reasonSchema>;
