import { allocate, type MatchedLine } from "../allocation/allocate.ts";
import type { AllocationRules } from "../allocation/allocation-rules.ts";
import type { PlacedLine } from "../allocation/placed-line.ts";
import type { OwnershipPeriod } from "../owners/ownership.ts";
import { splitByDate } from "../owners/split-by-date.ts";
import { type FoldedOwner, foldOwners } from "./owner-rows.ts";
import type { SplitLine } from "./split-bill.ts";
import { foldTagValue } from "./tag-spelling.ts";

export interface PlaceArgs {
  readonly lines: readonly SplitLine[];
  readonly ownership: readonly OwnershipPeriod[];
  readonly rules: AllocationRules;
  readonly sharedOwners: readonly string[];
  readonly scale: number;
}

export interface PlacedBill {
  readonly lines: readonly PlacedLine[];
  readonly owners: ReadonlyMap<string, FoldedOwner>;
  readonly notes: readonly string[];
}

function placedLine(line: SplitLine, shownOwner: (owner: string) => string): PlacedLine {
  return {
    currency: line.currency,
    month: line.billing_month,
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
 * Puts every line of the split bill in its place: owners in one spelling, charges that a change of owner falls into by
 * date, then what the rules share out. Money only moves: the sum of the lines is the bill at every step.
 */
export function placeLines(args: PlaceArgs): PlacedBill {
  const owners = foldOwners(args.lines);
  const shownOwner = (owner: string): string => owners.get(foldTagValue(owner))?.shown ?? owner;
  const matched = args.lines.flatMap((split): MatchedLine[] => {
    const line = placedLine(split, shownOwner);
    const { owner_span: span, charge_period: period } = split;
    const dated =
      span === null || period === null
        ? []
        : splitByDate({ line, span, period }, args.ownership, args.scale, shownOwner);
    return [line, ...dated].map((one) => ({ line: one, matches: split.rules }));
  });
  const { lines, notes } = allocate({ ...args, lines: matched, shownOwner });
  return { lines, owners, notes };
}
