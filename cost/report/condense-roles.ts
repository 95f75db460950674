import { sqlName, sqlText } from "./bill-database.ts";
import type { CurColumn } from "./cur-columns.ts";
import type { ReadColumn } from "./focus-columns.ts";
import type { FileLayout } from "./read-bill.ts";

/** What a line is that an amount of it belongs to: a type of line item, or a pod's part of its instance. */
export type Part = { readonly of: string; readonly place: 1 | 2 | 3 | 4 };

/** What becomes of a column where alike lines become one. */
export type Role =
  /** Lines that differ in what this SQL keeps of it stay apart. */
  | { readonly kind: "key"; readonly keeps?: (column: string) => string }
  /** Lines that differ in it stay apart where the report asks for it; it is left out elsewhere. */
  | { readonly kind: "key-where-asked"; readonly column: ReadColumn }
  /**
   * Lines differ in what this SQL keeps of it, by the type of line item, unless single resources are asked for. What is kept
   * of a column of many values is true or not, of which `text` says what stands for it.
   */
  | {
      readonly kind: "reduced";
      readonly keeps: (column: string, lineType: string) => string;
      readonly text?: string;
      readonly isResource?: true;
    }
  /** The instance that a pod ran on: nodes whose tags are alike become one, unless single resources are asked for. */
  | { readonly kind: "node" }
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  /** Added up. One with a `part` means something in these lines only, and such amounts share a sum. */
  | { readonly kind: "amount"; readonly isRequired?: true; readonly mayBeNull?: true; readonly part?: Part }
  | { readonly kind: "tags" };

const KEY: Role = { kind: "key" };
const REQUIRED: Role = { kind: "amount", isRequired: true };
const LIST: Role = { kind: "amount", mayBeNull: true };

/** The `of` of a part that is a pod's: lines of split cost allocation data, whatever their type. */
export const SPLIT = "split";

function part(of: string, place: Part["place"]): Role {
  return { kind: "amount", mayBeNull: true, part: { of, place } };
}

/**
 * A resource is told from none. Ids are many and to trim each is half of all the work on a line: one that starts with a
 * printable character, and not as NULL does, is a resource as it stands.
 */
const RESOURCE: Role = {
  kind: "reduced",
  isResource: true,
  text: "resource",
  keeps: (column) =>
    `case when ${column} between '!' and '~' and not starts_with(${column}, 'NULL') then true ` +
    `else not contains(['', 'NULL'], trim(${column})) end`,
};

/** Operations of a pod's part of its instance. */
const SPLIT_OPERATIONS = ["EKSPod-EC2", "ECSTask-EC2"] as const;

/** Whether an operation is that of a pod's part of its instance; no value where there is no operation. */
function isSplitOperation(operation: string): string {
  return `contains([${SPLIT_OPERATIONS.map(sqlText).join(", ")}], trim(${operation}))`;
}

const SAVINGS_PLAN_REFUND = "Refund for one-time fee for Savings Plan ID";

const CUR_ROLES: Readonly<Record<CurColumn, Role>> = {
  bill_billing_period_start_date: KEY,
  bill_billing_period_end_date: KEY,
  bill_billing_entity: { kind: "key-where-asked", column: "ProviderName" },
  line_item_currency_code: KEY,
  // Other text is trimmed once its lines are few; this says what a line's amounts mean.
  line_item_line_item_type: { kind: "key", keeps: (column) => `trim(${column})` },
  line_item_product_code: KEY,
  line_item_unblended_cost: REQUIRED,
  line_item_usage_start_date: { kind: "start" },
  line_item_usage_end_date: { kind: "end" },
  line_item_line_item_description: {
    kind: "reduced",
    text: SAVINGS_PLAN_REFUND,
    // Descriptions are many; those of refunds are few.
    keeps: (column, lineType) =>
      `case when trim(${lineType}) = 'Refund' then starts_with(trim(${column}), ${sqlText(SAVINGS_PLAN_REFUND)}) end`,
  },
  line_item_operation: {
    kind: "reduced",
    // A lookup is a function, which DuckDB asks of each word of a dictionary; it asks a CASE of every line.
    keeps: (column) => {
      const names = SPLIT_OPERATIONS.map((operation) => `${sqlText(operation)}: ${sqlText(operation)}`);
      return `map_extract_value(map {${names.join(", ")}}, trim(${column}))`;
    },
  },
  line_item_resource_id: RESOURCE,
  line_item_usage_account_id: { kind: "key-where-asked", column: "SubAccountId" },
  line_item_usage_type: {
    kind: "reduced",
    keeps: (column) =>
      `regexp_extract(${column}, ${sqlText("UnusedBox:|vCPU-Hours\\s*$|GB-Hours\\s*$|Accelerator-Hours\\s*$")})`,
  },
  pricing_public_on_demand_cost: LIST,
  product_product_name: KEY,
  product_region_code: { kind: "key-where-asked", column: "RegionId" },
  reservation_reservation_a_r_n: KEY,
  reservation_effective_cost: part("DiscountedUsage", 1),
  reservation_unused_amortized_upfront_fee_for_billing_period: part("RIFee", 1),
  reservation_unused_recurring_fee: part("RIFee", 2),
  savings_plan_savings_plan_a_r_n: KEY,
  savings_plan_savings_plan_effective_cost: part("SavingsPlanCoveredUsage", 1),
  savings_plan_total_commitment_to_date: part("SavingsPlanRecurringFee", 1),
  savings_plan_used_commitment: part("SavingsPlanRecurringFee", 2),
  split_line_item_parent_resource_id: { kind: "node" },
  split_line_item_split_cost: part(SPLIT, 1),
  split_line_item_unused_cost: part(SPLIT, 2),
  split_line_item_public_on_demand_split_cost: part(SPLIT, 3),
  split_line_item_public_on_demand_unused_cost: part(SPLIT, 4),
  resource_tags: { kind: "tags" },
};

/** What nothing asks of a pod's line beside the node that it ran on: `cur-as-focus.sql` puts other text in its place. */
export const LEFT_OUT_OF_PODS: ReadonlySet<string> = new Set<CurColumn>([
  "line_item_line_item_description",
  "line_item_resource_id",
  "reservation_reservation_a_r_n",
  "savings_plan_savings_plan_a_r_n",
]);

const DROPPED: Role = { kind: "reduced", keeps: () => "cast(null as varchar)" };

const FOCUS_ROLES: Readonly<Record<ReadColumn, Role>> = {
  BilledCost: REQUIRED,
  EffectiveCost: REQUIRED,
  ListCost: LIST,
  BillingCurrency: KEY,
  BillingPeriodStart: KEY,
  BillingPeriodEnd: KEY,
  ChargePeriodStart: { kind: "start" },
  ChargePeriodEnd: { kind: "end" },
  ChargeCategory: KEY,
  ChargeClass: KEY,
  ServiceName: KEY,
  ChargeDescription: DROPPED,
  CommitmentDiscountId: KEY,
  CommitmentDiscountStatus: KEY,
  CommitmentDiscountType: KEY,
  CapacityReservationStatus: KEY,
  ProviderName: { kind: "key-where-asked", column: "ProviderName" },
  RegionId: { kind: "key-where-asked", column: "RegionId" },
  ResourceId: RESOURCE,
  SubAccountId: { kind: "key-where-asked", column: "SubAccountId" },
  Tags: { kind: "tags" },
  AllocatedMethodId: KEY,
  x_UsageType: DROPPED,
  x_SplitPart: KEY,
  x_SplitResource: KEY,
  x_SplitParentResourceId: KEY,
  x_SplitParentTags: KEY,
};

const ROLES = { CUR: CUR_ROLES, FOCUS: FOCUS_ROLES } as const;

/** What is kept of a reduced column, as text. */
export function keptText({ text }: Extract<Role, { kind: "reduced" }>, kept: string): string {
  return text === undefined ? kept : `case when ${kept} then ${sqlText(text)} end`;
}

export type AmountRole = Extract<Role, { kind: "amount" }>;

/** A column of the report that the bill's files have. */
export interface TypedColumn<R extends Role = Role> {
  readonly name: string;
  readonly role: R;
  /** In the file, quoted. */
  readonly source: string;
  readonly isDouble: boolean;
}

/** The columns of a bill's files. */
export interface TypedColumns {
  readonly found: readonly TypedColumn[];
  /** By their names; the report has them without a value. */
  readonly absent: readonly string[];
}

const EXACT = /^DECIMAL\(\d+,\s*\d+\)$|^(?:U?(?:TINY|SMALL|BIG)INT|U?INTEGER)$/;

/** Whether every value of a column that is added or compared is one by its type, so that no text has to be looked at. */
function isTyped(role: Role, type: string): boolean {
  const isTime = type.startsWith("TIMESTAMP") || type === "DATE";
  if (role.kind === "amount") return type === "DOUBLE" || EXACT.test(type);
  if (role.kind === "start" || role.kind === "end") return isTime;
  if (role.kind === "tags") return type === "MAP(VARCHAR, VARCHAR)";
  return type === "VARCHAR" || isTime;
}

/** The column of tags that `linesWithTags` makes of those that have a column each. */
const TAG_MAP = sqlName("tag map");

/** The lines of files with their tags in one column, whatever the files have them in. */
export function linesWithTags(from: string, { tagMap }: FileLayout): string {
  return tagMap === undefined ? from : `(select *, ${tagMap} as ${TAG_MAP} from ${from})`;
}

/** The columns of a bill's files, where all files have the same and every one is typed. */
export function typedColumns(layouts: readonly FileLayout[]): TypedColumns | undefined {
  const [first] = layouts;
  if (first === undefined) return undefined;
  const shape = (layout: FileLayout): string =>
    JSON.stringify([
      layout.tagMap,
      ...[...layout.columns].map(([column, name]) => [column, name, layout.table.type(name)]),
    ]);
  if (layouts.some((layout) => layout.table.type("") === undefined || shape(layout) !== shape(first))) {
    return undefined;
  }
  const found: TypedColumn[] = [];
  const absent: string[] = [];
  for (const [name, role] of Object.entries(ROLES[first.kind.standard])) {
    if (role.kind === "tags" && first.tagMap !== undefined) {
      found.push({ name, role, source: TAG_MAP, isDouble: false });
      continue;
    }
    const inFile = first.columns.get(name);
    const type = inFile === undefined ? undefined : first.table.type(inFile);
    if (inFile === undefined || type === undefined) absent.push(name);
    else if (isTyped(role, type))
      found.push({ name, role, source: sqlName(inFile), isDouble: type === "DOUBLE" });
    else return undefined;
  }
  return { found, absent };
}

export function isAmount(column: TypedColumn): column is TypedColumn<AmountRole> {
  return column.role.kind === "amount";
}

export function columnOf(kind: Role["kind"], { found }: TypedColumns): TypedColumn | undefined {
  return found.find(({ role }) => role.kind === kind);
}

/** Where the files have a column, quoted. */
export function sourceOf(name: string, { found }: TypedColumns): string | undefined {
  return found.find((column) => column.name === name)?.source;
}

/** A line's type, where the files have one. */
export function lineTypeSql(columns: TypedColumns): string {
  return sourceOf("line_item_line_item_type", columns) ?? "cast(null as varchar)";
}

/** Whether a line is a pod's part of its instance, where the bill says so; no value where it has no operation. */
export function isSplitLine(columns: TypedColumns): string {
  const operation = sourceOf("line_item_operation", columns);
  return operation === undefined ? "false" : isSplitOperation(operation);
}

/** The same of lines that were made one, by what is kept of them; it always has a value. */
export function isSplitGroup(columns: TypedColumns): string {
  if (sourceOf("line_item_operation", columns) === undefined) return "false";
  return `coalesce(${isSplitOperation("line_item_operation")}, false)`;
}
