import { sqlText } from "./bill-database.ts";
import {
  type AmountRole,
  isAmount,
  isSplitSql,
  type Part,
  SPLIT,
  type TypedColumn,
  type TypedColumns,
} from "./condense-roles.ts";
import type { ReadColumn } from "./focus-columns.ts";
import { DOUBLE_DIGITS, textOrNull } from "./read-bill.ts";

/** What a report asks of single lines; of all else, lines that are alike can stand as one. */
export interface CondenseNeeds {
  /** Columns that lines are told apart by, of those that few reports ask for. */
  readonly columns: ReadonlySet<ReadColumn>;
  /** Tag keys whose values are asked for, in any spelling. */
  readonly tagKeys: readonly string[];
  /** Whether single resources are asked for: by their ids, or with all that is said of them. */
  readonly resources: "none" | "ids" | "all";
  /** Whether the instance that a pod ran on is asked for together with the pod's own tags. */
  readonly podNodes: boolean;
  /** Whether the day that a charge starts on is asked for. */
  readonly days: boolean;
  /** Whether a charge's hours are asked for, from its start to its end. */
  readonly hours: boolean;
}

/** A bill whose lines are to be condensed. */
export interface CondenseSource {
  /** What stands after FROM. */
  readonly from: string;
  readonly columns: TypedColumns;
  readonly needs: CondenseNeeds;
  /** Spellings of the asked tag keys. */
  readonly spellings: readonly string[];
}

/**
 * Which lines a pass over the bill adds up. Plain ones, nearly all, have amounts that are whole numbers of units and are
 * added as such; the others are added by their text, in a second pass where there are any.
 */
export type Pass = "plain" | "other";

/** Which groups are made: of all lines, or of the lines of pods by the node that they ran on and without their tags. */
export type Grouping = "lines" | "pods";

/** Digits after the point that providers write; an amount of theirs is a whole number of units of 10^-10. */
const UNIT_DIGITS = 10;
/** As a decimal, which DuckDB reads out of digits and not out of an exponent. */
const UNIT = `0.${"1".padStart(UNIT_DIGITS, "0")}`;

/** Below this a decimal of ten digits after the point is the only one of at most 15 digits that its double is. */
const SURE_UNITS = "1000000000000000";

/** Lines whose amounts mean something of their own, a pod's first. */
const PART_KINDS: readonly string[] = [
  SPLIT,
  "DiscountedUsage",
  "RIFee",
  "SavingsPlanCoveredUsage",
  "SavingsPlanRecurringFee",
];

/** Something of a line that is added up: an amount, or the amounts of which any line has only one. */
interface Addend {
  readonly name: string;
  readonly sql: string;
  readonly isDouble: boolean;
  readonly isRequired: boolean;
}

function addendOf({ name, role, source, isDouble }: TypedColumn<AmountRole>): Addend {
  return { name, sql: source, isDouble, isRequired: role.isRequired === true };
}

function columnOf(kind: TypedColumn["role"]["kind"], { found }: TypedColumns): TypedColumn | undefined {
  return found.find(({ role }) => role.kind === kind);
}

function sourceOf(name: string, { found }: TypedColumns): string | undefined {
  return found.find((column) => column.name === name)?.source;
}

/** Whether a line is a pod's part of its instance, where the bill says so. */
function isSplitLine(columns: TypedColumns): string {
  const operation = sourceOf("line_item_operation", columns);
  return operation === undefined ? "false" : isSplitSql(operation);
}

/** What a line is that its amounts go by: the place of a pod's part, or of its type, in a list from 1. */
function lineKindSql(type: string, columns: TypedColumns): string {
  const kinds = `[${PART_KINDS.map(sqlText).join(", ")}]`;
  return `case when ${isSplitLine(columns)} then 1 else list_position(${kinds}, trim(${type})) end`;
}

/** The same of lines that were made one, by what is kept of them. */
function isSplitGroup(columns: TypedColumns): string {
  return sourceOf("line_item_operation", columns) === undefined ? "false" : isSplitSql("line_item_operation");
}

function partName(place: Part["place"]): string {
  return `part_${place}`;
}

/** What is added up of a plain line: the parts of one place share a sum, each line's by what the line is. */
function plainAddends(columns: TypedColumns): readonly Addend[] {
  const amounts = columns.found.filter(isAmount);
  const whole = amounts.filter(({ role }) => role.part === undefined).map(addendOf);
  const places = Map.groupBy(
    amounts.filter(({ role }) => role.part !== undefined),
    ({ role }) => role.part?.place ?? 1,
  );
  const parts = [...places].map(([place, same]): Addend => {
    const branches = same.map(
      ({ role, source }) => `when line_kind = ${PART_KINDS.indexOf(role.part?.of ?? "") + 1} then ${source}`,
    );
    return {
      name: partName(place),
      sql: `case ${branches.join(" ")} end`,
      isDouble: true,
      isRequired: false,
    };
  });
  return [...whole, ...parts];
}

function addendsOf(pass: Pass, columns: TypedColumns): readonly Addend[] {
  const amounts = columns.found.filter(isAmount);
  const canShare = amounts.every(({ role, isDouble }) => role.part === undefined || isDouble);
  return pass === "plain" && canShare ? plainAddends(columns) : amounts.map(addendOf);
}

function units(name: string): string {
  return `${name}_units`;
}

/**
 * Whether an amount is one of ten digits after the point, for sure: an integer n below 10^15 with n / 10^10 = x is what
 * x's shortest text says, since no two decimals of at most 15 digits share a double, and n / 10^10 is rounded once.
 */
function isUnsure(name: string): string {
  return (
    `cast(${units(name)} as double) / 1e${UNIT_DIGITS} is distinct from ${name} ` +
    `or ${units(name)} not between -${SURE_UNITS} and ${SURE_UNITS}`
  );
}

/** The sum of an addend, exact, with no value where no line has one. */
function sumSql({ name, isDouble }: Addend, pass: Pass): string {
  const decimal = `decimal(38, ${DOUBLE_DIGITS})`;
  if (!isDouble) return `sum(${name})`;
  if (pass === "plain") return `cast(cast(sum(${units(name)}) as decimal(38, 0)) * ${UNIT} as ${decimal})`;
  return `sum(case when isfinite(${name}) then cast(cast(${name} as varchar) as ${decimal}) end)`;
}

/** Lines of other signs, or whose amounts are 0 where others' are not, are not alike: the report counts them apart. */
function signsSql(addends: readonly Addend[]): string {
  const names = new Set(addends.map(({ name }) => name));
  const signs = addends.map(({ name, isRequired }) => ({
    // An amount that is missing has a sign of its own.
    sql: isRequired ? `sign(${name})` : `coalesce(sign(${name}), 2)`,
    values: 4,
  }));
  const differences = [
    ["BilledCost", "EffectiveCost"],
    ["part_1", "part_2"],
    ["savings_plan_total_commitment_to_date", "savings_plan_used_commitment"],
  ].filter((pair) => pair.every((name) => names.has(name)));
  const bits = differences.map(([a = "", b = ""]) => ({ sql: `coalesce(${a} <> ${b}, false)`, values: 2 }));
  let weight = 1;
  const terms = [...signs, ...bits].map(({ sql, values }) => {
    const term = `cast(${sql} as bigint) * ${weight}`;
    weight *= values;
    return term;
  });
  return terms.join(" + ");
}

/** How a column that lines are told apart by is kept of them; undefined for one of another role. */
function keySql({ role, source }: TypedColumn, { needs }: CondenseSource): string | undefined {
  switch (role.kind) {
    case "key":
      return role.keeps?.(source) ?? source;
    case "key-where-asked":
      return needs.columns.has(role.column) ? source : undefined;
    case "reduced": {
      const isKept = needs.resources === "all" || (needs.resources === "ids" && role.isResource === true);
      return isKept ? source : role.keeps(source);
    }
    default:
      return undefined;
  }
}

function tagColumn(index: number): string {
  return `tag_${index}`;
}

/** What is read of every line, and which of it lines are told apart by. */
interface LineColumns {
  readonly keys: readonly string[];
  readonly selected: readonly string[];
}

function lineColumns(source: CondenseSource, grouping: Grouping): LineColumns {
  const { columns, needs, spellings } = source;
  const keys: string[] = [];
  const selected: string[] = [];
  const addKey = (name: string, sql: string): void => {
    keys.push(name);
    selected.push(`${sql} as ${name}`);
  };
  for (const column of columns.found) {
    const sql = keySql(column, source);
    if (sql !== undefined) addKey(column.name, sql);
  }
  const start = columnOf("start", columns)?.source ?? "";
  const end = columnOf("end", columns)?.source ?? "";
  if (needs.hours) {
    addKey("charge_start", start);
    addKey("charge_end", end);
  } else {
    selected.push(`${start} as charge_start`, `${end} as charge_end`);
    if (needs.days) addKey("charge_day", `cast(${start} as date)`);
  }
  const tags = columnOf("tags", columns)?.source;
  if (tags !== undefined && grouping === "lines") {
    selected.push(`${tags} as tags`);
    for (const [index, spelling] of spellings.entries()) {
      addKey(tagColumn(index), `map_extract_value(${tags}, ${sqlText(spelling)})`);
    }
  }
  return { keys, selected };
}

/**
 * What is known of a line only with the table of nodes beside it: the node that it is of or is a pod's part of, and its
 * tag keys. A node's own lines are told apart by all of their tags: its pods' idle part has them.
 */
function nodeColumns({ columns, needs }: CondenseSource, grouping: Grouping): LineColumns {
  if (grouping === "pods") return { keys: ["node"], selected: ["parent as node"] };
  const keys: string[] = [];
  const selected: string[] = [];
  const hasNodes = columnOf("node", columns) !== undefined;
  if (hasNodes) {
    keys.push("node");
    const ofPod = needs.podNodes ? "when is_split then parent " : "";
    selected.push(`case ${ofPod}when is_node and not is_split then resource end as node`);
  }
  if (columnOf("tags", columns) !== undefined) {
    keys.push("tag_keys");
    const tagKeys = "hash(map_keys(tags))";
    selected.push(
      `${hasNodes ? `case when is_node and not is_split then hash(tags) else ${tagKeys} end` : tagKeys} as tag_keys`,
    );
  }
  return { keys, selected };
}

/** What a check has to look at, beside a line's amounts. */
function oddities(columns: TypedColumns): readonly string[] {
  const start = columnOf("start", columns)?.source ?? "";
  const end = columnOf("end", columns)?.source ?? "";
  const operation = sourceOf("line_item_operation", columns);
  const required = columns.found.filter(isAmount).filter(({ role }) => role.isRequired === true);
  return [
    `${end} is null`,
    `${end} < ${start}`,
    ...required.map(({ source }) => `${source} is null`),
    ...(operation === undefined ? [] : [`${isSplitSql(operation)} <> ${isSplitSql(`trim(${operation})`)}`]),
  ];
}

/** What leaves a line for the second pass: what is odd, and a charge that does not start in its billing period. */
function exceptions(columns: TypedColumns): readonly string[] {
  const start = columnOf("start", columns)?.source ?? "";
  const type = sourceOf("line_item_line_item_type", columns);
  const period = (edge: "start" | "end"): string =>
    sourceOf(`bill_billing_period_${edge}_date`, columns) ??
    sourceOf(edge === "start" ? "BillingPeriodStart" : "BillingPeriodEnd", columns) ??
    "null";
  return [
    ...oddities(columns),
    `${start} < ${period("start")}`,
    `${start} >= ${period("end")}`,
    ...(type === undefined ? [] : [`line_kind = 1 and ${type} <> 'Usage'`]),
  ];
}

/** Groups of alike lines, typed. */
export function groupsSql(source: CondenseSource, grouping: Grouping, pass: Pass): string {
  const { columns, from } = source;
  const line = lineColumns(source, grouping);
  const ofNode = nodeColumns(source, grouping);
  // The plain lines of a group start in one billing period, which is a month.
  const month = "date_trunc('month', charge_start)";
  const groupBy = [...line.keys, ...ofNode.keys, "signs", ...(pass === "plain" ? [] : [month])];
  const plain = addendsOf("plain", columns);
  const addends = addendsOf(pass, columns);
  const doubles = plain.filter(({ isDouble }) => isDouble);
  const amounts = columns.found.filter(isAmount);
  const type = sourceOf("line_item_line_item_type", columns);
  const node = columnOf("node", columns)?.source;
  const odd = oddities(columns);
  const isOther = ["is_exception", ...doubles.map(({ name }) => isUnsure(name))].join(" or ");
  const selected = [
    ...line.selected,
    ...plain.map(({ name, sql }) => `${sql} as ${name}`),
    `${exceptions(columns).join(" or ")} as is_exception`,
  ];
  if (pass === "other") {
    const infinite = amounts.filter(({ isDouble }) => isDouble).map((one) => `not isfinite(${one.source})`);
    const others = addends.filter((one) => !plain.some(({ name }) => name === one.name));
    selected.push(
      ...others.map(({ name, sql }) => `${sql} as ${name}`),
      `${[...odd, ...infinite].map((sql) => `coalesce(${sql}, false)`).join(" or ")} as is_odd`,
    );
  }
  const beside = doubles.map(
    ({ name }) => `try_cast(${name} * 1e${UNIT_DIGITS} as bigint) as ${units(name)}`,
  );
  if (node !== undefined) {
    const resource = sourceOf("line_item_resource_id", columns) ?? "cast(null as varchar)";
    selected.push(`${isSplitLine(columns)} as is_split`, `${node} as parent`, `${resource} as resource`);
    if (grouping === "lines") beside.push("resource in (select node_resource from node) as is_node");
  }
  const kind = type === undefined ? [] : [`${lineKindSql(type, columns)} as line_kind`];
  const signs = signsSql(addends);
  return `
    select ${[...line.keys, ...ofNode.keys].join(", ")}, signs, ${sqlText(pass)} as pass,
      date_trunc('month', min(charge_start)) as start_month,
      min(charge_start) as first_start, max(charge_start) as last_start, max(charge_end) as last_end,
      count(*) as x_Lines, ${pass === "other" ? "count_if(is_odd)" : `case when date_trunc('month', min(charge_start)) <> date_trunc('month', max(charge_start)) then 1 else 0 end`} as odd_lines,
      ${columnOf("tags", columns) === undefined || grouping === "pods" ? "" : "first(tags) as tags,"}
      ${amounts.map((column) => amountOfGroup(column, addends, pass, columns)).join(",\n")}
    from (
      select ${["*", ...ofNode.selected].join(", ")},
        ${pass === "plain" ? `case when ${isOther} then null else ${signs} end` : signs} as signs
      from (
        select ${["*", ...beside].join(",\n")}
        from (
          select ${selected.join(",\n")}
          from (
            select ${[...columns.found.map((column) => column.source), ...kind].join(", ")}
            from ${from} ${grouping === "pods" ? `where ${isSplitLine(columns)}` : ""}
          )
        )
      )
      ${pass === "plain" ? "" : `where ${isOther}`}
    )
    group by ${groupBy.join(", ")}
    ${pass === "plain" ? "having count(signs) > 0" : ""}`;
}

/** An amount of a group, out of the sum that it shares with others. */
function amountOfGroup(
  { name, role }: TypedColumn<AmountRole>,
  addends: readonly Addend[],
  pass: Pass,
  columns: TypedColumns,
): string {
  const own = addends.find((addend) => addend.name === name);
  if (own !== undefined) return `${sumSql(own, pass)} as ${name}`;
  const place = partName(role.part?.place ?? 1);
  const shared = addends.find((addend) => addend.name === place);
  if (shared === undefined) throw new RangeError(`Nothing adds up ${name}`);
  const isIts =
    role.part?.of === SPLIT
      ? isSplitGroup(columns)
      : `not ${isSplitGroup(columns)} and line_item_line_item_type = ${sqlText(role.part?.of ?? "")}`;
  return `case when ${isIts} then ${sumSql(shared, pass)} end as ${name}`;
}

/** Tags as JSON: the asked keys with their values, the other keys without. */
function condensedTagsSql(tags: string, spellings: readonly string[]): string {
  const asked = spellings.length === 0 ? "false" : `tag.key in (${spellings.map(sqlText).join(", ")})`;
  return (
    `case when cardinality(${tags}) > 0 then cast(to_json(map_from_entries(list_transform(map_entries(${tags}), ` +
    `lambda tag: {'k': tag.key, 'v': case when ${asked} then tag.value end}))) as varchar) end`
  );
}

/** What lines of one time have in common. */
function timesOf({ days, hours }: CondenseNeeds): readonly string[] {
  if (hours) return ["charge_start", "charge_end"];
  return [days ? "charge_day" : "start_month"];
}

/**
 * Groups as the lines of a bill, all text. Of pods' lines, nodes whose asked tags are alike stand as one unless each is
 * to have lines of its own.
 */
export function condensedSql(
  source: CondenseSource,
  grouping: Grouping,
  { eachNode, standsFor }: { readonly eachNode: boolean; readonly standsFor: "line" | "pod" },
): string {
  const { columns, needs, spellings } = source;
  const selected: string[] = [];
  const groupBy: string[] = [];
  const addKey = (name: string, sql: string): void => {
    selected.push(`${textOrNull(`cast(${sql} as varchar)`)} as ${name}`);
    groupBy.push(sql);
  };
  const addNothing = (name: string): void => {
    selected.push(`cast(null as varchar) as ${name}`);
  };
  for (const { name, role } of columns.found) {
    switch (role.kind) {
      case "key":
      case "reduced":
        addKey(name, name);
        break;
      case "key-where-asked":
        if (needs.columns.has(role.column)) addKey(name, name);
        else addNothing(name);
        break;
      case "node":
        addKey(name, eachNode ? "node_resource" : "stand_in");
        break;
      case "start":
        selected.push(
          `cast(min(first_start) as varchar) as ${name}`,
          "cast(max(last_start) as varchar) as x_LastStart",
        );
        break;
      case "end":
        selected.push(`cast(max(last_end) as varchar) as ${name}`);
        break;
      case "amount":
        selected.push(`cast(sum(${name}) as varchar) as ${name}`);
        break;
      case "tags":
        if (grouping === "lines") addKey(name, "line_tags");
        else addNothing(name);
        break;
    }
  }
  for (const name of columns.absent) addNothing(name);
  groupBy.push(...timesOf(needs), "signs", "pass");
  const hasTags = grouping === "lines" && columnOf("tags", columns) !== undefined;
  const hasNodes = columnOf("node", columns) !== undefined;
  return `
    select ${selected.join(",\n")}, sum(x_Lines) as x_Lines, ${sqlText(standsFor)} as x_StandsFor
    from (
      select *${hasTags ? `, ${condensedTagsSql("tags", spellings)} as line_tags` : ""}
      ${hasNodes ? `, case when ${isSplitGroup(columns)} then node end as pod_node` : ""}
      from ${grouping === "lines" ? "line_group" : "pod_group"}
    ) ${hasNodes ? "left join node on pod_node = node_resource" : ""}
    group by ${groupBy.join(", ")}`;
}

/** Nodes' tags as lines of a Cost and Usage Report that stand for nothing else. */
export function parentLinesSql({ columns }: CondenseSource): string {
  const tags = columnOf("tags", columns) === undefined ? "" : ", node_tags as resource_tags";
  return `select ${textOrNull("node_resource")} as line_item_resource_id${tags}, 'parent' as x_StandsFor from node`;
}

/** Whether a group is of pods' lines. */
export function splitGroupSql({ columns }: CondenseSource): string {
  return isSplitGroup(columns);
}

/** Every instance that pods ran on. */
export function nodesSql({ from, columns }: Omit<CondenseSource, "spellings">): string | undefined {
  const node = columnOf("node", columns)?.source;
  if (node === undefined) return undefined;
  return `select distinct ${node} as node_resource from ${from} where ${node} is not null`;
}

/** The same with each node's tags, of its own lines, and the first of the nodes whose asked tags are the same. */
export function taggedNodesSql({ spellings, columns }: CondenseSource): string {
  if (columnOf("tags", columns) === undefined) {
    return "select node_resource, cast(null as varchar) as node_tags, min(node_resource) over () as stand_in from node";
  }
  return `
    select node_resource, node_tags, min(node_resource) over (partition by node_tags) as stand_in
    from (
      select node_resource, ${condensedTagsSql("own_tags", spellings)} as node_tags
      from node left join (
        select node as own_node, arg_max(tags, cast(to_json(tags) as varchar)) as own_tags
        from line_group where node is not null and not ${isSplitGroup(columns)} group by node
      ) on own_node = node_resource
    )`;
}
