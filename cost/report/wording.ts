import type { Allocation, Bucket, CostReport, CurrencyReport, Reason, ReportRow } from "./cost-report.ts";

/** Why there is no owner, as a person reads it. */
export const REASON_TEXT: Readonly<Record<Reason, string>> = {
  "no-tags": "no tags at all",
  "key-absent": "other tags, not this key",
  "empty-value": "the key without a value",
  "not-taggable": "cannot carry tags",
  "no-value": "the bill does not say",
  tax: "tax",
  credit: "credit",
  refund: "refund",
  "commitment-purchase": "commitment purchase",
  support: "support plan",
  "shared-owner": "shared",
  "shared-rule": "shared",
  "unused-commitment": "unused commitment",
  "unused-reservation": "unused capacity reservation",
  "node-idle": "nodes",
};

/** How the balance sheet calls a part; owners are called by the key's plural. */
export const BUCKET_TEXT: Readonly<Record<Exclude<Bucket, "owner">, string>> = {
  shared: "shared",
  idle: "idle",
  "unused-commitment": "unused commitment",
  "tax-and-credit": "tax and credit",
  untagged: "untagged",
};

/** How an allocation shares out. */
export const SPLIT_TEXT: Readonly<Record<Allocation["split"], string>> = {
  even: "even",
  weighted: "weighted",
  fixed: "fixed",
  metric: "metric",
  "by-date": "by date",
  "by-pod": "by pod",
};

/** What stands in the first column of a row. */
export function labelOf(row: Pick<ReportRow, "bucket" | "owner" | "because">): string {
  if (row.bucket === "owner") return row.owner ?? "";
  const bucket = BUCKET_TEXT[row.bucket];
  const because = row.because === null ? "" : REASON_TEXT[row.because];
  const reason = because === bucket || because === "" ? bucket : `${bucket}: ${because}`;
  return row.owner === null ? reason : `${bucket}: ${row.owner}`;
}

/** "2024-09", or "2024-09 to 2024-10" where a file has several billing periods. */
export function periodText(currency: CurrencyReport): string {
  const { first, last } = currency.billingMonths;
  return first === last ? first : `${first} to ${last}`;
}

/** What was asked: "team", with the tag where it is another one. */
export function keyText(report: CostReport): string {
  return report.tagKey === null || report.tagKey === report.by
    ? report.by
    : `${report.by} (tag ${report.tagKey})`;
}

/** The parts of the balance sheet in its order, with their names. */
export function balanceParts(
  report: Pick<CostReport, "plural">,
  { balance }: Pick<CurrencyReport, "balance">,
): readonly (readonly [name: string, money: CurrencyReport["balance"]["bill"]])[] {
  return [
    [report.plural, balance.owners],
    ["shared", balance.shared],
    ["idle", balance.idle],
    ["unused commitment", balance.unusedCommitment],
    ["tax and credit", balance.taxAndCredit],
    ["untagged", balance.untagged],
  ];
}

/** "3 files, " where a bill has several. */
export function filesText({ source }: CostReport): string {
  return source.files.length === 1 ? "" : `${source.files.length} files, `;
}
