import { sqlText } from "./bill-database.ts";
import {
  type Addend,
  addendsOf,
  amountOfGroup,
  type Grouping,
  isSure,
  PART_KINDS,
  type Pass,
  plainSql,
  signKeys,
} from "./condense-amounts.ts";
import {
  columnOf,
  isAmount,
  isSplitLine,
  keptText,
  LEFT_OUT_OF_PODS,
  lineTypeSql,
  type Role,
  sourceOf,
  type TypedColumn,
  type TypedColumns,
} from "./condense-roles.ts";
import type { ReadColumn } from "./focus-columns.ts";

/** What a report asks of single lines; of all else, lines that are alike can stand as one. */
export interface CondenseNeeds {
  /** Columns that lines are told apart by, of those that few reports ask for. */
  readonly columns: ReadonlySet<ReadColumn>;
  /** Tag keys whose values are asked for, in any spelling. */
  readonly tagKeys: readonly string[];
  /** Whether single resources are asked for, by their ids. */
  readonly resources: boolean;
  /** The last parts of the ids of resources whose lines are asked for with all that is said of them, hour by hour. */
  readonly items: readonly string[];
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

/** Whether pods stand apart by the instance that they ran on and by their time too; else instances of alike tags are one. */
export function keepsEachNode({ resources, items, podNodes }: CondenseNeeds): boolean {
  return resources || items.length > 0 || podNodes;
}

/** What a line is that its amounts go by: the place of a pod's part, or of its type, in a list from 1. */
function lineKindSql(type: string, columns: TypedColumns): string {
  const kinds = `[${PART_KINDS.map(sqlText).join(", ")}]`;
  return `case when ${isSplitLine(columns)} then 1 else list_position(${kinds}, trim(${type})) end`;
}

type ReducedRole = Extract<Role, { kind: "reduced" }>;

/** Whether a reduced column of single lines is kept whole, or of the lines of some resources only. */
function wholeOf(role: ReducedRole, { resources, items }: CondenseNeeds): "all" | "items" | "none" {
  if (resources && role.isResource === true) return "all";
  return items.length > 0 ? "items" : "none";
}

/** How a column that lines are told apart by is kept of them; undefined for one of another role. */
function keySql(
  { name, role, source }: TypedColumn,
  { columns, needs }: CondenseSource,
  grouping: Grouping,
): string | undefined {
  if (grouping === "pods" && LEFT_OUT_OF_PODS.has(name)) return "cast(null as varchar)";
  switch (role.kind) {
    case "key":
      return role.keeps?.(source) ?? source;
    case "key-where-asked":
      return needs.columns.has(role.column) ? source : undefined;
    case "reduced": {
      // Of few lines each would have to be reduced; of pods there are few kinds anyway.
      if (grouping === "pods") return source;
      const whole = wholeOf(role, needs);
      const kept = role.keeps(source, lineTypeSql(columns));
      if (whole === "none") return kept;
      return whole === "all" ? source : `case when is_item then ${source} else ${keptText(role, kept)} end`;
    }
    default:
      return undefined;
  }
}

/** The text of a reduced column of a group. */
export function reducedText(
  name: string,
  role: ReducedRole,
  grouping: Grouping,
  needs: CondenseNeeds,
): string {
  if (grouping === "pods") {
    if (LEFT_OUT_OF_PODS.has(name)) return "cast(null as varchar)";
    // These are the lines' own groups, of which it is kept already.
    if (!needs.podNodes) return keptText(role, role.keeps(name, "line_item_line_item_type"));
  }
  return wholeOf(role, needs) === "none" ? keptText(role, name) : name;
}

/** What the names of all columns of tags begin with. */
const TAG_COLUMN = "tag_";

/** The value of an asked tag key, by the place of its spelling. */
export function tagColumn(index: number): string {
  return `${TAG_COLUMN}${index}`;
}

/** Which tag keys a line has, as a number: their names are in the table `tag_key_set`. */
export function tagKeysSql(tags: string): string {
  return `hash(map_keys(${tags}))`;
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
    const sql = keySql(column, source, grouping);
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
    if (needs.items.length > 0) {
      addKey("item_start", `case when is_item then ${start} end`);
      addKey("item_end", `case when is_item then ${end} end`);
    }
  }
  const tags = columnOf("tags", columns)?.source;
  if (tags !== undefined && grouping === "lines") {
    addKey("tag_keys", tagKeysSql(tags));
    for (const [index, spelling] of spellings.entries()) {
      addKey(tagColumn(index), `map_extract_value(${tags}, ${sqlText(spelling)})`);
    }
  }
  return { keys, selected };
}

/** Whether each instance's own tags are asked for, which a pod's part of it has where nobody used it. */
export function hasOwnTags({ columns }: Omit<CondenseSource, "spellings">): boolean {
  return columnOf("node", columns) !== undefined && columnOf("tags", columns) !== undefined;
}

/** What is known of a line only with the table of nodes beside it: a pod's node, and an instance's own lines. */
function nodeColumns(source: CondenseSource, grouping: Grouping): LineColumns {
  const { columns, needs } = source;
  if (grouping === "pods") return { keys: ["node", "stand_in"], selected: ["parent as node"] };
  const keys: string[] = [];
  const selected: string[] = [];
  const addKey = (name: string, sql: string): void => {
    keys.push(name);
    selected.push(`${sql} as ${name}`);
  };
  if (needs.podNodes && columnOf("node", columns) !== undefined) {
    addKey("pod_node", "case when is_split then parent end");
  }
  if (hasOwnTags(source)) addKey("own_node", "case when is_node and is_split is not true then resource end");
  return { keys, selected };
}

/** The sets of keys that lines are added up by, in one pass; of each group `of_node` says whether it is of a single node. */
interface GroupingSets {
  readonly sets: readonly (readonly string[])[];
  readonly ofNode: string;
  /** Groups that are none, as that of the lines of no node. */
  readonly except: readonly string[];
}

/**
 * By time, and beside it by node: both at once would be a group of each node and day, of which nothing is asked. An
 * instance's own lines are of their node for their tags alone.
 */
function groupingSets(source: CondenseSource, grouping: Grouping, keys: readonly string[]): GroupingSets {
  const without = (...names: readonly string[]) => keys.filter((key) => !names.includes(key));
  if (grouping === "pods") {
    return keepsEachNode(source.needs)
      ? { sets: [keys], ofNode: "true", except: [] }
      : { sets: [without("charge_day"), without("node")], ofNode: "grouping(node) = 0", except: [] };
  }
  if (!hasOwnTags(source)) return { sets: [keys], ofNode: "false", except: [] };
  const tags = keys.filter((key) => key === "own_node" || key.startsWith(TAG_COLUMN));
  const ofNode = "grouping(own_node) = 0";
  return { sets: [without("own_node"), tags], ofNode, except: [`${ofNode} and own_node is null`] };
}

/** What a check has to look at. */
function oddities(columns: TypedColumns): readonly string[] {
  const start = columnOf("start", columns)?.source ?? "";
  const end = columnOf("end", columns)?.source ?? "";
  const required = columns.found.filter(isAmount).filter(({ role }) => role.isRequired === true);
  return [`${end} is null`, `${end} < ${start}`, ...required.map(({ source }) => `${source} is null`)];
}

/** What leaves a line for the second pass: what is odd, and a charge that does not start in its billing period. */
function exceptions(columns: TypedColumns, grouping: Grouping): readonly string[] {
  const start = columnOf("start", columns)?.source ?? "";
  const type = sourceOf("line_item_line_item_type", columns);
  const period = (edge: "start" | "end"): string =>
    sourceOf(`bill_billing_period_${edge}_date`, columns) ??
    sourceOf(edge === "start" ? "BillingPeriodStart" : "BillingPeriodEnd", columns) ??
    "null";
  const ofPeriod = [`${start} < ${period("start")}`, `${start} >= ${period("end")}`];
  if (grouping === "pods") return ofPeriod;
  // A pod's part that is of another type too: both give its amounts a meaning.
  const ofKind = type === undefined ? [] : [`${isSplitLine(columns)} and not contains(['Usage'], ${type})`];
  return [...oddities(columns), ...ofPeriod, ...ofKind];
}

/** What is added up of a line: what tells whether it is plain, and what its pass adds. */
interface Added {
  readonly plain: readonly Addend[];
  readonly addends: readonly Addend[];
}

/** The lines that a grouping is of, with all that is a matter of one line. */
function linesSql(
  source: CondenseSource,
  grouping: Grouping,
  pass: Pass,
  { selected, plain, addends }: Pick<LineColumns, "selected"> & Added,
): string {
  const { columns, from } = source;
  const all = [
    ...selected,
    ...plain.map(({ name, sql }) => `${sql} as ${name}`),
    `${exceptions(columns, grouping).join(" or ")} as is_exception`,
  ];
  if (pass === "other") {
    const amounts = columns.found.filter(isAmount).filter(({ isDouble }) => isDouble);
    const odd = [...oddities(columns), ...amounts.map((one) => `not isfinite(${one.source})`)];
    const others = addends.filter((one) => !plain.some(({ name }) => name === one.name));
    all.push(
      ...others.map(({ name, sql }) => `${sql} as ${name}`),
      `${odd.map((sql) => `coalesce(${sql}, false)`).join(" or ")} as is_odd`,
    );
  }
  const node = columnOf("node", columns)?.source;
  if (node !== undefined) {
    const resource = sourceOf("line_item_resource_id", columns) ?? "cast(null as varchar)";
    all.push(`${isSplitLine(columns)} as is_split`, `${node} as parent`, `${resource} as resource`);
  }
  const type = sourceOf("line_item_line_item_type", columns);
  const kind = type === undefined ? [] : [`${lineKindSql(type, columns)} as line_kind`];
  return `
    select ${all.join(",\n")}
    from (
      select ${[...columns.found.map((column) => column.source), ...kind, ...isItem(source)].join(", ")}
      from ${from} ${grouping === "pods" ? `where ${isSplitLine(columns)}` : ""}
    )`;
}

/** Whether a line is of a resource that is asked for hour by hour; a matter of its id alone, as `split-lines.sql` has it. */
function isItem({ columns, needs }: CondenseSource): readonly string[] {
  const resource = columns.found.find(({ role }) => role.kind === "reduced" && role.isResource === true);
  if (needs.items.length === 0) return [];
  const items = `[${needs.items.map(sqlText).join(", ")}]`;
  const id = `regexp_extract(trim(${resource?.source ?? "cast(null as varchar)"}), '[^/:]+$')`;
  return [`coalesce(contains(${items}, ${id}), false) as is_item`];
}

function monthOf(time: string): string {
  return `date_trunc('month', ${time})`;
}

/** Where lines are beside the table of nodes. */
function besideNodes(
  source: CondenseSource,
  grouping: Grouping,
): { selected: readonly string[]; join: string } {
  if (grouping === "pods")
    return { selected: ["stand_in"], join: "left join node on parent = node_resource" };
  const isNode = "resource in (select node_resource from node) as is_node";
  return { selected: hasOwnTags(source) ? [isNode] : [], join: "" };
}

/** Groups of alike lines, typed. */
export function groupsSql(source: CondenseSource, grouping: Grouping, pass: Pass): string {
  const { columns } = source;
  const line = lineColumns(source, grouping);
  const ofNode = nodeColumns(source, grouping);
  const plain = addendsOf(grouping, "plain", columns);
  const addends = addendsOf(grouping, pass, columns);
  const doubles = plain.filter(({ isDouble }) => isDouble);
  const signs = signKeys(addends);
  const keys = [...line.keys, ...ofNode.keys, ...signs.map(({ name }) => name)];
  const { sets, ofNode: isOfNode, except } = groupingSets(source, grouping, keys);
  const beside = besideNodes(source, grouping);
  const selected = [...ofNode.selected, ...signs.map(({ name, sql }) => `${sql} as ${name}`)];
  const [start, last] = ["min(charge_start)", "max(charge_start)"];
  // The plain lines of a group start in one billing period, which is a month.
  const odd = {
    plain: `case when ${monthOf(start)} <> ${monthOf(last)} then 1 else 0 end`,
    other: "count_if(is_odd)",
  };
  // Whether a line is plain is asked once, of its group: asked in a WHERE, its amounts would be worked out twice.
  const isPlain = ["is_exception is not true", ...doubles.map(isSure)].join(" and ");
  const apart = pass === "plain" ? "is_plain" : monthOf("charge_start");
  const groups = [
    ...(pass === "plain" ? ["bool_and(is_plain)"] : []),
    ...except.map((sql) => `not (${sql})`),
  ];
  const amounts = columns.found
    .filter(isAmount)
    .map((column) => amountOfGroup(column, addends, pass, columns));
  return `
    select ${[...line.keys, ...ofNode.keys].join(", ")},
      cast([${signs.map(({ name }) => `cast(${name} as tinyint)`).join(", ")}] as varchar) as signs,
      ${sqlText(pass)} as pass, ${isOfNode} as of_node,
      ${monthOf(start)} as start_month, ${start} as first_start, ${last} as last_start, max(charge_end) as last_end,
      count(*) as x_Lines, ${odd[pass]} as odd_lines,
      ${amounts.join(",\n")}
    from (
      select ${["*", ...selected, ...(pass === "plain" ? [`${isPlain} as is_plain`] : [])].join(",\n")}
      from (
        select ${["line.*", ...doubles.map(plainSql), ...beside.selected].join(",\n")}
        from (${linesSql(source, grouping, pass, { selected: line.selected, plain, addends })}) as line ${beside.join}
      )
      ${pass === "plain" ? "" : `where not (${isPlain})`}
    )
    group by grouping sets (${sets.map((set) => `(${[...set, apart].join(", ")})`).join(", ")})
    ${groups.length === 0 ? "" : `having ${groups.join(" and ")}`}`;
}
