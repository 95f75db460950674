import * as z from "zod";
import { serviceNamespaceSchema } from "../namespaces/service-namespace.ts";
import { API_VERSION, hostProfileSchema } from "../profile/host-profile.ts";

const command = z.tuple([z.string()], z.string());

export const writeSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("kernel-file"),
    path: z.string(),
    text: z.string(),
    via: z.string().optional(),
    counterpart: z.string().optional(),
    retrySeconds: z.number().min(0).optional(),
  }),
  z.strictObject({
    kind: z.literal("config-file"),
    path: z.string(),
    text: z.string().nullable().describe("null: the file is removed"),
    reload: z.array(command).optional(),
    reloadAtOnce: z.literal(true).optional(),
  }),
  z.strictObject({
    kind: z.literal("tool"),
    command,
    undo: command,
    survivesReboot: z.literal(true).optional(),
  }),
  z.strictObject({
    kind: z.literal("boot-entries"),
    loader: z.enum(["grub-bls", "systemd-boot"]),
    argument: z.string(),
    words: z.array(z.string()),
  }),
]);

/** What a plan decides for one knob on one target. */
export const planStepSchema = z.strictObject({
  key: z.string().min(1).describe("knob[target]"),
  knob: z.string().min(1),
  target: z.string(),
  family: z.string(),
  unit: z.string(),
  scope: z.string(),
  namespace: z
    .string()
    .nullable()
    .describe("Network namespace where the value is in force; null for what has none"),
  phase: z.enum(["early", "late"]),
  action: z
    .enum(["set", "already-right", "needs-reboot", "left", "unsupported", "failed"])
    .describe(
      "needs-reboot: configured already, and in force after the next reboot; failed: could not be read or decided, because says why",
    ),
  before: z
    .unknown()
    .describe("Value in force when the plan was made; null when the host does not have the knob"),
  after: z.unknown().describe("Value wanted; null when nothing is wanted"),
  beforeText: z.string(),
  afterText: z.string(),
  because: z.string(),
  isOverride: z.boolean(),
  sources: z.array(z.string()),
  risk: z.string(),
  takesEffect: z.string(),
  survivesReboot: z.boolean(),
  isReversible: z.boolean(),
  alsoSetBy: z.array(z.string()).describe("Others on this host that set the same knob, owner and file"),
  writes: z.array(writeSchema),
});

/**
 * HostPlan: what apply will do, no more and no less. `digest` covers the steps; `factsDigest` the stable facts they
 * were made from. Apply makes its own plan from the embedded profile and refuses when a digest differs.
 */
export const hostPlanSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("HostPlan"),
    agentVersion: z.string(),
    root: z.string(),
    hostname: z.string().nullable(),
    kernelRelease: z.string().nullable(),
    phase: z.enum(["early", "late", "all"]),
    factsDigest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
    digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
    profile: hostProfileSchema,
    steps: z.array(planStepSchema),
    namespaces: z
      .array(serviceNamespaceSchema)
      .optional()
      .describe(
        "Services with a network namespace of their own, and what is in force there; no part of the digest",
      ),
  })
  .describe("What apply will do on a host, and why");

export type HostPlan = z.output<typeof hostPlanSchema>;
export type PlanStep = z.output<typeof planStepSchema>;
