import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { addDecimals, formatDecimal, parseDecimal } from "../money/exact-decimal.ts";
import { reasonSchema } from "../report/cost-report.ts";
import { foldTagKey, foldTagValue } from "../report/tag-spelling.ts";

const name = z.string().trim().min(1).max(128);
const names = z.array(name).min(1);

/** A share or a measurement: decimal text, or a number that is written without an exponent. */
const quantity = z
  .union([z.string(), z.number()])
  .transform(String)
  .pipe(
    // Aborts, as the sums over it that are checked next are made of numbers alone.
    z.string().regex(/^\d{1,15}(\.\d{1,12})?$/, { error: 'no decimal number as in "12.5"', abort: true }),
  );

/** What of the bill a rule takes; of every key that is given one value must fit. */
const costSchema = z
  .strictObject({
    owners: names.optional().describe("Owners that stand for everyone, as a platform team"),
    reasons: z
      .array(reasonSchema.exclude(["shared-owner", "shared-rule"]))
      .min(1)
      .optional()
      .describe(
        "Cost that has no owner, by why; idle, unused commitment, tax and credit are taken only where they are named here",
      ),
    providerServices: names.optional(),
    accounts: names.optional(),
    regions: names.optional(),
    tags: z.record(name, names).optional().describe("Tag keys in any spelling, each with its values"),
  })
  .refine((cost) => Object.keys(cost).length > 0, "names no cost: give owners, reasons, tags ...");

const among = names
  .optional()
  .describe("Who takes part; when left out every owner with cost of its own that no rule takes");

const splitSchema = z.discriminatedUnion("by", [
  z.strictObject({ by: z.literal("even"), among }),
  z.strictObject({ by: z.literal("weighted"), among }).describe("By effective cost of one's own, per month"),
  z
    .strictObject({ by: z.literal("fixed"), percents: z.record(name, quantity) })
    .describe("Percents that add up to 100"),
  z.strictObject({ by: z.literal("metric"), metric: name }).describe("By a measurement, per month"),
]);

const ruleSchema = z.strictObject({
  name,
  cost: costSchema,
  split: splitSchema.optional().describe("When left out the cost is shown as shared and stays so"),
});

const idleModeSchema = z.enum(["shown", "spread", "kept"]);

/** Resources of a node that are idle when no pod has them. */
export const NODE_RESOURCES = ["cpu", "memory", "gpu"] as const;
export type NodeResource = (typeof NODE_RESOURCES)[number];

const nodeIdleSchema = z
  .union([
    idleModeSchema.transform((mode) => ({ cpu: mode, memory: mode, gpu: mode })),
    z.strictObject({
      cpu: idleModeSchema.default("spread"),
      memory: idleModeSchema.default("spread"),
      gpu: idleModeSchema.default("spread"),
    }),
  ])
  .prefault("spread");

const metricSchema = z.strictObject({
  name,
  months: z
    .record(z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, "a month as in 2026-07"), z.record(name, quantity))
    .optional(),
  everyMonth: z.record(name, quantity).optional().describe("For months that are not in `months`"),
});

type Rule = z.output<typeof ruleSchema>;

/** Whom a rule gives cost to, where it names them. */
export function namedTargets(rule: Rule): readonly string[] {
  const { split } = rule;
  if (split === undefined || split.by === "metric") return [];
  return split.by === "fixed" ? Object.keys(split.percents) : (split.among ?? []);
}

function twice(values: readonly string[]): string | undefined {
  return values.find((value, index) => values.indexOf(value) < index);
}

interface RulesFault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function splitFaults(rule: Rule, metrics: ReadonlySet<string>): readonly RulesFault[] {
  const { split } = rule;
  if (split === undefined) return [];
  if (split.by === "metric") {
    if (metrics.has(split.metric)) return [];
    return [{ path: ["split", "metric"], message: `"${split.metric}" is none of the file's metrics` }];
  }
  const repeated = twice(namedTargets(rule).map(foldTagValue));
  const key = split.by === "fixed" ? "percents" : "among";
  const faults =
    repeated === undefined ? [] : [{ path: ["split", key], message: `"${repeated}" is there twice` }];
  if (split.by !== "fixed") return faults;
  const total = formatDecimal(addDecimals(Object.values(split.percents).map(parseDecimal)));
  return total === "100"
    ? faults
    : [...faults, { path: ["split", "percents"], message: `add up to ${total}, not to 100` }];
}

/** Step-down order: what a rule has taken away from an owner, no rule after it may give back. */
function orderFaults(rules: readonly Rule[]): readonly RulesFault[] {
  return rules.flatMap((rule, index) => {
    const taken = new Map(
      rules
        .slice(0, index + 1)
        .flatMap((before) => (before.cost.owners ?? []).map((owner) => [foldTagValue(owner), before.name])),
    );
    return namedTargets(rule).flatMap((target) => {
      const by = taken.get(foldTagValue(target));
      return by === undefined
        ? []
        : [
            {
              path: [index, "split"],
              message: `gives to "${target}", whose cost rule "${by}" has shared out by then: put this rule before it`,
            },
          ];
    });
  });
}

/**
 * How cost that is nobody's own is shared out. Rules are applied in their order (step-down): a line belongs to the first
 * rule that it fits, and what a rule gives to an owner that a later rule takes is shared out with that owner's cost.
 */
export const allocationRulesSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("AllocationRules"),
    idle: z
      .strictObject({
        nodes: nodeIdleSchema.describe(
          "Idle part of Kubernetes nodes, for all resources or each: shown as idle, spread over the node's pods by what they have of the resource, or kept by the node's owner",
        ),
        reservations: idleModeSchema
          .default("shown")
          .describe(
            "Capacity reservations that nobody used: shown, spread by effective cost, or kept by their owner",
          ),
      })
      .prefault({}),
    rules: z.array(ruleSchema).max(200).default([]),
    metrics: z.array(metricSchema).max(200).default([]),
  })
  .superRefine((file, context) => {
    const add = (path: readonly PropertyKey[], message: string): void => {
      context.addIssue({ code: "custom", path: [...path], message });
    };
    const metrics = new Set(file.metrics.map((metric) => metric.name));
    const repeatedRule = twice(file.rules.map((rule) => rule.name));
    if (repeatedRule !== undefined) add(["rules"], `two rules are called "${repeatedRule}"`);
    const repeatedMetric = twice(file.metrics.map((metric) => metric.name));
    if (repeatedMetric !== undefined) add(["metrics"], `two metrics are called "${repeatedMetric}"`);
    for (const [index, rule] of file.rules.entries()) {
      for (const { path, message } of splitFaults(rule, metrics)) add(["rules", index, ...path], message);
      const repeatedKey = twice(Object.keys(rule.cost.tags ?? {}).map(foldTagKey));
      if (repeatedKey !== undefined) {
        add(["rules", index, "cost", "tags"], `the tag "${repeatedKey}" is there in two spellings`);
      }
    }
    for (const { path, message } of orderFaults(file.rules)) add(["rules", ...path], message);
    for (const [index, { months, everyMonth }] of file.metrics.entries()) {
      if (months === undefined && everyMonth === undefined) add(["metrics", index], "has no values");
    }
  })
  .describe("How shared and idle cost is shared out among owners");

export type AllocationRules = z.output<typeof allocationRulesSchema>;
export type AllocationRule = AllocationRules["rules"][number];
export type IdleMode = z.output<typeof idleModeSchema>;
