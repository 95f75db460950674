import type { Fault } from "../../host-tuning/errors.ts";
import { type BillKind, duplicateFaults } from "./focus-columns.ts";

/** Columns of a Cost and Usage Report without which it cannot be read, by their names in CUR 2.0. */
const REQUIRED = [
  "bill_billing_period_start_date",
  "bill_billing_period_end_date",
  "line_item_currency_code",
  "line_item_line_item_type",
  "line_item_product_code",
  "line_item_unblended_cost",
  "line_item_usage_start_date",
  "line_item_usage_end_date",
] as const;

/** Read where they are there: an export has those that its owner chose, and AWS leaves out what no line fills. */
const OPTIONAL = [
  "bill_billing_entity",
  "line_item_line_item_description",
  "line_item_operation",
  "line_item_resource_id",
  "line_item_usage_account_id",
  "line_item_usage_type",
  "pricing_public_on_demand_cost",
  "product_product_name",
  "product_region_code",
  "reservation_reservation_a_r_n",
  "reservation_effective_cost",
  "reservation_unused_amortized_upfront_fee_for_billing_period",
  "reservation_unused_recurring_fee",
  "savings_plan_savings_plan_a_r_n",
  "savings_plan_savings_plan_effective_cost",
  "savings_plan_total_commitment_to_date",
  "savings_plan_used_commitment",
  "split_line_item_parent_resource_id",
  "split_line_item_public_on_demand_split_cost",
  "split_line_item_public_on_demand_unused_cost",
  "split_line_item_split_cost",
  "split_line_item_unused_cost",
  "resource_tags",
] as const;

export const CUR_COLUMNS = [...REQUIRED, ...OPTIONAL] as const;

export type CurColumn = (typeof CUR_COLUMNS)[number];

const IS_CUR_COLUMN: ReadonlySet<string> = new Set(CUR_COLUMNS);

/** Names that one export or another gives to a column of CUR 2.0. */
const ALIASES: Readonly<Record<string, CurColumn>> = {
  reservation_reservation_arn: "reservation_reservation_a_r_n",
  savings_plan_savings_plan_arn: "savings_plan_savings_plan_a_r_n",
  product_region: "product_region_code",
};

/**
 * The name in CUR 2.0 of a column: legacy CSV writes `savingsPlan/SavingsPlanARN`, its Athena table and CUR 2.0
 * `savings_plan_savings_plan_a_r_n`.
 */
export function curColumnName(name: string): string {
  const [group, column] = name.split("/");
  if (group === undefined || column === undefined) return name.toLowerCase();
  const snake = (text: string): string => text.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return `${snake(group)}_${snake(column).replace(/^_/, "")}`;
}

/** The tag key that a column of a legacy report holds: `resourceTags/user:team`, `resource_tags_user_team`. */
function tagKeyOf(name: string): string | undefined {
  const legacy = /^resourceTags\/(.+)$/i.exec(name)?.[1];
  return legacy ?? /^resource_tags_(.+)$/i.exec(name)?.[1];
}

export interface CurFindings {
  readonly kind: BillKind;
  /** Where the file has each column that is read. */
  readonly columns: ReadonlyMap<CurColumn, string>;
  /** Tags that have a column each, by their key. */
  readonly tagColumns: ReadonlyMap<string, string>;
  readonly faults: readonly Fault[];
}

/** Columns of a Cost and Usage Report; `undefined` when the header is none of one. */
export function findCurColumns(names: readonly string[]): CurFindings | undefined {
  const columns = new Map<CurColumn, string>();
  const tagColumns = new Map<string, string>();
  for (const name of names) {
    const canonical = curColumnName(name);
    const column = ALIASES[canonical] ?? canonical;
    const key = tagKeyOf(name);
    if (key !== undefined) tagColumns.set(key, name);
    // product_region_code comes before its older name product_region where a report has both.
    else if (isCurColumn(column) && (canonical === column || !columns.has(column))) columns.set(column, name);
  }
  if (!columns.has("line_item_line_item_type")) return undefined;
  const isLegacy = names.some((name) => /^lineItem\//i.test(name)) || tagColumns.size > 0;
  const missing = REQUIRED.filter((column) => !columns.has(column));
  return {
    kind: { standard: "CUR", version: isLegacy ? "legacy" : "2.0" },
    columns,
    tagColumns,
    faults: [
      ...missing.map((path) => ({ path, message: "the column is missing" })),
      ...duplicateFaults(names),
    ],
  };
}

function isCurColumn(name: string): name is CurColumn {
  return IS_CUR_COLUMN.has(name);
}
