import type { FoldedOwner } from "./owner-rows.ts";
import { DOUBLE_DIGITS } from "./read-bill.ts";
import type { ReportKey } from "./report-key.ts";
import type { BillTotal, SplitLine } from "./split-bill.ts";
import { type ExactDecimal, formatDecimal } from "../money/exact-decimal.ts";

interface TagKeyCount {
  readonly spelling: string;
  readonly lines: number;
}

/** How many of the bill's own tag keys a hint names. */
const HINTED_KEYS = 5;

function plain(amount: ExactDecimal): string {
  return formatDecimal(amount);
}

function lineWord(count: number): string {
  return count === 1 ? "1 line" : `${count} lines`;
}

function billNotes(total: BillTotal): string[] {
  const { currency } = total;
  const notes: string[] = [];
  if (total.unamortized_count > 0) {
    const billed = plain(total.unamortized_billed);
    notes.push(
      `${lineWord(total.unamortized_count)} of usage billed ${billed} ${currency} have effective cost 0 in the bill; counted as they are`,
    );
  }
  if (total.odd_credit_count > 0) {
    const count = total.odd_credit_count === 1 ? "1 credit is" : `${total.odd_credit_count} credits are`;
    notes.push(
      `${count} billed ${plain(total.odd_credit_billed)} and effective ${plain(total.odd_credit_effective)} ${currency} in the bill; counted as they are`,
    );
  }
  if (total.unlisted_count > 0) {
    notes.push(
      total.unlisted_count === total.line_count
        ? `the bill in ${currency} has no list prices`
        : `${lineWord(total.unlisted_count)} in ${currency} without a list price: the list column is without them`,
    );
  }
  if (total.other_month_count > 0) {
    notes.push(
      `${lineWord(total.other_month_count)} in ${currency} charged in another month than the one they are billed in; reported by billing period, as the invoice is`,
    );
  }
  return notes;
}

function keyNotes(
  key: ReportKey,
  tagKeys: readonly TagKeyCount[],
  spellings: readonly TagKeyCount[],
): string[] {
  if (key.kind === "column") return [];
  if (spellings.length === 0) {
    const used = tagKeys
      .slice(0, HINTED_KEYS)
      .map(({ spelling, lines }) => `${JSON.stringify(spelling)} (${lines})`);
    const hint =
      used.length === 0 ? "it has no tags" : `its most used keys are ${used.join(", ")}: see --tag-key`;
    return [`no line of the bill has the tag ${JSON.stringify(key.tagKey)}; ${hint}`];
  }
  if (spellings.length === 1 && spellings[0]?.spelling === key.tagKey) return [];
  const list = spellings.map(({ spelling, lines }) => `${JSON.stringify(spelling)} (${lines})`).join(", ");
  return [`the tag ${JSON.stringify(key.tagKey)} is spelled ${list} in the bill: read as one key`];
}

/** What a reader has to know about a bill that the numbers do not say. Short sentences, always in the same order. */
export function notesOf(findings: {
  readonly key: ReportKey;
  readonly tagKeys: readonly TagKeyCount[];
  readonly spellings: readonly TagKeyCount[];
  readonly owners: ReadonlyMap<string, FoldedOwner>;
  readonly lines: readonly SplitLine[];
  readonly totals: readonly BillTotal[];
  readonly unknownColumns: readonly string[];
  readonly floatingColumns: readonly string[];
}): readonly string[] {
  const folded = [...findings.owners.values()].filter((owner) => owner.spellings.length > 1);
  const ambiguous = findings.lines.reduce((sum, line) => sum + line.ambiguous_count, 0);
  const overridden = findings.lines.reduce((sum, line) => sum + line.overridden_count, 0);
  const first = findings.spellings[0]?.spelling ?? "";
  const currencies = findings.totals.map((total) => total.currency);
  return [
    ...keyNotes(findings.key, findings.tagKeys, findings.spellings),
    ...folded
      .toSorted((a, b) => (a.shown < b.shown ? -1 : 1))
      .map(({ shown, spellings }) => {
        const others = spellings.slice(1).map((spelling) => JSON.stringify(spelling));
        return `${JSON.stringify(shown)} is also written ${others.join(", ")}: added as one`;
      }),
    ...(ambiguous === 0
      ? []
      : [
          `${lineWord(ambiguous)} with the tag under two spellings and two values: ${JSON.stringify(first)} comes first`,
        ]),
    ...(overridden === 0
      ? []
      : [`${lineWord(overridden)} whose own tag names another owner than the owners file: the file counts`]),
    ...(currencies.length > 1
      ? [`the bill is in ${currencies.join(" and ")}: reported apart, never added`]
      : []),
    ...findings.totals.flatMap(billNotes),
    ...(findings.floatingColumns.length === 0
      ? []
      : [
          `binary floating point in the file, read to ${DOUBLE_DIGITS} digits after the point: ${findings.floatingColumns.join(", ")}`,
        ]),
    ...(findings.unknownColumns.length === 0
      ? []
      : [`columns that FOCUS does not know, left unread: ${findings.unknownColumns.join(", ")}`]),
  ];
}
