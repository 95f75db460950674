import { addAmounts, type Amounts, type Place, type PlacedLine } from "../allocation/placed-line.ts";
import { formatDecimal } from "../money/exact-decimal.ts";
import { BUCKETS, type CostLine, type DayCost, type ResourceCost } from "./cost-report.ts";

/** Money with how many lines it is and how many of them have no list price. */
export interface CountedCost {
  readonly amounts: Amounts;
  readonly lines: number;
  readonly unlistedLines: number;
}

interface ExactText {
  readonly billed: string;
  readonly effective: string;
  readonly list: string | null;
}

/** Of what has no list price, a list cost of 0 would be a lie. */
export function exactText({ amounts, lines, unlistedLines }: CountedCost): ExactText {
  const { billed, effective, list } = amounts;
  return {
    billed: formatDecimal(billed),
    effective: formatDecimal(effective),
    list: unlistedLines === lines && list.units === 0n ? null : formatDecimal(list),
  };
}

/** Lines that are alike in `key`, added up, in the order in which each is met first. */
function addAlike(
  lines: readonly PlacedLine[],
  key: (line: PlacedLine) => readonly (string | null)[],
): readonly PlacedLine[] {
  const groups = Map.groupBy(lines, (line) => JSON.stringify(key(line)));
  return [...groups.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const count = (pick: (line: PlacedLine) => number): number =>
      same.reduce((sum, line) => sum + pick(line), 0);
    return [
      {
        ...first,
        lines: count((line) => line.lines),
        unlistedLines: count((line) => line.unlistedLines),
        amounts: addAmounts(same.map(({ amounts }) => amounts)),
      },
    ];
  });
}

/** What tells places apart: an owner may be called as a reason is, so a label does not. */
export function placeName({ bucket, owner, because }: Place): string {
  return JSON.stringify([bucket, owner, because]);
}

/** The report's lines: one for all that are alike in everything that it says of a line. */
export function costLinesOf(lines: readonly PlacedLine[]): readonly CostLine[] {
  const alike = addAlike(lines, (line) => [
    line.month,
    placeName(line),
    line.providerService,
    line.chargeCategory,
    line.allocation,
  ]);
  return alike.map((line) => {
    const { billed, effective, list } = exactText(line);
    return {
      BillingCurrency: line.currency,
      BillingMonth: line.month,
      ServiceName: line.providerService,
      ChargeCategory: line.chargeCategory,
      bucket: line.bucket,
      owner: line.owner,
      because: line.because,
      lines: line.lines,
      allocation: line.allocation,
      BilledCost: billed,
      EffectiveCost: effective,
      ListCost: list,
    };
  });
}

/** By day, then by place; what is of no one day comes last. */
export function dayCostsOf(lines: readonly PlacedLine[]): readonly DayCost[] {
  const sortKey = ({ day, bucket, owner, because }: PlacedLine): string =>
    JSON.stringify([day ?? "~", BUCKETS.indexOf(bucket), owner, because]);
  return addAlike(lines, (line) => [line.day, placeName(line)])
    .map((line) => ({ line, key: sortKey(line) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ line }) => ({
      bucket: line.bucket,
      owner: line.owner,
      because: line.because,
      day: line.day,
      ...exactText(line),
    }));
}

/** What rules, dates and pods moved to and from each place's services: it is on no resource of that place. */
export function movedCostsOf(lines: readonly PlacedLine[]): readonly ResourceCost[] {
  const moved = lines.filter(({ allocation }) => allocation !== null);
  return addAlike(moved, (line) => [placeName(line), line.providerService, line.allocation]).map((line) => ({
    bucket: line.bucket,
    owner: line.owner,
    because: line.because,
    ServiceName: line.providerService,
    part: "moved",
    ResourceId: null,
    resources: 0,
    allocation: line.allocation,
    lines: line.lines,
    ...exactText(line),
  }));
}
