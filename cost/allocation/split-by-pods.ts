import { Decimal } from "decimal.js";
import type { NodeResource } from "./allocation-rules.ts";
import { HOUR_SECONDS, type PodHour, type ResourceHour } from "./kubernetes-usage.ts";

/** More digits than any sum of weights needs, so that the only rounding is that of the money at its end. */
const Exact = Decimal.clone({ precision: 60 });

/**
 * What a unit of a node's resource is worth beside the others: a GPU 9 times a core and its memory, a core 9 times a
 * GiB. AWS documents them for its split cost allocation data; without GPUs its 9 to 1 is the same ratio.
 */
const RESOURCE_WEIGHTS: Readonly<Record<NodeResource, Decimal>> = {
  cpu: new Exact("0.9"),
  memory: new Exact("0.1"),
  gpu: new Exact("9"),
};

/** A part of what a node or volume costs in a period. */
export interface UsagePart {
  /** `used` by a pod; `idle`, with the pod where pods bear it; `unknown`, when nothing was measured. */
  readonly part: "used" | "idle" | "unknown";
  readonly resource: ResourceHour["resource"] | null;
  readonly pod: Pick<PodHour, "pod" | "labels"> | null;
  /** First day of the hour, for owners by date. */
  readonly day: string;
  /** Its share, beside the others'. */
  readonly weight: Decimal;
}

function isNodeResource(resource: string): resource is NodeResource {
  return Object.hasOwn(RESOURCE_WEIGHTS, resource);
}

/** AWS's rule: what a pod keeps others from having, the larger of what it asked for and what it used. */
function allocatedOf({ request, usage }: PodHour): Decimal {
  return Exact.max(new Exact(request), new Exact(usage));
}

function dayOf(hourSeconds: number): string {
  return new Date(hourSeconds * 1000).toISOString().slice(0, 10);
}

/**
 * One resource of a node in one hour. The denominator is the larger of what the node has and of what its pods have: an
 * oversubscribed node's pods share what there is, and nothing idle is ever below 0.
 */
function resourceParts(hour: ResourceHour, weight: Decimal, spreadsIdle: boolean): readonly UsagePart[] {
  const { resource, hourSeconds } = hour;
  const capacity = new Exact(hour.capacity);
  const day = dayOf(hourSeconds);
  const allocated = hour.pods.map((pod) => ({ pod, amount: allocatedOf(pod) }));
  const total = allocated.reduce((sum, { amount }) => sum.plus(amount), new Exact(0));
  const denominator = Exact.max(capacity, total);
  if (denominator.isZero()) return [];
  const unit = capacity.times(weight).div(denominator);
  const idle = capacity.minus(total);
  const used = allocated.map(({ pod, amount }): UsagePart => ({
    part: "used",
    resource,
    pod,
    day,
    weight: amount.times(unit),
  }));
  if (idle.lessThanOrEqualTo(0)) return used;
  const idleWeight = idle.times(unit);
  if (!spreadsIdle || total.isZero())
    return [...used, { part: "idle", resource, pod: null, day, weight: idleWeight }];
  return [
    ...used,
    ...allocated.map(({ pod, amount }): UsagePart => ({
      part: "idle",
      resource,
      pod,
      day,
      weight: idleWeight.times(amount).div(total),
    })),
  ];
}

/** Seconds of `hour` that lie in the period. */
function overlapSeconds(hourSeconds: number, start: number, end: number): number {
  return Math.max(0, Math.min(end, hourSeconds + HOUR_SECONDS) - Math.max(start, hourSeconds));
}

export interface SplitPeriod {
  readonly startSeconds: number;
  readonly endSeconds: number;
}

/**
 * What a node costs in a period, by its pods: every hour costs the same, and within an hour CPU, memory and GPUs by
 * their weights. Hours in which nothing was measured are `unknown`.
 *
 * @example AWS's p3.16xlarge of 10.00 an hour with four pods: 1.91, 3.27, 2.41 and 2.41
 */
export function nodeParts(
  hours: readonly ResourceHour[],
  { startSeconds, endSeconds }: SplitPeriod,
  spreadsIdle: (resource: NodeResource) => boolean,
): readonly UsagePart[] {
  const length = endSeconds - startSeconds;
  let unknown = new Exact(length);
  const parts: UsagePart[] = [];
  for (const [hourSeconds, resources] of Map.groupBy(hours, (hour) => hour.hourSeconds)) {
    const seconds = overlapSeconds(hourSeconds, startSeconds, endSeconds);
    if (seconds === 0) continue;
    const ofHour = resources.flatMap((hour) =>
      isNodeResource(hour.resource)
        ? resourceParts(hour, RESOURCE_WEIGHTS[hour.resource], spreadsIdle(hour.resource))
        : [],
    );
    const whole = ofHour.reduce((sum, { weight }) => sum.plus(weight), new Exact(0));
    if (whole.isZero()) continue;
    unknown = unknown.minus(seconds);
    parts.push(...ofHour.map((part) => ({ ...part, weight: part.weight.times(seconds).div(whole) })));
  }
  const day = dayOf(startSeconds);
  return unknown.isZero()
    ? parts
    : [...parts, { part: "unknown", resource: null, pod: null, day, weight: unknown }];
}

/** What a volume costs in a period, by the pods that had it mounted; a claim holds all of it, whatever is written. */
export function volumeParts(
  hours: readonly ResourceHour[],
  { startSeconds, endSeconds }: SplitPeriod,
): readonly UsagePart[] {
  let unknown = new Exact(endSeconds - startSeconds);
  const parts: UsagePart[] = [];
  for (const { resource, hourSeconds, pods } of hours) {
    const seconds = overlapSeconds(hourSeconds, startSeconds, endSeconds);
    if (resource !== "storage" || seconds === 0 || pods.length === 0) continue;
    unknown = unknown.minus(seconds);
    const weight = new Exact(seconds).div(pods.length);
    parts.push(
      ...pods.map((pod): UsagePart => ({ part: "used", resource, pod, day: dayOf(hourSeconds), weight })),
    );
  }
  const day = dayOf(startSeconds);
  return unknown.isZero()
    ? parts
    : [...parts, { part: "unknown", resource: null, pod: null, day, weight: unknown }];
}

/** What a node's traffic costs in a period, by the bytes of its pods. */
export function networkParts(
  hours: readonly ResourceHour[],
  { startSeconds, endSeconds }: SplitPeriod,
): readonly UsagePart[] {
  const parts = hours.flatMap(({ resource, hourSeconds, pods }): UsagePart[] => {
    const seconds = overlapSeconds(hourSeconds, startSeconds, endSeconds);
    if (resource !== "network" || seconds === 0) return [];
    return pods.flatMap((pod) =>
      pod.usage > 0
        ? [
            {
              part: "used" as const,
              resource,
              pod,
              day: dayOf(hourSeconds),
              weight: new Exact(pod.usage).times(seconds),
            },
          ]
        : [],
    );
  });
  const day = dayOf(startSeconds);
  return parts.length > 0
    ? parts
    : [{ part: "unknown", resource: null, pod: null, day, weight: new Exact(1) }];
}
