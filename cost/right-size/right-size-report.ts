import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { USAGE_METRIC_NAMES } from "./usage-metrics.ts";

const money = z.string().regex(/^-?\d+(\.\d+)?$/, "a decimal amount");

const confidenceSchema = z.strictObject({
  level: z.enum(["none", "low", "high"]),
  days: z.number(),
  samples: z.int(),
  coverageShare: z.number().min(0).max(1),
  because: z.string(),
});

const resourceSchema = z.strictObject({
  target: z.number().nullable().describe("Null where too little is known"),
  requested: z.number().nullable(),
  peak: z.number(),
  p95: z.number().describe("Recent use weighs more"),
  lower: z.number(),
  upper: z.number(),
  confidence: confidenceSchema,
  because: z.array(z.string()),
});

export const gpuAdviceSchema = z.strictObject({
  devicesRequested: z.int().nullable(),
  devicesSeen: z.int(),
  devicesIdle: z.int().describe("Seen, and without work and memory of a process all the time"),
  model: z.string().nullable(),
  smActiveP95: z.number().nullable().describe("Share; null where the profiling metric is not collected"),
  memoryUsedPeakBytes: z.number().nullable(),
  memoryTotalBytes: z.number().nullable(),
  throttledShare: z.number().nullable().describe("Of points, held back by heat or power"),
  devicesAdvised: z.int().nullable(),
  migProfile: z
    .string()
    .nullable()
    .describe("The smallest slice that would hold it, where the model can be sliced"),
  because: z.array(z.string()),
});

export const workloadSchema = z.strictObject({
  namespace: z.string(),
  ownerKind: z.string(),
  owner: z.string(),
  container: z.string(),
  pods: z.int().min(0),
  isOfEnvironment: z.boolean().describe("The environment file sets its requests; others are advice"),
  cpuCores: resourceSchema,
  memoryBytes: resourceSchema,
  oomKills: z.int(),
  isLeaking: z.boolean(),
  gpu: gpuAdviceSchema.nullable(),
});

const hostsSchema = z.strictObject({
  instanceType: z.string(),
  count: z.int(),
  perMonth: money.describe("On demand; what commitments cover is in it"),
});

export const poolPlanSchema = z.strictObject({
  pool: z.string(),
  outcome: z.enum(["changed", "already-right", "left", "unpriced"]),
  now: hostsSchema.nullable(),
  after: hostsSchema.nullable(),
  lowerBound: z.int().nullable().describe("Hosts below which no packing holds the pods"),
  pods: z.array(
    z.strictObject({
      name: z.string(),
      count: z.int(),
      milliCpus: z.int(),
      memoryMiB: z.int(),
      gpus: z.int(),
    }),
  ),
  because: z.string(),
});

export const environmentChangeSchema = z.strictObject({
  path: z.string().describe("In the environment file, as in hostPools[0].count"),
  from: z.number(),
  to: z.number(),
});

/** What an environment could be smaller by, with the saving that is really left of it. */
export const rightSizeReportSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("RightSizing"),
    environment: z.string(),
    region: z.string(),
    currency: z.string().regex(/^[A-Z]{3}$/),
    pricesAsOf: z.iso.date(),
    usage: z.strictObject({
      source: z.string(),
      first: z.iso.datetime(),
      last: z.iso.datetime(),
      stepSeconds: z.number(),
      metrics: z.array(z.enum(USAGE_METRIC_NAMES)),
    }),
    workloads: z.array(workloadSchema),
    pools: z.array(poolPlanSchema),
    saving: z.strictObject({
      perMonth: money.describe("Net of commitments; below 0 when the hosts are too few and more cost more"),
      perMonthRounded: money,
      beforeCommitmentsPerMonth: money,
      hostsNow: z.int(),
      hostsAfter: z.int(),
      because: z.string(),
    }),
    changes: z.array(environmentChangeSchema).describe("What --write changes in the environment file"),
    assumptions: z.array(z.string()),
    notes: z.array(z.string()),
  })
  .describe("Requests and hosts by measured use, and the saving net of commitments");

export type RightSizeReport = z.output<typeof rightSizeReportSchema>;
export type WorkloadReport = z.output<typeof workloadSchema>;
export type ResourceReport = z.output<typeof resourceSchema>;
export type GpuAdvice = z.output<typeof gpuAdviceSchema>;
export type PoolPlan = z.output<typeof poolPlanSchema>;
export type EnvironmentChange = z.output<typeof environmentChangeSchema>;
