import { InputError } from "../../host-tuning/errors.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { type AllocationRules, allocationRulesSchema } from "../allocation/allocation-rules.ts";
import type { KubernetesUsage } from "../allocation/kubernetes-usage.ts";
import { BY_POD } from "../allocation/place-pods.ts";
import { addAmounts, type PlacedLine } from "../allocation/placed-line.ts";
import { addDecimals, type ExactDecimal, formatDecimal, percentOf } from "../money/exact-decimal.ts";
import type { OwnersFile } from "../owners/owners-file.ts";
import { OWNED_KINDS, type OwnershipPeriod, ownershipOf } from "../owners/ownership.ts";
import { BY_DATE } from "../owners/split-by-date.ts";
import type { ContractFile } from "../read-contract-file.ts";
import { balanceSheetOf, minorDigitsOf, roundRows } from "./balance-sheet.ts";
import type { CondenseNeeds } from "./condense-sql.ts";
import type {
  Allocation,
  Commitment,
  CostReport,
  CurrencyReport,
  NodeCost,
  ResourceCost,
  UsedFile,
} from "./cost-report.ts";
import type { ListColumn, ReadColumn } from "./focus-columns.ts";
import { rowsOf } from "./owner-rows.ts";
import { placeLines } from "./place-lines.ts";
import { costLinesOf, dayCostsOf } from "./placed-costs.ts";
import { readResources } from "./read-resources.ts";
import type { SqlSettings } from "./render-sql.ts";
import type { ReportKey } from "./report-key.ts";
import { notesOf } from "./report-notes.ts";
import { type SoundBill, withSoundBill } from "./sound-bill.ts";
import {
  type BillingPeriod,
  type BillTotal,
  type CommitmentTotal,
  type NodeTotal,
  readBillingMonths,
  readBillingPeriods,
  readBillTotals,
  readCommitments,
  readNodes,
  readSplitLines,
  readTagKeys,
  type SplitLine,
} from "./split-bill.ts";
import { spellingsOf } from "./tag-spelling.ts";

export interface CostReportArgs {
  readonly input: string;
  readonly key: ReportKey;
  /** A billing period as in `2026-07`; all of the file when undefined. */
  readonly month?: string | undefined;
  /** Owners that stand for everyone, as a platform team's shared accounts: their cost is shared cost. */
  readonly sharedOwners?: readonly string[];
  readonly owners?: ContractFile<OwnersFile> | undefined;
  readonly rules?: ContractFile<AllocationRules> | undefined;
  /** Use of nodes and volumes by pods, for a bill that is not split by them itself. */
  readonly kubernetes?: KubernetesUsage | undefined;
  /** Which prices the report's `list` is at; only a FOCUS bill has others than list prices. */
  readonly listColumn?: ListColumn | undefined;
  /** How many resources of a row's provider service are named, the dearest; none are read when undefined. */
  readonly resources?: number | undefined;
  /** Whether rows are added up by day too. */
  readonly isDaily?: boolean | undefined;
  /** For DuckDB; its own choice when undefined. The result is the same for every number. */
  readonly threads?: number | undefined;
}

/** Without a file of rules nothing is shared out, and a node's idle part is on its pods as AWS has it. */
const NO_RULES = allocationRulesSchema.parse({ apiVersion: API_VERSION, kind: "AllocationRules" });

/** Usage above 0 that has an owner, as a share of all usage above 0. */
function coverageOf(lines: readonly SplitLine[], pick: (line: SplitLine) => ExactDecimal): string | null {
  const sum = (some: readonly SplitLine[]): ExactDecimal => addDecimals(some.map(pick));
  return percentOf(sum(lines.filter((line) => line.bucket === "owner")), sum(lines), 1) ?? null;
}

function allocationsOf(lines: readonly PlacedLine[], rules: AllocationRules): Allocation[] {
  const splits = new Map<string, Allocation["split"]>([
    [BY_DATE, "by-date"],
    [BY_POD, "by-pod"],
    ...rules.rules.map(({ name, split }) => [name, split?.by ?? "weighted"] as const),
  ]);
  const moved = lines.filter((line) => line.allocation !== null);
  const groups = Map.groupBy(moved, ({ allocation, bucket, owner, because }) =>
    JSON.stringify([allocation, bucket, owner, because]),
  );
  return [...groups.values()].flatMap((group): Allocation[] => {
    const [first] = group;
    if (first === undefined || first.allocation === null) return [];
    const { billed, effective, list } = addAmounts(group.map(({ amounts }) => amounts));
    const { allocation, bucket, owner, because } = first;
    const split = splits.get(allocation) ?? "weighted";
    const money = {
      billed: formatDecimal(billed),
      effective: formatDecimal(effective),
      list: formatDecimal(list),
    };
    return [{ allocation, split, bucket, owner, because, ...money }];
  });
}

function commitmentOf(total: CommitmentTotal): Commitment {
  const { used, unused } = total;
  return {
    commitmentId: total.commitment_id,
    type: total.commitment_type,
    purchased: formatDecimal(total.purchased),
    used: formatDecimal(used),
    unused: formatDecimal(unused),
    usedAtListPrice: total.unlisted_count > 0 ? null : formatDecimal(total.used_list),
    utilizationPercent: percentOf(used, addDecimals([used, unused]), 1) ?? null,
  };
}

function nodeOf({ node, resource, used, idle }: NodeTotal): NodeCost {
  return {
    node,
    resource,
    used: formatDecimal(used),
    idle: formatDecimal(idle),
    idlePercent: percentOf(idle, addDecimals([used, idle]), 1) ?? null,
  };
}

/** What was read of one currency of a bill. */
interface CurrencyParts {
  readonly total: BillTotal;
  readonly split: readonly SplitLine[];
  readonly lines: readonly PlacedLine[];
  readonly rules: AllocationRules;
  readonly commitments: readonly CommitmentTotal[];
  readonly nodes: readonly NodeTotal[];
  readonly resources: readonly ResourceCost[] | null;
  readonly isDaily: boolean;
}

function currencyReportOf(parts: CurrencyParts): CurrencyReport {
  const { total, split, lines, rules, commitments, nodes, resources } = parts;
  const minorDigits = minorDigitsOf(total.currency);
  const rows = roundRows(rowsOf(lines), minorDigits);
  const { billed, effective, list } = total;
  const bill = { lines: total.line_count, unlistedLines: total.unlisted_count, billed, effective, list };
  return {
    currency: total.currency,
    minorDigits,
    billingMonths: { first: total.first_month, last: total.last_month },
    chargeDays: { first: total.first_day, last: total.last_day },
    rows: [...rows],
    balance: balanceSheetOf(bill, rows, minorDigits),
    coverage: {
      billedPercent: coverageOf(split, (line) => line.positive_usage_billed),
      effectivePercent: coverageOf(split, (line) => line.positive_usage_effective),
    },
    allocations: allocationsOf(lines, rules),
    commitments: commitments.map(commitmentOf),
    nodes: nodes.map(nodeOf),
    lines: [...costLinesOf(lines)],
    resources: resources === null ? null : [...resources],
    days: parts.isDaily ? [...dayCostsOf(lines)] : null,
  };
}

async function checkMonth({ given, queries }: SoundBill, month: string | undefined): Promise<void> {
  if (month === undefined) return;
  const months = await readBillingMonths(queries);
  if (months.includes(month)) return;
  throw new InputError("command line", [
    { path: "--month", message: `${given} has billing periods ${months.join(", ")}, not ${month}` },
  ]);
}

/** @throws {InputError} when the report's key is none that an owners file gives an owner */
function ownershipFor(key: ReportKey, owners: CostReportArgs["owners"]): readonly OwnershipPeriod[] {
  if (owners === undefined) return [];
  if (key.kind === "tag" && Object.hasOwn(OWNED_KINDS, key.by)) return ownershipOf(owners.data, key.by);
  const message = `an owners file says whose teams' and cost centers' cost is, not which ${key.by}`;
  throw new InputError("command line", [{ path: "--owners", message }]);
}

/** @throws {InputError} when the bill has split a node by its pods that is to be split again */
function checkSplitOnce(nodes: readonly NodeTotal[], kubernetes: KubernetesUsage | undefined): void {
  const twice = nodes.find(({ node }) => kubernetes?.items.has(node.split(/[:/]/).at(-1) ?? node) === true);
  if (twice === undefined) return;
  const message = `the bill has split ${twice.node} by its pods already (AWS split cost allocation data)`;
  throw new InputError("command line", [{ path: "--kubernetes", message }]);
}

/** @throws {InputError} when the bill is split by what is no pod's */
function podItems(key: ReportKey, kubernetes: KubernetesUsage | undefined): readonly string[] {
  if (kubernetes === undefined) return [];
  if (key.kind === "tag") return [...kubernetes.items.keys()];
  const message = `a pod has labels, and no ${key.by} of its own: split by a tag`;
  throw new InputError("command line", [{ path: "--kubernetes", message }]);
}

/** Nodes whose pods are known and that the bill has no charge of: of another month or account, or named otherwise. */
function unbilledNotes(items: readonly string[], lines: readonly SplitLine[]): readonly string[] {
  const billed = new Set(lines.map(({ item }) => item?.split(" ")[0]));
  const unbilled = items.filter((item) => !billed.has(item));
  const [first] = unbilled;
  if (first === undefined) return [];
  return [
    `${unbilled.length} of ${items.length} nodes and volumes of --kubernetes have no line here, as ${first}`,
  ];
}

function usedFile(file: ContractFile<unknown> | undefined): UsedFile {
  return file === undefined ? null : { name: file.name, sha256: file.sha256 };
}

/** What the report's SQL asks of single lines. */
function needsOf({
  key,
  rules,
  ownership,
  items,
  isDaily,
  hasResources,
}: Pick<SqlSettings, "key" | "rules" | "ownership" | "items" | "isDaily"> & {
  readonly hasResources: boolean;
}): CondenseNeeds {
  const costs = rules.rules.map((rule) => rule.cost);
  const isOwned = ownership.length > 0;
  const columns: readonly (ReadColumn | false)[] = [
    key.kind === "column" && key.column,
    (isOwned || costs.some((cost) => cost.accounts !== undefined)) && "SubAccountId",
    costs.some((cost) => cost.regions !== undefined) && "RegionId",
  ];
  return {
    columns: new Set(columns.filter((column) => column !== false)),
    tagKeys: [
      ...(key.kind === "tag" ? [key.tagKey] : []),
      ...costs.flatMap((cost) => Object.keys(cost.tags ?? {})),
      ...(isOwned ? ["service", "team"] : []),
    ],
    resources: hasResources,
    items,
    podNodes: items.length > 0 || Object.values(rules.idle.nodes).includes("kept"),
    days: isDaily,
    hours: isOwned,
  };
}

/** What a report asks of a bill, whichever it is. */
type Asked = Pick<SqlSettings, "ownership" | "rules" | "items" | "isDaily">;

async function reportOf(bill: SoundBill, args: CostReportArgs, asked: Asked): Promise<CostReport> {
  const { queries: database, scale } = bill;
  const { key, month } = args;
  const { ownership, rules, items, isDaily } = asked;
  await checkMonth(bill, month);
  const readsTags = key.kind === "tag" || rules.rules.some((rule) => rule.cost.tags !== undefined);
  const found = readsTags ? await readTagKeys(database) : [];
  const tagKeys = found.map(({ spelling }) => spelling);
  const names = key.kind === "tag" ? spellingsOf(key.tagKey, tagKeys) : [];
  const settings = { ...asked, key, month, scale, tagKeys };
  const split = await readSplitLines(database, settings);
  const totals = await readBillTotals(database, settings);
  const commitments = await readCommitments(database, settings);
  const nodes = await readNodes(database, settings);
  checkSplitOnce(nodes, args.kubernetes);
  const placed = placeLines({
    key,
    kubernetes: args.kubernetes,
    lines: split,
    ownership,
    rules,
    sharedOwners: args.sharedOwners ?? [],
    scale,
  });
  const resourcesOf =
    args.resources === undefined
      ? undefined
      : await readResources(database, { settings, split, places: placed.places, most: args.resources });
  const spellings = names.flatMap((name) => found.filter(({ spelling }) => spelling === name));
  const inCurrency =
    (currency: string) =>
    (one: { readonly currency: string }): boolean =>
      one.currency === currency;
  return {
    apiVersion: API_VERSION,
    kind: "CostReport",
    source: bill.source,
    by: key.by,
    tagKey: key.kind === "tag" ? key.tagKey : null,
    spellings,
    plural: key.plural,
    month: month ?? null,
    owners: usedFile(args.owners),
    allocation: usedFile(args.rules),
    currencies: totals.map((total) => {
      const lines = placed.lines.filter(inCurrency(total.currency));
      return currencyReportOf({
        total,
        rules,
        split: split.filter(inCurrency(total.currency)),
        lines,
        resources: resourcesOf?.(total.currency, lines) ?? null,
        isDaily,
        commitments: commitments.filter(inCurrency(total.currency)),
        nodes: [...nodes, ...placed.nodes].filter(inCurrency(total.currency)),
      });
    }),
    notes: [
      ...bill.notes,
      ...notesOf({ ...bill, key, tagKeys: found, spellings, owners: placed.owners, lines: split, totals }),
      ...(args.kubernetes?.notes ?? []),
      ...unbilledNotes(items, split),
      ...placed.notes,
    ],
  };
}

/** Opens the bill with all that the report asks of it. */
async function withReport<T>(
  args: CostReportArgs,
  use: (report: CostReport, bill: SoundBill) => Promise<T> | T,
): Promise<T> {
  const { input, key, kubernetes, listColumn, month, threads } = args;
  const asked = {
    ownership: ownershipFor(key, args.owners),
    rules: args.rules?.data ?? NO_RULES,
    items: podItems(key, kubernetes),
    isDaily: args.isDaily === true,
  };
  const needed = key.kind === "tag" ? (["Tags"] as const) : [key.column];
  const condense = needsOf({ ...asked, key, hasResources: args.resources !== undefined });
  return await withSoundBill({ input, needed, condense, listColumn, month, threads }, async (bill) =>
    use(await reportOf(bill, args, asked), bill),
  );
}

/**
 * Reads a bill and splits it by a key. The same file and arguments give the same report, to the byte.
 *
 * @throws {InputError} when the file is no sound bill, with every fault
 */
export async function buildCostReport(args: CostReportArgs): Promise<CostReport> {
  return await withReport(args, (report) => report);
}

/** A report with the billing periods that it is of, whose money its lines have apart. */
export interface ReportOfPeriods {
  readonly report: CostReport;
  readonly periods: readonly BillingPeriod[];
}

/**
 * The same with the days of each billing period: months beside one another from one read of the bill.
 *
 * @throws {InputError} as `buildCostReport` does
 */
export async function buildReportOfPeriods(args: CostReportArgs): Promise<ReportOfPeriods> {
  return await withReport(args, async (report, { queries }) => ({
    report,
    periods: (await readBillingPeriods(queries)).filter(
      ({ month }) => args.month === undefined || month === args.month,
    ),
  }));
}

/** Whether every currency of the report balances: what the exit code says. */
export function isBalanced(report: CostReport): boolean {
  return report.currencies.every((currency) => currency.balance.balanced);
}
