import * as z from "zod";
import { API_VERSION } from "../profile/host-profile.ts";

/** Who may have changed a setting, and what speaks for it. */
export const suspectSchema = z.object({
  who: z.string(),
  confidence: z
    .enum(["certain", "likely", "possible"])
    .describe(
      "certain: the audit log names the process; likely: it sets the value found and ran in that time",
    ),
  evidence: z.string(),
});

export const driftEntrySchema = z.object({
  key: z.string().min(1),
  knob: z.string().min(1),
  target: z.string(),
  unit: z.string(),
  set: z.string().describe("Value that Bedplate had set and read back"),
  found: z.string().nullable(),
  lastGoodAt: z.iso.datetime().describe("When it was last seen as it was set"),
  firstSeenAt: z.iso.datetime().describe("When it was first seen changed"),
  suspects: z.array(suspectSchema).describe("The most likely first; empty: nobody is known"),
  action: z.enum(["reported", "healed", "heal-failed", "not-healed"]),
  because: z.string(),
});

/** DriftReport: what somebody changed after Bedplate, since when, who, and what became of it. */
export const driftReportSchema = z
  .object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("DriftReport"),
    agentVersion: z.string(),
    hostname: z.string().nullable(),
    bootId: z.string().nullable(),
    startedAt: z.iso.datetime(),
    durationMillis: z.number(),
    policy: z.enum(["report", "heal"]),
    checked: z.int().describe("Settings that Bedplate holds changed on this host"),
    drifted: z.int().describe("Those that were changed by somebody else"),
    standing: z.int().describe("Those that still are, after this run"),
    entries: z.array(driftEntrySchema),
  })
  .describe("What somebody changed after Bedplate, since when, and who");

export type Suspect = z.output<typeof suspectSchema>;
export type DriftEntry = z.output<typeof driftEntrySchema>;
export type DriftReport = z.output<typeof driftReportSchema>;
