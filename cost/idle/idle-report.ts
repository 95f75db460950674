import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";

const exactMoney = z.string().regex(/^-?\d+(\.\d+)?$/, "a decimal amount");
const roundedMoney = exactMoney.describe("In the currency's smallest unit (cents)");

/** What can be found to be paid for and not used. */
export const FINDING_KINDS = [
  "idle-address",
  "unused-load-balancer",
  "unused-nat-gateway",
  "unused-endpoint",
  "unattached-volume",
  "idle-host",
  "unused-environment",
  "expired-environment",
] as const;

export const findingSchema = z.strictObject({
  kind: z.enum(FINDING_KINDS),
  resource: z.string().describe("Its id in the bill; the name of an environment"),
  account: z.string().nullable(),
  region: z.string().nullable(),
  team: z.string().nullable().describe("By the owners file or the tag team; null where neither says"),
  environment: z.string().nullable(),
  charges: z
    .strictObject({ first: z.iso.date(), last: z.iso.date(), lines: z.int().min(0) })
    .describe("Days of the bill on which it was charged"),
  cost: z
    .strictObject({ billed: exactMoney, effective: exactMoney })
    .describe("In this bill, to the last digit"),
  perMonth: exactMoney.describe("Effective cost of an average month of 730 hours, at the rate of those days"),
  perMonthRounded: roundedMoney,
  currency: z.string().regex(/^[A-Z]{3}$/),
  confidence: z.enum(["high", "medium", "low"]),
  evidence: z.array(z.string()).min(1),
  action: z.string(),
});

/** What a bill charges for and nobody uses, with the evidence; nothing is ever removed by it. */
export const idleReportSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("IdleReport"),
    source: z.strictObject({ name: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
    month: z.string().regex(/^\d{4}-\d{2}$/),
    lastCharge: z.iso.datetime().describe("Where the bill's usage ends"),
    findings: z.array(findingSchema).describe("The dearest first"),
    currencies: z.array(
      z.strictObject({ currency: z.string(), perMonth: exactMoney, perMonthRounded: roundedMoney }),
    ),
    notes: z.array(z.string()),
  })
  .describe("Volumes, addresses, load balancers, hosts and environments that are paid for and not used");

export type IdleReport = z.output<typeof idleReportSchema>;
export type Finding = z.output<typeof findingSchema>;
export type FindingKind = Finding["kind"];
