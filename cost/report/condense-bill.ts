import * as z from "zod";
import { type BillDatabase, sqlName, sqlText } from "./bill-database.ts";
import type { Bill } from "./bill-file.ts";
import { type BillShape, checkBill, countFaults, shapeOf } from "./check-bill.ts";
import type { CurColumn } from "./cur-columns.ts";
import type { ReadColumn } from "./focus-columns.ts";
import { DOUBLE_DIGITS, type FileLayout, textOrNull } from "./read-bill.ts";
import { foldTagKey } from "./tag-spelling.ts";

/** What a report asks of single lines; of all else, lines that are alike can stand as one. */
export interface CondenseNeeds {
  /** Columns that lines are told apart by, of those that few reports ask for. */
  readonly columns: ReadonlySet<ReadColumn>;
  /** Tag keys whose values are asked for, in any spelling. */
  readonly tagKeys: readonly string[];
  /** Whether single resources are asked for, with all that is said of them. */
  readonly resources: boolean;
  /** Whether a charge's hours are asked for, and not only its day. */
  readonly hours: boolean;
}

/** What becomes of a column where alike lines become one. */
type Role =
  /** Lines that differ in it stay apart. */
  | { readonly kind: "key" }
  /** The same, where the report asks for it; left out elsewhere. */
  | { readonly kind: "key-where-asked"; readonly column: ReadColumn }
  /** Lines differ in what this SQL keeps of it, unless single resources are asked for. */
  | { readonly kind: "reduced"; readonly keeps: (column: string) => string }
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "amount"; readonly mayBeNull?: true }
  | { readonly kind: "tags" };

const KEY: Role = { kind: "key" };
const AMOUNT: Role = { kind: "amount" };
const LIST: Role = { kind: "amount", mayBeNull: true };

/** Whether it is an instance whose cost its pods take: its tags decide whose their idle part is. */
function isParent(resource: string): string {
  return `${resource} in (select resource_id from parent_resource)`;
}

/** A resource is told from none, and where it is an instance that pods ran on, by its name. */
const RESOURCE: Role = {
  kind: "reduced",
  keeps: (column) =>
    `case when ${column} is null or ${column} = '' or ${column} = 'NULL' then null ` +
    `when ${isParent(column)} then ${column} else 'resource' end`,
};

function like(column: string, patterns: Readonly<Record<string, string>>): string {
  const cases = Object.entries(patterns).map(
    ([pattern, kept]) => `when ${column} like ${sqlText(pattern)} then ${sqlText(kept)}`,
  );
  return `case ${cases.join(" ")} end`;
}

const CUR_ROLES: Readonly<Record<CurColumn, Role>> = {
  bill_billing_period_start_date: KEY,
  bill_billing_period_end_date: KEY,
  bill_billing_entity: { kind: "key-where-asked", column: "ProviderName" },
  line_item_currency_code: KEY,
  line_item_line_item_type: KEY,
  line_item_product_code: KEY,
  line_item_unblended_cost: AMOUNT,
  line_item_usage_start_date: { kind: "start" },
  line_item_usage_end_date: { kind: "end" },
  line_item_line_item_description: {
    kind: "reduced",
    keeps: (column) =>
      like(column, {
        "Refund for one-time fee for Savings Plan ID%": "Refund for one-time fee for Savings Plan ID",
      }),
  },
  line_item_operation: {
    kind: "reduced",
    keeps: (column) => `case when ${column} in ('EKSPod-EC2', 'ECSTask-EC2') then ${column} end`,
  },
  line_item_resource_id: RESOURCE,
  line_item_usage_account_id: { kind: "key-where-asked", column: "SubAccountId" },
  line_item_usage_type: {
    kind: "reduced",
    keeps: (column) =>
      like(column, {
        "%UnusedBox:%": "UnusedBox:",
        "%vCPU-Hours": "vCPU-Hours",
        "%GB-Hours": "GB-Hours",
        "%Accelerator-Hours": "Accelerator-Hours",
      }),
  },
  pricing_public_on_demand_cost: LIST,
  product_product_name: KEY,
  product_region_code: { kind: "key-where-asked", column: "RegionId" },
  reservation_reservation_a_r_n: KEY,
  reservation_effective_cost: AMOUNT,
  reservation_unused_amortized_upfront_fee_for_billing_period: AMOUNT,
  reservation_unused_recurring_fee: AMOUNT,
  savings_plan_savings_plan_a_r_n: KEY,
  savings_plan_savings_plan_effective_cost: AMOUNT,
  savings_plan_total_commitment_to_date: AMOUNT,
  savings_plan_used_commitment: AMOUNT,
  split_line_item_parent_resource_id: KEY,
  split_line_item_public_on_demand_split_cost: LIST,
  split_line_item_public_on_demand_unused_cost: LIST,
  split_line_item_split_cost: AMOUNT,
  split_line_item_unused_cost: AMOUNT,
  resource_tags: { kind: "tags" },
};

const DROPPED: Role = { kind: "reduced", keeps: () => "cast(null as varchar)" };

const FOCUS_ROLES: Readonly<Record<ReadColumn, Role>> = {
  BilledCost: AMOUNT,
  EffectiveCost: AMOUNT,
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

/** Amounts that must have a value in every line. */
const REQUIRED_AMOUNTS = new Set(["line_item_unblended_cost", "BilledCost", "EffectiveCost"]);

/** Digits after the point that providers write; an amount of theirs is a whole number of units of 10^-10. */
const UNIT_DIGITS = 10;
/** As a decimal, which DuckDB reads out of digits and not out of an exponent. */
const UNIT = `0.${"1".padStart(UNIT_DIGITS, "0")}`;

/** Below this a decimal of ten digits after the point is the only one of at most 15 digits that its double is. */
const SURE_UNITS = "1e15";

/**
 * An amount's whole units, or NULL where it is not one for sure: an integer n below 10^15 with n / 10^10 = x is what
 * x's shortest text says, since no two decimals of at most 15 digits share a double, and n / 10^10 is rounded once.
 */
function unitsSql(column: string): string {
  const units = `try_cast(${column} * 1e${UNIT_DIGITS} as bigint)`;
  return (
    `case when ${column} is not null then case when abs(${units}) < ${SURE_UNITS} ` +
    `and cast(${units} as double) / 1e${UNIT_DIGITS} = ${column} then ${units} end end`
  );
}

/** The exact sum of an amount as text: of the sure units, and of the few others by their own text. */
function sumSql(alias: string): string {
  const rest = `case when ${alias} is not null and ${alias}_units is null then cast(cast(${alias} as varchar) as decimal(38, ${DOUBLE_DIGITS})) end`;
  return `cast(coalesce(sum(${alias}_units), 0) as decimal(38, 0)) * ${UNIT} + coalesce(sum(${rest}), 0)`;
}

type AmountRead = "double" | "decimal";

function amountRead(type: string): AmountRead | undefined {
  if (type === "DOUBLE") return "double";
  return /^DECIMAL\(\d+,\s*\d+\)$|^(?:U?(?:TINY|SMALL|BIG)INT|U?INTEGER)$/.test(type) ? "decimal" : undefined;
}

function isTime(type: string): boolean {
  return type.startsWith("TIMESTAMP") || type === "DATE";
}

/** Whether every value of a column that is added or compared is one by its type, so that no text has to be looked at. */
function isTyped(role: Role, type: string): boolean {
  if (role.kind === "amount") return amountRead(type) !== undefined;
  if (role.kind === "start" || role.kind === "end") return isTime(type);
  if (role.kind === "tags") return type === "MAP(VARCHAR, VARCHAR)";
  return type === "VARCHAR" || isTime(type);
}

interface Column {
  readonly name: string;
  readonly role: Role;
  /** In the file, quoted; undefined where the file has none. */
  readonly source: string | undefined;
  readonly type: string;
}

/** The columns of a bill's files, where all files have the same and every one is typed. */
function typedColumns(layouts: readonly FileLayout[]): readonly Column[] | undefined {
  const [first] = layouts;
  if (first === undefined) return undefined;
  const shape = (layout: FileLayout): string =>
    JSON.stringify([...layout.columns].map(([column, name]) => [column, name, layout.table.type(name)]));
  if (layouts.some((layout) => layout.table.type("") === undefined || shape(layout) !== shape(first))) {
    return undefined;
  }
  const columns = Object.entries(ROLES[first.kind.standard]).map(([name, role]): Column => {
    const source = first.columns.get(name);
    return {
      name,
      role,
      source: source === undefined ? undefined : sqlName(source),
      type: source === undefined ? "" : (first.table.type(source) ?? ""),
    };
  });
  return columns.every(({ role, source, type }) => source === undefined || isTyped(role, type))
    ? columns
    : undefined;
}

interface Parts {
  /** Of every line. */
  readonly inner: string[];
  /** Of alike lines. */
  readonly outer: string[];
  readonly groupBy: string[];
  /** True for a line that the detailed check has to look at. */
  readonly odd: string[];
}

function addKey(parts: Parts, name: string, expression: string): void {
  parts.inner.push(`${expression} as ${name}`);
  parts.groupBy.push(name);
  parts.outer.push(`${textOrNull(`cast(${name} as varchar)`)} as ${name}`);
}

/** Charges of one month are alike where nobody asks for their hours: then the first and the last start are kept. */
function addStart(parts: Parts, name: string, source: string, isKey: boolean): void {
  parts.inner.push(`${source} as ${name}`);
  if (isKey) parts.groupBy.push(name);
  else {
    parts.inner.push(`date_trunc('month', ${source}) as start_month`);
    parts.groupBy.push("start_month");
  }
  parts.outer.push(
    `cast(min(${name}) as varchar) as ${name}`,
    `cast(max(${name}) as varchar) as x_LastStart`,
  );
}

function addAmount(parts: Parts, { name, role, source = "", type }: Column): void {
  const isDouble = amountRead(type) === "double";
  parts.inner.push(`${source} as ${name}`);
  if (isDouble) parts.inner.push(`${unitsSql(source)} as ${name}_units`);
  const sum = isDouble ? sumSql(name) : `sum(${name})`;
  const mayBeNull = role.kind === "amount" && role.mayBeNull === true;
  parts.outer.push(
    mayBeNull
      ? `case when count(${name}) > 0 then cast(${sum} as varchar) end as ${name}`
      : `cast(coalesce(${sum}, 0) as varchar) as ${name}`,
  );
  if (isDouble) parts.odd.push(`not isfinite(${source})`);
  if (REQUIRED_AMOUNTS.has(name)) parts.odd.push(`${source} is null`);
}

/** Lines of other signs, or whose amounts are 0 where others' are not, are not alike: the report counts them apart. */
function signsSql(columns: readonly Column[]): string {
  const bits = columns.flatMap(({ role, source }) => {
    if (role.kind !== "amount" || source === undefined) return [];
    const isNull = role.mayBeNull === true ? [`${source} is null`] : [];
    return [`coalesce(${source} > 0, false)`, `coalesce(${source} < 0, false)`, ...isNull];
  });
  const [billed, effective] = ["BilledCost", "EffectiveCost"].map(
    (name) => columns.find((column) => column.name === name)?.source,
  );
  if (billed !== undefined && effective !== undefined)
    bits.push(`coalesce(${billed} <> ${effective}, false)`);
  return bits.map((bit, place) => `cast(${bit} as bigint) * ${2 ** place}`).join(" + ");
}

function tagColumnName(index: number): string {
  return `tag_${index}`;
}

/** Tags of alike lines as JSON: the asked keys with their values, the other keys without. */
function tagsSql(spellings: readonly string[]): string {
  const value = spellings.reduceRight(
    (otherwise, spelling, index) =>
      `case when tag_key = ${sqlText(spelling)} then ${tagColumnName(index)} else ${otherwise} end`,
    "null",
  );
  return (
    `case when cardinality(tag_keys_map) > 0 then cast(to_json(map_from_entries(list_transform(map_keys(tag_keys_map), ` +
    `lambda tag_key: {'k': tag_key, 'v': ${value}}))) as varchar) end`
  );
}

function addTags(
  parts: Parts,
  { name, source = "" }: Column,
  spellings: readonly string[],
  resource: string | undefined,
): void {
  parts.inner.push(`${source} as tags`, `hash(map_keys(${source})) as tag_keys`);
  parts.groupBy.push("tag_keys");
  for (const [index, spelling] of spellings.entries()) {
    parts.inner.push(`map_extract_value(${source}, ${sqlText(spelling)}) as ${tagColumnName(index)}`);
    parts.groupBy.push(tagColumnName(index));
    parts.outer.push(tagColumnName(index));
  }
  parts.outer.push(`first(tags) as tag_keys_map`, `cast(null as varchar) as ${name}`);
  const all = `cast(to_json(${source}) as varchar)`;
  parts.inner.push(
    `${resource === undefined ? "cast(null as varchar)" : `case when ${isParent(resource)} then ${all} end`} as parent_tags`,
  );
  parts.groupBy.push("parent_tags");
  parts.outer.push("parent_tags");
}

/** The query that makes one of alike lines, in one pass over the files. */
function condenseSql(
  from: string,
  columns: readonly Column[],
  needs: CondenseNeeds,
  spellings: readonly string[],
): string {
  const parts: Parts = { inner: [], outer: [], groupBy: [], odd: [] };
  const start = columns.find(({ role }) => role.kind === "start")?.source ?? "";
  const resource = columns.find(({ role }) => role === RESOURCE)?.source;
  for (const column of columns) {
    const { name, role, source } = column;
    if (source === undefined) {
      parts.outer.push(`cast(null as varchar) as ${name}`);
      continue;
    }
    switch (role.kind) {
      case "key":
        addKey(parts, name, source);
        break;
      case "key-where-asked":
        addKey(parts, name, needs.columns.has(role.column) ? source : "cast(null as varchar)");
        break;
      case "reduced":
        addKey(parts, name, needs.resources ? source : role.keeps(source));
        break;
      case "start":
        addStart(parts, name, source, needs.hours);
        break;
      case "end":
        if (needs.hours) addKey(parts, name, source);
        else {
          parts.inner.push(`${source} as ${name}`);
          parts.outer.push(`cast(max(${name}) as varchar) as ${name}`);
        }
        parts.odd.push(`${source} is null`, `${source} < ${start}`);
        break;
      case "amount":
        addAmount(parts, column);
        break;
      case "tags":
        addTags(parts, column, spellings, resource);
        break;
    }
  }
  parts.inner.push(`${signsSql(columns)} as signs`, `coalesce(${parts.odd.join(" or ")}, false) as is_odd`);
  parts.groupBy.push("signs");
  const tags = columns.find(({ role, source }) => role.kind === "tags" && source !== undefined);
  return `
    select * ${tags === undefined ? "" : `replace (coalesce(parent_tags, ${tagsSql(spellings)}) as ${tags.name})`}
    from (
      select ${parts.outer.join(",\n")}, count(*) as x_Lines, count_if(is_odd) as odd_lines
      from (select ${parts.inner.join(",\n")} from ${from})
      group by ${parts.groupBy.join(", ")}
    )`;
}

const spellingSchema = z.array(z.object({ spelling: z.string() }));

async function readSpellings(
  database: BillDatabase,
  keys: string,
  needs: CondenseNeeds,
): Promise<readonly string[]> {
  const asked = new Set(needs.tagKeys.map(foldTagKey));
  const found = spellingSchema.parse(
    await database.rows(`select distinct unnest(keys) as spelling from (${keys}) order by spelling`),
  );
  return found.map(({ spelling }) => spelling).filter((spelling) => asked.has(foldTagKey(spelling)));
}

/** Lines in which the spellings of a tag key are looked for first; one that is only later in the bill is found too. */
const SAMPLE_LINES = 20_000;

const countSchema = z.array(z.object({ count: z.coerce.number() })).length(1);

/**
 * Makes lines that are alike in all that the report asks into one, in one pass over the files, so that everything after
 * reads thousands of lines and not the millions of the bill. The relation `cur` or `bill` is that table from then on;
 * `x_Lines` says how many lines of the files one of it is.
 *
 * Only for Parquet whose amounts, times and tags are typed; what a type cannot say is asked of the lines that are left,
 * and where anything is odd, the detailed check looks at every line.
 *
 * @returns undefined where the bill is read line by line instead
 * @throws {InputError} with every fault of the bill
 */
export async function condenseBill(
  database: BillDatabase,
  bill: Bill,
  layouts: readonly FileLayout[],
  needs: CondenseNeeds,
): Promise<BillShape | undefined> {
  const columns = typedColumns(layouts);
  const [first] = layouts;
  if (columns === undefined || first === undefined) return undefined;
  const { standard } = first.kind;
  const paths = bill.files.map((file) => sqlText(file.readablePath)).join(", ");
  const from = `read_parquet([${paths}], hive_partitioning = false)`;
  const parent = columns.find(({ name }) =>
    ["split_line_item_parent_resource_id", "x_SplitParentResourceId"].includes(name),
  );
  await database.run(
    parent?.source === undefined
      ? "create temp table parent_resource as select cast(null as varchar) as resource_id where false"
      : `create temp table parent_resource as select distinct ${parent.source} as resource_id from ${from} where ${parent.source} is not null`,
  );
  const tags = columns.find(({ role, source }) => role.kind === "tags" && source !== undefined)?.source;
  const sample = `select map_keys(${tags ?? ""}) as keys from ${from} limit ${SAMPLE_LINES}`;
  let spellings = tags === undefined ? [] : await readSpellings(database, sample, needs);
  const condense = async (): Promise<void> => {
    await database.run(
      `create or replace temp table condensed as ${condenseSql(from, columns, needs, spellings)}`,
    );
  };
  await condense();
  if (tags !== undefined) {
    const all = await readSpellings(database, "select map_keys(tag_keys_map) as keys from condensed", needs);
    if (all.length > spellings.length) {
      spellings = all;
      await condense();
    }
  }
  const relation = standard === "CUR" ? "cur" : "bill";
  await database.run(`drop view ${relation}`);
  await database.run(`create temp view ${relation} as select * exclude (odd_lines) from condensed`);
  const [odd] = countSchema.parse(
    await database.rows("select cast(coalesce(sum(odd_lines), 0) as bigint) as count from condensed"),
  );
  if ((odd?.count ?? 0) > 0 || (await countFaults(database, standard, "condensed")) > 0) {
    return await checkBill(database, bill, first.kind);
  }
  const rowsOfFiles: number[] = [];
  for (const file of bill.files) {
    const [rows] = countSchema.parse(
      await database.rows(
        `select count(*) as count from read_parquet(${sqlText(file.readablePath)}, hive_partitioning = false)`,
      ),
    );
    rowsOfFiles.push(rows?.count ?? 0);
  }
  return await shapeOf(database, bill, rowsOfFiles);
}
