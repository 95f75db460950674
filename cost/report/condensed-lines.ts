import { sqlText } from "./bill-database.ts";
import type { Grouping } from "./condense-amounts.ts";
import { columnOf } from "./condense-roles.ts";
import {
  type CondenseNeeds,
  type CondenseSource,
  keepsEachNode,
  reducedText,
  tagColumn,
} from "./condense-sql.ts";
import { textOrNull } from "./read-bill.ts";

/** A line's tags as JSON: the asked keys with their values, the other keys without. */
export function condensedTagsSql(tags: string, spellings: readonly string[]): string {
  const asked = spellings.length === 0 ? "false" : `tag.key in (${spellings.map(sqlText).join(", ")})`;
  return (
    `case when cardinality(${tags}) > 0 then cast(to_json(map_from_entries(list_transform(map_entries(${tags}), ` +
    `lambda tag: {'k': tag.key, 'v': case when ${asked} then tag.value end}))) as varchar) end`
  );
}

/** The groups of lines, with the tags of each as `condensedTagsSql` has a line's, of its set of keys and its asked values. */
export function taggedGroupsSql(spellings: readonly string[]): string {
  const values = spellings.map((spelling, index) => `when ${sqlText(spelling)} then ${tagColumn(index)}`);
  const value = values.length === 0 ? "cast(null as varchar)" : `case key ${values.join(" ")} end`;
  return `
    select line_group.*, case when len(keys) > 0 then
      cast(to_json(map_from_entries(list_transform(keys, lambda key: {'k': key, 'v': ${value}}))) as varchar) end as line_tags
    from line_group left join tag_key_set using (tag_keys)`;
}

/** What lines of one time have in common. */
function timesOf({ days, hours, items }: CondenseNeeds): readonly string[] {
  if (hours) return ["charge_start", "charge_end"];
  return [days ? "charge_day" : "start_month", ...(items.length > 0 ? ["item_start", "item_end"] : [])];
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
        addKey(name, name);
        break;
      case "reduced":
        addKey(name, reducedText(name, role, grouping, needs));
        break;
      case "key-where-asked":
        if (needs.columns.has(role.column)) addKey(name, name);
        else addNothing(name);
        break;
      case "node":
        if (grouping === "pods") addKey(name, eachNode ? "node" : "stand_in");
        else if (needs.podNodes) addKey(name, "pod_node");
        else addNothing(name);
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
  const hasTags = columnOf("tags", columns) !== undefined;
  const isOfNode = grouping === "pods" && (eachNode || keepsEachNode(needs));
  return `
    select ${selected.join(",\n")}, sum(x_Lines) as x_Lines, ${sqlText(standsFor)} as x_StandsFor
    from (${grouping === "pods" ? "from pod_group" : hasTags ? taggedGroupsSql(spellings) : "from line_group"})
    where ${isOfNode ? "of_node" : "not of_node"}
    group by ${groupBy.join(", ")}`;
}
