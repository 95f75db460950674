import { columnOf, isSplitLine, sourceOf } from "./condense-roles.ts";
import type { CondenseSource } from "./condense-sql.ts";
import { condensedTagsSql, taggedGroupsSql } from "./condensed-lines.ts";
import { textOrNull } from "./read-bill.ts";

/** Every instance that pods ran on. */
export function nodesSql({ from, columns }: Omit<CondenseSource, "spellings">): string | undefined {
  const node = columnOf("node", columns)?.source;
  if (node === undefined) return undefined;
  return `select distinct ${node} as node_resource from ${from} where ${node} is not null`;
}

/** Each node's tags, of its own lines, and whether these have several, so that all of its lines have to be looked at. */
export function ownTagsSql({ spellings }: CondenseSource): string {
  return `
    select own_node, any_value(line_tags) as own_tags, count(distinct coalesce(line_tags, '')) > 1 as has_several
    from (${taggedGroupsSql(spellings)}) where of_node group by own_node`;
}

/** The tags of the nodes that have several, out of all of their lines: the last by their text. */
export function severalTagsSql({ from, columns, spellings }: CondenseSource): string {
  const resource = sourceOf("line_item_resource_id", columns) ?? "cast(null as varchar)";
  const tags = columnOf("tags", columns)?.source ?? "null";
  return `
    select own_node, ${condensedTagsSql("last_tags", spellings)} as own_tags, false as has_several
    from (
      select ${resource} as own_node, arg_max(${tags}, cast(to_json(${tags}) as varchar)) as last_tags
      from ${from}
      where ${resource} in (select own_node from own_tag where has_several) and (${isSplitLine(columns)}) is not true
      group by own_node
    )`;
}

/** Every node with its tags, and the first of the nodes whose asked tags are the same. */
export function taggedNodesSql({ columns }: CondenseSource): string {
  if (columnOf("tags", columns) === undefined) {
    return "select node_resource, cast(null as varchar) as node_tags, min(node_resource) over () as stand_in from node";
  }
  return `
    select node_resource, node_tags, min(node_resource) over (partition by node_tags) as stand_in
    from (
      select node_resource, own_tags as node_tags
      from node left join own_tag on own_node = node_resource
    )`;
}

/** Nodes' tags as lines of a Cost and Usage Report that stand for nothing else. */
export function parentLinesSql({ columns }: CondenseSource): string {
  const tags = columnOf("tags", columns) === undefined ? "" : ", node_tags as resource_tags";
  return `select ${textOrNull("node_resource")} as line_item_resource_id${tags}, 'parent' as x_StandsFor from node`;
}
