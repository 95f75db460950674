import { Decimal } from "decimal.js";
import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import type { InstanceType } from "../catalogue/catalogue.ts";

/** Wide enough that hosts, prices and discounts multiply without rounding. */
const Exact = Decimal.clone({ precision: 60 });

const decimalAmount = z.string().regex(/^\d{1,9}(\.\d{1,12})?$/, 'a decimal amount as in "1.50"');
const instanceTypeName = z
  .string()
  .regex(/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, "an instance type as in m6id.large");

/**
 * What is paid for whether hosts run or not, as far as it is this environment's to use. A person types it, or
 * `read-bill-commitments` gives it from a bill.
 */
export const commitmentsSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("Commitments"),
    currency: z.literal("USD"),
    reservations: z
      .array(
        z
          .strictObject({
            instanceType: instanceTypeName,
            count: z
              .number()
              .positive()
              .max(100_000)
              .describe("Hosts; a mean over a month may be no whole number"),
            sizeFlexible: z
              .boolean()
              .default(false)
              .describe("Regional, Linux, shared tenancy: covers other sizes of the family by their factor"),
          })
          .refine(({ instanceType, sizeFlexible }) => !(sizeFlexible && instanceType.endsWith(".metal")), {
            path: ["instanceType"],
            message: "name the size that metal equals, as in m5.24xlarge",
          }),
      )
      .default([]),
    savingsPlans: z
      .array(
        z
          .strictObject({
            type: z.enum(["compute", "ec2-instance"]),
            family: z
              .string()
              .regex(/^[a-z][a-z0-9-]*$/, "a family as in m6id")
              .optional(),
            commitmentPerHour: decimalAmount.describe("What is paid an hour, in the currency"),
            discountPercent: z
              .number()
              .min(0)
              .max(90)
              .describe("How far its rates for these hosts are below on-demand"),
          })
          .superRefine((plan, context) => {
            if ((plan.type === "ec2-instance") === (plan.family !== undefined)) return;
            const message =
              plan.type === "compute"
                ? "a compute plan has no family"
                : "an EC2 instance plan is of one family";
            context.addIssue({ code: "custom", path: ["family"], message });
          }),
      )
      .default([]),
  })
  .describe("Savings plans and reservations that are paid for already");

export type Commitments = z.output<typeof commitmentsSchema>;

export const NO_COMMITMENTS: Commitments = {
  apiVersion: API_VERSION,
  kind: "Commitments",
  currency: "USD",
  reservations: [],
  savingsPlans: [],
};

/** Hosts that run at one time. */
export interface RunningHosts {
  readonly spec: InstanceType;
  /** Decimal text, per hour. */
  readonly pricePerHour: string;
  readonly count: number;
}

/**
 * How many hours of the smallest size one hour of a size is, for size-flexible reservations: AWS' normalization factors
 * (small 1, medium 2, large 4, xlarge 8, Nxlarge 8 N; metal is the largest size, 2 a vCPU).
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/apply_ri.html
 */
function normalizationFactor(type: string, vcpus: number): number {
  const size = type.slice(type.indexOf(".") + 1);
  const fixed: Readonly<Record<string, number>> = {
    nano: 0.25,
    micro: 0.5,
    small: 1,
    medium: 2,
    large: 4,
    xlarge: 8,
  };
  const multiple = /^(?:metal-)?(\d+)xl(?:arge)?$/.exec(size)?.[1];
  return fixed[size] ?? (multiple === undefined ? vcpus * 2 : Number(multiple) * 8);
}

interface OpenHosts {
  readonly spec: InstanceType;
  readonly price: Decimal;
  /** Hosts that nothing covers yet. */
  uncovered: Decimal;
}

function coverByReservations(hosts: readonly OpenHosts[], { reservations }: Commitments): void {
  for (const { instanceType, count, sizeFlexible } of reservations) {
    const family = instanceType.slice(0, instanceType.indexOf("."));
    const reserved = hosts.find(({ spec }) => spec.type === instanceType)?.spec;
    // Only metal goes by its vCPUs, and that covers its own type alone: where none runs, nothing is covered.
    let units = new Exact(normalizationFactor(instanceType, reserved?.vcpus ?? 0)).times(count);
    const takers = sizeFlexible
      ? hosts
          .filter(({ spec }) => spec.family === family)
          .toSorted(
            (a, b) =>
              normalizationFactor(a.spec.type, a.spec.vcpus) - normalizationFactor(b.spec.type, b.spec.vcpus),
          )
      : hosts.filter(({ spec }) => spec.type === instanceType);
    for (const taker of takers) {
      const factor = normalizationFactor(taker.spec.type, taker.spec.vcpus);
      const covered = Exact.min(taker.uncovered, units.div(factor));
      taker.uncovered = taker.uncovered.minus(covered);
      units = units.minus(covered.times(factor));
    }
  }
}

function coverBySavingsPlans(hosts: readonly OpenHosts[], { savingsPlans }: Commitments): void {
  // AWS applies plans of one family before those that fit everywhere.
  const byScope = savingsPlans.toSorted(
    (a, b) => Number(a.type === "compute") - Number(b.type === "compute"),
  );
  for (const { family, commitmentPerHour, discountPercent } of byScope) {
    let onDemandValue = new Exact(commitmentPerHour).div(new Exact(100).minus(discountPercent).div(100));
    for (const taker of hosts) {
      if (family !== undefined && taker.spec.family !== family) continue;
      const covered = Exact.min(taker.uncovered, onDemandValue.div(taker.price));
      taker.uncovered = taker.uncovered.minus(covered);
      onDemandValue = onDemandValue.minus(covered.times(taker.price));
    }
  }
}

/**
 * What an hour of these hosts costs on top of the commitments: the on-demand price of what they do not cover. A
 * commitment is paid whether it is used or not, so only this is what fewer hosts save. Reservations first, then savings
 * plans of one family, then the others, as AWS applies them.
 *
 * @example 4 hosts at 1.00, 3 of them reserved: 1.00; at 2 hosts: 0, and the saving is 1.00 and not 2.00
 */
export function uncoveredPerHour(hosts: readonly RunningHosts[], commitments: Commitments): Decimal {
  const byType = Map.groupBy(hosts, ({ spec }) => spec.type);
  const open = [...byType.values()]
    .flatMap(([first, ...others]): OpenHosts[] => {
      if (first === undefined) return [];
      const count = others.reduce((sum, other) => sum + other.count, first.count);
      return [{ spec: first.spec, price: new Exact(first.pricePerHour), uncovered: new Exact(count) }];
    })
    .toSorted((a, b) => (a.spec.type < b.spec.type ? -1 : 1));
  coverByReservations(open, commitments);
  coverBySavingsPlans(open, commitments);
  return open.reduce((sum, { uncovered, price }) => sum.plus(uncovered.times(price)), new Exact(0));
}
