import * as z from "zod";

const decimalText = z.string().regex(/^-?\d+(\.\d+)?$/);
const timeText = z.string().regex(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}/);
const count = z.coerce.number().int();

export const chargedSchema = z.object({
  currency: z.string(),
  resource: z.string(),
  account: z.string().nullable(),
  region: z.string().nullable(),
  team: z.string().nullable(),
  service: z.string().nullable(),
  environment: z.string().nullable(),
  /** What it is: the name of a finder's role. */
  role: z.string(),
  lines: count,
  /** Where its charges of the month begin and end. */
  first: timeText,
  last: timeText,
  billed: decimalText,
  effective: decimalText,
  /** Where its charges begin in the whole bill, as far as it goes back. */
  seen: timeText,
  /** Charge periods of the month in which it was used, and their hours. */
  use_periods: count,
  use_hours: count,
  /** Where its last use in the whole bill until the month's end ends. */
  last_use: timeText.nullable(),
});

/** A resource of the bill of a kind that may be unused, with all that it was charged for being that. */
export type ChargedResource = z.output<typeof chargedSchema>;

export const billTotalSchema = z.object({
  currency: z.string(),
  billed: decimalText,
  effective: decimalText,
});

export const spanSchema = z
  .array(z.object({ first: timeText.nullable(), last: timeText.nullable() }))
  .length(1);

export interface Charges {
  readonly source: { readonly name: string; readonly sha256: string };
  readonly month: string;
  /** Where the month's usage begins and ends, `2026-07-31 23:00:00`. */
  readonly first: string;
  readonly last: string;
  /** All that the month has, by currency. */
  readonly bill: readonly z.output<typeof billTotalSchema>[];
  readonly resources: readonly ChargedResource[];
}
