import * as z from "zod";
import { serviceNamespaceSchema } from "../namespaces/service-namespace.ts";
import { API_VERSION } from "../profile/host-profile.ts";

export const OUTCOMES = [
  "changed",
  "already-right",
  "left",
  "unsupported",
  "needs-reboot",
  "failed",
] as const;

export const reportEntrySchema = z.object({
  key: z.string().min(1),
  knob: z.string().min(1),
  target: z.string(),
  family: z.string(),
  unit: z.string(),
  outcome: z.enum(OUTCOMES),
  before: z.string().nullable().describe("Value in force before this run, for people"),
  wanted: z.string().nullable(),
  found: z.string().nullable().describe("Value read back after the write: what is in force now"),
  isVerified: z.boolean().describe("`found` was re-read from the host and satisfies `wanted`"),
  isDrifted: z.boolean().describe("Bedplate had set it and somebody changed it since"),
  because: z.string(),
  takesEffect: z.string(),
  survivesReboot: z.boolean(),
  namespace: z.string().nullable(),
  alsoSetBy: z.array(z.string()),
  durationMillis: z.number(),
});

/** What became of changes that can cut the host off. */
export const confirmationStateSchema = z.object({
  state: z.enum(["confirmed", "waiting", "waiting-for-reboot", "taken-back"]),
  keys: z.array(z.string()),
  deadline: z.iso.datetime().nullable().describe("When they are taken back unless confirmed before"),
  because: z.string(),
});

/** Addresses that a reset of their NIC took away and that did not come back by themselves. */
export const networkRepairSchema = z.object({
  device: z.string(),
  families: z.array(z.enum(["IPv4", "IPv6"])),
  state: z.enum(["brought-back", "lost"]),
  because: z.string(),
});

/** HostReport: what happened on a host, each value as it was read back. */
export const hostReportSchema = z
  .object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("HostReport"),
    verb: z.enum(["apply", "verify", "rollback"]),
    agentVersion: z.string(),
    hostname: z.string().nullable(),
    kernelRelease: z.string().nullable(),
    bootId: z.string().nullable(),
    phase: z.enum(["early", "late", "all"]),
    startedAt: z.iso.datetime(),
    durationMillis: z.number(),
    phases: z.array(z.object({ name: z.string(), durationMillis: z.number() })),
    planDigest: z.string().nullable(),
    counts: z.record(z.enum(OUTCOMES), z.int()),
    drifted: z.int(),
    entries: z.array(reportEntrySchema),
    namespaces: z
      .array(serviceNamespaceSchema)
      .optional()
      .describe("Services with a network namespace of their own, and what was read back inside; by verify"),
    confirmations: z
      .array(confirmationStateSchema)
      .optional()
      .describe("Changes that can cut the host off: confirmed, waiting until when, or taken back"),
    network: z
      .array(networkRepairSchema)
      .optional()
      .describe("Interfaces that a reset of their NIC cost their addresses, and what became of them"),
    reboot: z
      .object({ isAsked: z.boolean(), because: z.string() })
      .optional()
      .describe("Whether this run asked the host to reboot, where the profile lets it"),
  })
  .describe("What happened on a host, each value as it was read back");

export type HostReport = z.output<typeof hostReportSchema>;
export type ReportEntry = z.output<typeof reportEntrySchema>;
export type ConfirmationState = z.output<typeof confirmationStateSchema>;
export type NetworkRepair = z.output<typeof networkRepairSchema>;
export type Outcome = (typeof OUTCOMES)[number];
