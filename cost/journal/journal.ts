import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { BUCKETS, balanceSheetSchema, usedFileSchema } from "../report/cost-report.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const money = z.string().regex(/^\d+(\.\d+)?$/, "a decimal amount, not below 0");
const signedMoney = z.string().regex(/^-?\d+(\.\d+)?$/, "a decimal amount");

/** What a line is of: a part of the balance sheet, the bill itself, or what is billed now and borne in other months. */
export const PARTS = [...BUCKETS, "prepaid", "bill"] as const;

export const journalLineSchema = z.strictObject({
  account: z.string(),
  costCenter: z.string().nullable().describe("Null for accounts of the balance sheet"),
  part: z.enum(PARTS),
  debit: money.describe("In the currency's smallest unit (cents); 0 where the line is a credit"),
  credit: money,
});

export const journalEntrySchema = z.strictObject({
  entryId: z.string().describe("Month, currency and a number that goes on over restatements"),
  type: z.enum(["posting", "reversal"]),
  reverses: z.string().nullable().describe("The entry that a reversal takes back"),
  lines: z.array(journalLineSchema).min(2),
  debits: money,
  credits: money.describe("The same as the debits"),
});

export const journalChangeSchema = z.strictObject({
  account: z.string(),
  costCenter: z.string().nullable(),
  part: z.enum(PARTS),
  before: signedMoney.describe("Debit above 0, credit below"),
  after: signedMoney,
  change: signedMoney,
});

const currencyJournalSchema = z.strictObject({
  currency: z.string().regex(/^[A-Z]{3}$/),
  standing: z
    .strictObject({ entryId: z.string(), lines: z.array(journalLineSchema) })
    .nullable()
    .describe("The posting that stands once the entries are booked; null where nothing does"),
  entries: z
    .array(journalEntrySchema)
    .describe("What is to be booked now; nothing where nothing has changed"),
  changes: z.array(journalChangeSchema).describe("Of a restatement: what the entries change, by account"),
  lastNumber: z.int().min(0),
  balance: balanceSheetSchema.nullable().describe("Of the bill; null where it no longer has this currency"),
});

/** A month's bill as double entry: what each cost center bears, against what is owed for it. */
export const journalSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("ChargebackJournal"),
    month: z.string().regex(/^\d{4}-\d{2}$/),
    date: z.iso.date().describe("Of the entries: the last day of the month"),
    cost: z.enum(["effective", "billed"]),
    source: z.strictObject({ name: z.string(), sha256 }).describe("The bill"),
    owners: usedFileSchema.unwrap().describe("The owners file"),
    allocation: usedFileSchema,
    supersedes: sha256.nullable().describe("Digest of the journal that this one restates"),
    currencies: z.array(currencyJournalSchema).min(1),
    notes: z.array(z.string()),
    digest: sha256.describe("Of all of the above: a journal that was edited is refused as a previous one"),
  })
  .describe("Double-entry journal of a month's chargeback");

export type Journal = z.output<typeof journalSchema>;
export type CurrencyJournal = z.output<typeof currencyJournalSchema>;
export type JournalEntry = z.output<typeof journalEntrySchema>;
export type JournalLine = z.output<typeof journalLineSchema>;
export type JournalChange = z.output<typeof journalChangeSchema>;
export type JournalPart = (typeof PARTS)[number];
