import { addAmounts, isNothing, type PlacedLine } from "../allocation/placed-line.ts";
import { compareDecimals } from "../money/exact-decimal.ts";
import type { ExactRow } from "./balance-sheet.ts";
import { BUCKETS } from "./cost-report.ts";
import type { SplitLine } from "./split-bill.ts";
import { foldTagValue } from "./tag-spelling.ts";

/** One owner written in several ways, and the way that the report shows. */
export interface FoldedOwner {
  readonly shown: string;
  readonly spellings: readonly string[];
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function countLines(lines: readonly SplitLine[]): number {
  return lines.reduce((sum, line) => sum + line.line_count, 0);
}

/** Owners that differ only in case or in spaces around, by what they share; shown as most of their lines spell it. */
export function foldOwners(lines: readonly SplitLine[]): ReadonlyMap<string, FoldedOwner> {
  const withOwner = lines.filter((line) => line.owner !== null);
  const folds = Map.groupBy(withOwner, (line) => foldTagValue(line.owner ?? ""));
  return new Map(
    [...folds].map(([folded, sameOwner]) => {
      const bySpelling = [...Map.groupBy(sameOwner, (line) => line.owner ?? "")].toSorted(
        ([a, aLines], [b, bLines]) => countLines(bLines) - countLines(aLines) || compareText(a, b),
      );
      const spellings = bySpelling.map(([spelling]) => spelling);
      return [folded, { shown: spellings[0] ?? folded, spellings }];
    }),
  );
}

/**
 * One row per owner and one per reason why there is none: owners first, the dearest first, then the other buckets in
 * the order of the balance sheet.
 */
export function rowsOf(lines: readonly PlacedLine[]): readonly ExactRow[] {
  const groups = Map.groupBy(lines, (line) => JSON.stringify([line.bucket, line.owner, line.because]));
  const rows = [...groups.values()].flatMap((group): ExactRow[] => {
    const [first] = group;
    if (first === undefined) return [];
    const count = (pick: (line: PlacedLine) => number): number =>
      group.reduce((sum, line) => sum + pick(line), 0);
    const row = {
      bucket: first.bucket,
      owner: first.owner,
      because: first.because,
      lines: count((line) => line.lines),
      unlistedLines: count((line) => line.unlistedLines),
      ...addAmounts(group.map((line) => line.amounts)),
      allocated: addAmounts(group.flatMap((line) => (line.allocation === null ? [] : [line.amounts]))),
    };
    return row.lines === 0 && isNothing(row) ? [] : [row];
  });
  return rows.toSorted(
    (a, b) =>
      BUCKETS.indexOf(a.bucket) - BUCKETS.indexOf(b.bucket) ||
      compareDecimals(b.effective, a.effective) ||
      compareDecimals(b.billed, a.billed) ||
      compareText(`${a.owner ?? ""} ${a.because ?? ""}`, `${b.owner ?? ""} ${b.because ?? ""}`),
  );
}
