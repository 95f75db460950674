import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";

const exactMoney = z.string().regex(/^-?\d+(\.\d+)?$/, "a decimal amount");
const roundedMoney = exactMoney.describe("In the currency's smallest unit (cents)");

/** What can be found to be paid for and not used, as a person reads it. */
export const KIND_TEXT = {
  "idle-address": "idle address",
  "unused-load-balancer": "load balancer",
  "unused-nat-gateway": "NAT gateway",
  "unused-endpoint": "VPC endpoint",
  "stopped-database": "stopped database",
  "unattached-volume": "volume",
  "idle-snapshot": "snapshot",
  "idle-host": "host",
  "unused-environment": "unused environment",
  "expired-environment": "expired environment",
} as const;

export type FindingKind = keyof typeof KIND_TEXT;

/** Kinds whose cost is that of resources which may be findings too. */
export const WHOLE_ENVIRONMENTS = [
  "unused-environment",
  "expired-environment",
] as const satisfies readonly FindingKind[];

export function isWholeEnvironment(kind: FindingKind): boolean {
  return WHOLE_ENVIRONMENTS.some((whole) => whole === kind);
}

export const findingSchema = z.strictObject({
  kind: z.enum(Object.keys(KIND_TEXT) as FindingKind[]),
  resource: z.string().describe("Its id in the bill; the name of an environment"),
  account: z.string().nullable(),
  region: z.string().nullable(),
  team: z.string().nullable().describe("By the owners file or the tag team; null where neither says"),
  environment: z.string().nullable(),
  since: z.iso
    .date()
    .describe("Day since when it is unused as far as is known; where the bill begins then, it may be longer"),
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
      z.strictObject({
        currency: z.string(),
        perMonth: exactMoney,
        perMonthRounded: roundedMoney,
        cost: z
          .strictObject({ billed: exactMoney, effective: exactMoney, lines: z.int().min(0) })
          .describe("What the findings' lines of this bill add up to, each line once; without environments"),
        bill: z
          .strictObject({ billed: exactMoney, effective: exactMoney })
          .describe("What all lines of the month add up to"),
      }),
    ),
    notes: z.array(z.string()),
  })
  .describe(
    "Volumes, snapshots, databases, addresses, load balancers, hosts and environments that are paid for and not used",
  );

export type IdleReport = z.output<typeof idleReportSchema>;
export type Finding = z.output<typeof findingSchema>;
