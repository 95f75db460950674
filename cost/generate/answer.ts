import * as z from "zod";
import { type FindingKind, KIND_TEXT } from "../idle/idle-report.ts";
import { bucketSchema, reasonSchema } from "../report/cost-report.ts";

const exactMoney = z.string().regex(/^-?\d+\.\d{10}$/);

/**
 * What a report of a generated bill has to say, to the last digit. It is added up from what happened in the month and
 * not from the lines that were written about it, so a report that agrees has understood the lines.
 */
export const answerSchema = z.strictObject({
  kind: z.string(),
  month: z.string(),
  seed: z.int(),
  /** Lines that were written. */
  lines: z.int(),
  /** What the invoice asks for. */
  invoice: z.strictObject({ currency: z.literal("USD"), billed: exactMoney }),
  /** By the tag `team`: one entry per bucket, owner and reason. */
  rows: z.array(
    z.strictObject({
      bucket: bucketSchema,
      owner: z.string().nullable(),
      because: reasonSchema.nullable(),
      billed: exactMoney,
      effective: exactMoney,
    }),
  ),
  /** What is paid for and not used, in an account of its own; of a month that was asked for with it. */
  idle: z
    .array(
      z.strictObject({
        kind: z.enum(Object.keys(KIND_TEXT) as FindingKind[]),
        resource: z.string(),
        account: z.string(),
        lines: z.int(),
        billed: exactMoney,
      }),
    )
    .optional(),
  days: z.array(
    z.strictObject({
      day: z.iso.date(),
      bucket: bucketSchema,
      owner: z.string().nullable(),
      billed: exactMoney,
      effective: exactMoney,
    }),
  ),
});

export type Answer = z.output<typeof answerSchema>;
