import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { balanceSheetSchema, moneySchema, usedFileSchema } from "../report/cost-report.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const month = z.string().regex(/^\d{4}-\d{2}$/, "a month as in 2026-07");
const amount = z.string().regex(/^-?\d+(\.\d+)?$/, "a decimal amount");

/** Mails that were written, one for each team, and the proof that they and the rest are the bill. */
export const showbackSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("Showback"),
    month,
    source: z.strictObject({ name: z.string(), sha256 }).describe("The bill"),
    owners: usedFileSchema.describe("The owners file"),
    allocation: usedFileSchema.describe("The file of allocation rules"),
    folder: z.string(),
    mails: z.array(
      z.strictObject({
        team: z.string(),
        to: z.string().nullable().describe("Null where the owners file has no address of the team"),
        file: z.string().describe("In the folder"),
        sha256: sha256.describe("Of the file, read back"),
        amounts: z.array(
          z.strictObject({
            currency: z.string(),
            ...moneySchema.shape,
            monthBefore: z
              .strictObject({ month, effectiveRounded: amount, changeRounded: amount })
              .nullable()
              .describe("Null where nobody gave a bill of it"),
          }),
        ),
      }),
    ),
    currencies: z.array(z.strictObject({ currency: z.string(), balance: balanceSheetSchema })),
    notes: z.array(z.string()),
  })
  .describe("Mails that tell each team what it cost, with the balance sheet of the bill");

export type Showback = z.output<typeof showbackSchema>;
