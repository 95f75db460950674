import { addDecimals, type ExactDecimal, parseDecimal } from "../money/exact-decimal.ts";
import { type OwnershipPeriod, recordedOwner } from "../owners/ownership.ts";
import { parseUtcSeconds } from "../owners/split-by-date.ts";
import type { NodeTotal } from "../report/split-bill.ts";
import { foldTagKey } from "../report/tag-spelling.ts";
import type { AllocationRules } from "./allocation-rules.ts";
import type { KubernetesUsage, PodHour } from "./kubernetes-usage.ts";
import { move, type Place, type PlacedLine, splitAmounts } from "./placed-line.ts";
import { networkParts, nodeParts, type SplitPeriod, type UsagePart, volumeParts } from "./split-by-pods.ts";

/** What the report calls money that follows the pods of a node or volume. */
export const BY_POD = "pods";

/** Whose a pod is, by its labels and a day. */
export type PlaceOfPod = (labels: PodHour["labels"], day: string) => Place;

function labelOf(labels: PodHour["labels"], key: string): string | undefined {
  const folded = foldTagKey(key);
  const name = Object.keys(labels)
    .toSorted()
    .find((label) => foldTagKey(label) === folded);
  const value = name === undefined ? undefined : labels[name]?.trim();
  return value === "" ? undefined : value;
}

/** A pod's owner as a line's: what the owners file says of its service or team that day, then its own label. */
export function podPlaces(
  tagKey: string,
  ownership: readonly OwnershipPeriod[],
  shownOwner: (owner: string) => string,
): PlaceOfPod {
  const recorded = recordedOwner(ownership);
  return (labels, day) => {
    const owner =
      recorded("service", labelOf(labels, "service"), day) ??
      recorded("team", labelOf(labels, "team"), day) ??
      labelOf(labels, tagKey);
    return owner === undefined
      ? { bucket: "untagged", owner: null, because: "key-absent" }
      : { bucket: "owner", owner: shownOwner(owner), because: null };
  };
}

/** A line of a node, of its traffic or of a volume, as SQL names it: `i-0abc`, `i-0abc network`, `vol-0abc`. */
export interface ItemLine {
  readonly line: PlacedLine;
  readonly item: string;
  /** `2026-07-01 00:00:00/2026-07-01 01:00:00`, UTC. */
  readonly period: string;
}

export interface PodSplit {
  readonly moves: readonly PlacedLine[];
  readonly nodes: readonly NodeTotal[];
}

function partsOf(
  { item, period }: ItemLine,
  usage: KubernetesUsage,
  rules: AllocationRules,
): readonly UsagePart[] {
  const [startSeconds = 0, endSeconds = 0] = period.split("/").map(parseUtcSeconds);
  const time: SplitPeriod = { startSeconds, endSeconds };
  const [id = "", isTraffic] = item.split(" ");
  const hours = usage.items.get(id) ?? [];
  if (isTraffic !== undefined) return networkParts(hours, time);
  if (hours.some(({ resource }) => resource === "storage")) return volumeParts(hours, time);
  return nodeParts(hours, time, (resource) => rules.idle.nodes[resource] === "spread");
}

const NODE_IDLE: Place = { bucket: "idle", owner: null, because: "node-idle" };

/** Where a part goes; null for what stays with the line. */
function placeOf(part: UsagePart, rules: AllocationRules, placeOfPod: PlaceOfPod): Place | null {
  if (part.pod !== null) return placeOfPod(part.pod.labels, part.day);
  const { resource } = part;
  if (part.part === "unknown" || resource === null || resource === "network" || resource === "storage")
    return null;
  return rules.idle.nodes[resource] === "kept" ? null : NODE_IDLE;
}

/** Of a weight; far beyond the last digit of any money that is split by it. */
const WEIGHT_DIGITS = 40;

function exactWeight(parts: readonly UsagePart[]): ExactDecimal {
  return addDecimals(parts.map(({ weight }) => parseDecimal(weight.toFixed(WEIGHT_DIGITS))));
}

/** Moves what a node or volume costs to its pods' owners, and says what of it was used and what was idle. */
export function splitByPods(
  itemLine: ItemLine,
  usage: KubernetesUsage,
  rules: AllocationRules,
  placeOfPod: PlaceOfPod,
  scale: number,
): PodSplit {
  const { line, item } = itemLine;
  const placed = partsOf(itemLine, usage, rules).map((part) => ({
    part,
    place: placeOf(part, rules, placeOfPod),
  }));
  const groups = [
    ...Map.groupBy(placed, ({ part, place }) => JSON.stringify([place, part.part, part.resource])).values(),
  ];
  const weights = groups.map((group) => exactWeight(group.map(({ part }) => part)));
  if (!weights.some(({ units }) => units > 0n)) return { moves: [], nodes: [] };
  const amounts = splitAmounts(line.amounts, weights, scale);
  const moves: PlacedLine[] = [];
  const nodes: NodeTotal[] = [];
  for (const [index, group] of groups.entries()) {
    const [first] = group;
    const money = amounts[index];
    if (first === undefined || money === undefined) continue;
    const { part, place } = first;
    if (place !== null) moves.push(...move(line, money, place, BY_POD));
    const { resource } = part;
    if (part.part === "unknown" || (resource !== "cpu" && resource !== "memory" && resource !== "gpu"))
      continue;
    const none = { units: 0n, scale: 0 };
    const { effective } = money;
    const isUsed = part.part === "used";
    nodes.push({
      currency: line.currency,
      node: item,
      resource,
      used: isUsed ? effective : none,
      idle: isUsed ? none : effective,
    });
  }
  return { moves, nodes };
}

/** One total for each node and resource. */
export function addNodes(nodes: readonly NodeTotal[]): readonly NodeTotal[] {
  const groups = Map.groupBy(nodes, ({ currency, node, resource }) =>
    JSON.stringify([currency, node, resource]),
  );
  return [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, same]) => {
      const [first] = same;
      if (first === undefined) return [];
      return [
        {
          ...first,
          used: addDecimals(same.map(({ used }) => used)),
          idle: addDecimals(same.map(({ idle }) => idle)),
        },
      ];
    });
}
