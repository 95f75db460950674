import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { usedFileSchema } from "../report/cost-report.ts";

const exactMoney = z.string().regex(/^-?\d+(\.\d+)?$/, "a decimal amount");
const roundedMoney = exactMoney.describe("In the smallest unit (cents); rows add up to their total");
const count = z.int().min(0);

const amountsSchema = z.strictObject({
  calls: count.describe("Whole calls, failed ones too"),
  failedCalls: count.describe("Of them, those whose outcome is not ok"),
  cost: exactMoney.describe("Effective cost, to the last digit of the bill"),
  costRounded: roundedMoney,
  costPerMillionCalls: roundedMoney.nullable().describe("Null where there were no calls"),
  margin: z
    .strictObject({
      revenue: roundedMoney.describe("Calls at the price that was given"),
      margin: roundedMoney.describe("Revenue less cost"),
      percent: z.string().nullable().describe("Of the revenue; null where there is none"),
    })
    .nullable()
    .describe("Null where no price was given"),
});

const rowSchema = amountsSchema.extend({
  key: z
    .string()
    .nullable()
    .describe("The tool, or the value of the label that was asked for; null without one"),
  toolSeconds: z.number().min(0).describe("Time in the tool: what the cost is shared out by"),
});

const environmentSchema = amountsSchema.extend({
  environment: z.string(),
  team: z.string(),
  service: z.string(),
  days: z.strictObject({
    bill: count.describe("Days that the bill has charges of"),
    watched: count.describe("Of them, days on which Prometheus scraped the service"),
  }),
  isUpperBound: z.boolean().describe("Calls of unwatched days are unknown: the true unit cost is lower"),
  rows: z.array(rowSchema),
});

/** What a million tool calls cost, from a bill and the service's own counters. */
export const unitCostSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("UnitCost"),
    month: z.string().regex(/^\d{4}-\d{2}$/),
    chargeDays: z.strictObject({ first: z.iso.date(), last: z.iso.date() }),
    currency: z.string().regex(/^[A-Z]{3}$/),
    by: z.string().describe("The label that the rows are of"),
    owners: usedFileSchema.describe("The owners file that says whose a tenant's calls are"),
    source: z.string().describe("The Prometheus that counted"),
    pricePerMillionCalls: exactMoney.nullable(),
    environments: z.array(environmentSchema).min(1),
    teams: z.array(amountsSchema.extend({ team: z.string() })),
    notes: z.array(z.string()),
  })
  .describe("Cost per million tool calls of environments and teams in a billing period");

export type UnitCost = z.output<typeof unitCostSchema>;
export type UnitAmounts = z.output<typeof amountsSchema>;
export type UnitCostRow = z.output<typeof rowSchema>;
export type EnvironmentUnitCost = z.output<typeof environmentSchema>;
