import { allocate, type MatchedLine } from "../allocation/allocate.ts";
import type { AllocationRules } from "../allocation/allocation-rules.ts";
import type { KubernetesUsage } from "../allocation/kubernetes-usage.ts";
import { addNodes, podPlaces, splitByPods } from "../allocation/place-pods.ts";
import type { Place, PlacedLine } from "../allocation/placed-line.ts";
import type { OwnershipPeriod } from "../owners/ownership.ts";
import { splitByDate } from "../owners/split-by-date.ts";
import { type FoldedOwner, foldOwners } from "./owner-rows.ts";
import type { ReportKey } from "./report-key.ts";
import type { NodeTotal, SplitLine } from "./split-bill.ts";
import { foldTagValue } from "./tag-spelling.ts";

export interface PlaceArgs {
  readonly key: ReportKey;
  readonly lines: readonly SplitLine[];
  readonly ownership: readonly OwnershipPeriod[];
  readonly rules: AllocationRules;
  /** Use of nodes and volumes by pods, where their cost is split by it. */
  readonly kubernetes: KubernetesUsage | undefined;
  readonly sharedOwners: readonly string[];
  readonly scale: number;
}

export interface PlacedBill {
  readonly lines: readonly PlacedLine[];
  /** Where each of the given lines is, in their order; what was moved of it is elsewhere. */
  readonly places: readonly Place[];
  readonly owners: ReadonlyMap<string, FoldedOwner>;
  /** What was used and idle of the nodes that were split by their pods here. */
  readonly nodes: readonly NodeTotal[];
  readonly notes: readonly string[];
}

function placedLine(line: SplitLine, shownOwner: (owner: string) => string): PlacedLine {
  return {
    currency: line.currency,
    month: line.billing_month,
    day: line.charge_day,
    bucket: line.bucket,
    owner: line.owner === null ? null : shownOwner(line.owner),
    because: line.because,
    providerService: line.provider_service,
    chargeCategory: line.charge_category,
    lines: line.line_count,
    unlistedLines: line.unlisted_count,
    amounts: { billed: line.billed, effective: line.effective, list: line.list },
    allocation: null,
  };
}

/**
 * Puts every line of the split bill in its place: owners in one spelling, nodes and volumes by their pods, charges that a
 * change of owner falls into by date, then what the rules share out. Money only moves: the sum of the lines is the bill at every step.
 */
export function placeLines(args: PlaceArgs): PlacedBill {
  const owners = foldOwners(args.lines);
  const shownOwner = (owner: string): string => owners.get(foldTagValue(owner))?.shown ?? owner;
  const { key } = args;
  const placeOfPod = podPlaces(key.kind === "tag" ? key.tagKey : key.by, args.ownership, shownOwner);
  const nodes: NodeTotal[] = [];
  const matched = args.lines.flatMap((split): MatchedLine[] => {
    const line = placedLine(split, shownOwner);
    const { item, owner_span: span, charge_period: period } = split;
    if (args.kubernetes !== undefined && item !== null && period !== null) {
      const { moves, nodes: found } = splitByPods(
        { line, item, period },
        args.kubernetes,
        args.rules,
        placeOfPod,
        args.scale,
      );
      nodes.push(...found);
      if (moves.length > 0) return [line, ...moves].map((one) => ({ line: one, matches: split.rules }));
    }
    const dated =
      span === null || period === null
        ? []
        : splitByDate({ line, span, period }, args.ownership, args.scale, shownOwner);
    return [line, ...dated].map((one) => ({ line: one, matches: split.rules }));
  });
  const { lines, notes } = allocate({ ...args, lines: matched, shownOwner });
  // Lines of the bill stay in their order, and what is moved is a line beside them.
  const places = lines.filter(({ allocation }) => allocation === null);
  return { lines, places, owners, nodes: addNodes(nodes), notes };
}
