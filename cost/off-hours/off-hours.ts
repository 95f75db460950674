import * as z from "zod";
import { runningHoursSchema } from "../../components/environment/schedule.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";

const money = z.string().regex(/^-?\d+(\.\d+)?$/, "a decimal amount");

/** When an environment is not called, and what it saves to stop its hosts then. */
export const offHoursSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("OffHours"),
    environment: z.string(),
    team: z.string(),
    region: z.string(),
    currency: z.string().regex(/^[A-Z]{3}$/),
    pricesAsOf: z.iso.date(),
    usage: z.strictObject({
      source: z.string(),
      first: z.iso.datetime(),
      last: z.iso.datetime(),
      watchedHours: z.int().min(0).describe("In which Prometheus scraped the service"),
      unwatchedHours: z.int().min(0).describe("Of which nothing is known: never taken for quiet"),
      busyHours: z.int().min(0).describe("With at least one tool call"),
    }),
    timeZone: z.string(),
    now: z.strictObject({ running: runningHoursSchema.nullable(), hoursPerMonth: z.number() }),
    proposal: z
      .strictObject({ running: runningHoursSchema, hoursPerMonth: z.number() })
      .nullable()
      .describe("The shortest schedule that no call that was seen is outside of; null where none is shorter"),
    because: z.string(),
    confidence: z.enum(["none", "low", "high"]),
    pools: z.array(
      z.strictObject({
        pool: z.string(),
        instanceType: z.string().nullable().describe("Null where no type has a price: then nothing is saved"),
        count: z.int(),
        perHour: money.nullable().describe("On demand, of all its hosts"),
      }),
    ),
    saving: z.strictObject({
      perMonth: money.describe("Net of commitments, which are paid in off hours too"),
      perMonthRounded: money,
      beforeCommitmentsPerMonth: money,
    }),
    assumptions: z.array(z.string()),
    notes: z.array(z.string()),
  })
  .describe("A schedule by the hours without tool calls, and its saving net of commitments");

export type OffHours = z.output<typeof offHoursSchema>;
