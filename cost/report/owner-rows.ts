import { addDecimals, compareDecimals, type ExactDecimal, parseDecimal } from "../money/exact-decimal.ts";
import type { ExactRow } from "./balance-sheet.ts";
import type { SplitLine } from "./split-bill.ts";
import { BUCKETS } from "./cost-report.ts";
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

/** The same line with its owner as the report shows it, and as shared cost where its owner stands for everyone. */
export function assignOwner(
  line: SplitLine,
  owners: ReadonlyMap<string, FoldedOwner>,
  sharedOwners: ReadonlySet<string>,
): SplitLine {
  if (line.owner === null) return line;
  const folded = foldTagValue(line.owner);
  const owner = owners.get(folded)?.shown ?? line.owner;
  return sharedOwners.has(folded)
    ? { ...line, bucket: "shared", because: "shared-owner", owner }
    : { ...line, owner };
}

function sumOf(lines: readonly SplitLine[], pick: (line: SplitLine) => string): ExactDecimal {
  return addDecimals(lines.map((line) => parseDecimal(pick(line))));
}

/**
 * One row per owner and one per reason why there is none: owners first, the dearest first, then the other buckets in
 * the order of the balance sheet.
 */
export function rowsOf(lines: readonly SplitLine[]): readonly ExactRow[] {
  const groups = Map.groupBy(lines, (line) => JSON.stringify([line.bucket, line.owner, line.because]));
  const rows = [...groups.values()].flatMap((group): ExactRow[] => {
    const [first] = group;
    if (first === undefined) return [];
    return [
      {
        bucket: first.bucket,
        owner: first.owner,
        because: first.because,
        lines: countLines(group),
        billed: sumOf(group, (line) => line.billed),
        effective: sumOf(group, (line) => line.effective),
      },
    ];
  });
  return rows.toSorted(
    (a, b) =>
      BUCKETS.indexOf(a.bucket) - BUCKETS.indexOf(b.bucket) ||
      compareDecimals(b.effective, a.effective) ||
      compareDecimals(b.billed, a.billed) ||
      compareText(`${a.owner ?? ""} ${a.because ?? ""}`, `${b.owner ?? ""} ${b.because ?? ""}`),
  );
}
