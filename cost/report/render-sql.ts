import type {
  AllocationRule,
  AllocationRules,
  IdleMode,
  NodeResource,
} from "../allocation/allocation-rules.ts";
import type { OwnedKind, OwnershipPeriod } from "../owners/ownership.ts";
import { readSql, sqlText } from "./bill-database.ts";
import type { ReportKey } from "./report-key.ts";
import { foldTagValue, spellingsOf } from "./tag-spelling.ts";

/** What a bill's SQL is asked for; it stays Trino's dialect whatever is put in. */
export interface SqlSettings {
  readonly key: ReportKey;
  /** Every tag key of the bill as it is spelled there. */
  readonly tagKeys: readonly string[];
  /** `2024-09`, or undefined for every billing period of the file. */
  readonly month: string | undefined;
  /** Digits after the point that exact sums need. */
  readonly scale: number;
  /** Of the owners file; empty without one. */
  readonly ownership: readonly OwnershipPeriod[];
  readonly rules: AllocationRules;
  /** Nodes and volumes whose lines are split by their pods: the last part of their resource id. */
  readonly items: readonly string[];
  /** Whether lines are told apart by the day that they start on. */
  readonly isDaily: boolean;
}

const NO_VALUE = "cast(null as varchar)";

function tagValue(spelling: string): string {
  return `nullif(nullif(trim(element_at(tags, ${sqlText(spelling)})), ''), 'NULL')`;
}

/** The value of a tag key in any of the bill's spellings, the key as it was given first. */
function tagOf(key: string, tagKeys: readonly string[]): string {
  const values = spellingsOf(key, tagKeys).map(tagValue);
  return values.length === 0 ? NO_VALUE : `coalesce(${[...values, NO_VALUE].join(", ")})`;
}

/** Columns of the bill as cost-lines.sql calls them. */
const KEY_COLUMNS: Readonly<Record<string, string>> = {
  SubAccountId: "sub_account_id",
  ProviderName: "provider_name",
  ServiceName: "nullif(provider_service, '')",
  RegionId: "region_id",
};

function keyExpressions({ key, tagKeys }: SqlSettings): Record<string, string> {
  if (key.kind === "column") {
    return {
      tag_value: KEY_COLUMNS[key.column] ?? NO_VALUE,
      key_is_tag: "false",
      tag_present: "false",
      tag_ambiguous: "false",
    };
  }
  const spellings = spellingsOf(key.tagKey, tagKeys);
  const values = spellings.map(tagValue);
  const present = spellings.map((spelling) => `contains(map_keys(tags), ${sqlText(spelling)})`);
  const differing = values.flatMap((a, index) =>
    values.slice(index + 1).map((b) => `coalesce(lower(${a}) <> lower(${b}), false)`),
  );
  return {
    key_is_tag: "true",
    tag_value: tagOf(key.tagKey, tagKeys),
    tag_present: present.length === 0 ? "false" : `coalesce(${present.join(" or ")}, false)`,
    tag_ambiguous: differing.length === 0 ? "false" : differing.join(" or "),
  };
}

/** Where a line has the name that an owners file gives an owner. */
const OWNED_BY: Readonly<Record<OwnedKind, string>> = {
  service: "service_value",
  team: "team_value",
  account: "sub_account_id",
};

/** What gives a line its owner before a kind of name does: what the file says of its service, of its team, its own tag. */
const DECIDED_BEFORE: Readonly<Record<OwnedKind, (ownerOf: (kind: OwnedKind) => string) => string>> = {
  service: () => NO_VALUE,
  team: (ownerOf) => ownerOf("service"),
  account: (ownerOf) => `coalesce(${ownerOf("service")}, ${ownerOf("team")}, tagged.tag_value)`,
};

/** `values` of names and their owners over time, joined to the lines by name and day; nothing without an owners file. */
function ownershipExpressions({ ownership, tagKeys }: SqlSettings): Record<string, string> {
  if (ownership.length === 0) {
    return {
      service_value: NO_VALUE,
      team_value: NO_VALUE,
      recorded_owner: NO_VALUE,
      account_owner: NO_VALUE,
      owner_span: NO_VALUE,
      ownership_joins: "",
    };
  }
  const byKind = Map.groupBy(ownership, (period) => period.kind);
  const kinds = [...byKind.keys()];
  const joins = [...byKind].map(([kind, periods]) => {
    const rows = periods.map(({ name, fromDay, untilDay, owner }) => {
      const value = owner === null ? NO_VALUE : sqlText(owner);
      return `(${[name, fromDay, untilDay].map(sqlText).join(", ")}, ${value})`;
    });
    return (
      `left join (values ${rows.join(", ")}) as ${kind}_owner (name, from_day, until_day, owner)\n` +
      `    on ${kind}_owner.name = lower(trim(tagged.${OWNED_BY[kind]}))\n` +
      `    and ${kind}_owner.from_day <= tagged.charge_day and tagged.charge_day < ${kind}_owner.until_day`
    );
  });
  const ownerOf = (kind: OwnedKind): string => (kinds.includes(kind) ? `${kind}_owner.owner` : NO_VALUE);
  // A charge belongs to the time before its end, so one that ends when an owner does is that owner's.
  const ends = "substr(tagged.charge_period, strpos(tagged.charge_period, '/') + 1)";
  const spans = kinds.map(
    (kind) =>
      `when ${kind}_owner.name is not null and ${ends} > ${kind}_owner.until_day || ' 00:00:00' ` +
      `and ${DECIDED_BEFORE[kind](ownerOf)} is null then '${kind}:' || ${kind}_owner.name`,
  );
  return {
    service_value: kinds.includes("service") ? tagOf("service", tagKeys) : NO_VALUE,
    team_value: kinds.includes("team") ? tagOf("team", tagKeys) : NO_VALUE,
    recorded_owner: `coalesce(${ownerOf("service")}, ${ownerOf("team")})`,
    account_owner: ownerOf("account"),
    owner_span: `case ${spans.join(" ")} end`,
    ownership_joins: joins.join("\n  "),
  };
}

function oneOf(expression: string, values: readonly string[]): string {
  const folded = [...new Set(values.map(foldTagValue))].map(sqlText);
  return `coalesce(lower(trim(${expression})) in (${folded.join(", ")}), false)`;
}

/** Whether a line fits what a rule says of the bill's columns and tags; owners and reasons are known only afterwards. */
function conditionOf({ cost }: AllocationRule, tagKeys: readonly string[]): string {
  const conditions = [
    ...(cost.providerServices === undefined ? [] : [oneOf("provider_service", cost.providerServices)]),
    ...(cost.accounts === undefined ? [] : [oneOf("sub_account_id", cost.accounts)]),
    ...(cost.regions === undefined ? [] : [oneOf("region_id", cost.regions)]),
    ...Object.entries(cost.tags ?? {}).map(([key, values]) => oneOf(tagOf(key, tagKeys), values)),
  ];
  return conditions.length === 0 ? "true" : conditions.join(" and ");
}

function rulesExpression({ rules }: AllocationRules, tagKeys: readonly string[]): string {
  if (rules.length === 0) return "''";
  const flags = rules.map((rule) => `case when ${conditionOf(rule, tagKeys)} then '1' else '0' end`);
  return flags.join(" || ");
}

/** What is done with a node's idle part, by resource; a resource that the bill does not name is shown. */
function idleModeExpression(modes: Readonly<Record<NodeResource, IdleMode>>): string {
  const [first = "shown", ...others] = Object.values(modes);
  if (others.every((mode) => mode === first)) return sqlText(first);
  const cases = Object.entries(modes).map(
    ([resource, mode]) => `when ${sqlText(resource)} then ${sqlText(mode)}`,
  );
  return `case x_SplitResource ${cases.join(" ")} else 'shown' end`;
}

/** A node or volume and whether the line is its traffic: `i-0abc`, `i-0abc network`. */
function itemExpression(items: readonly string[]): string {
  if (items.length === 0) return NO_VALUE;
  const id = "regexp_extract(ResourceId, '[^/:]+$')";
  const isTraffic =
    "coalesce(x_UsageType like '%DataTransfer%' or x_UsageType like '%-Bytes%', lower(ChargeDescription) like '%data transfer%', false)";
  const inItems = `${id} in (${items.map(sqlText).join(", ")})`;
  return `case when x_SplitPart is null and ${inItems} then ${id} || case when ${isTraffic} then ' network' else '' end end`;
}

/** Text with the same digits for every spelling of a time: `2026-07-01 00:00:00`. */
function timeText(column: string): string {
  return `replace(substr(${column} || ' 00:00:00', 1, 19), 'T', ' ')`;
}

/** Puts `expressions` in where the text marks their places, and the scale into its decimals. */
function fillIn(text: string, expressions: Readonly<Record<string, string>>, scale: number): string {
  const filled = text.replaceAll(/\/\*\{(\w+)\}\*\/[^]*?\/\*\{\}\*\//g, (_, name: string) => {
    const expression = expressions[name];
    if (expression === undefined) throw new RangeError(`Cannot fill in "${name}": no such expression`);
    return expression;
  });
  return filled.replaceAll("DECIMAL(38,12)", `DECIMAL(38,${scale})`);
}

function monthFilter(month: string | undefined): string {
  return month === undefined ? "true" : `substr(BillingPeriodStart, 1, 7) = ${sqlText(month)}`;
}

/** The query that adds up the bill as it is. */
export function renderBillTotalsSql(settings: Pick<SqlSettings, "month" | "scale">): string {
  return fillIn(readSql("bill-totals.sql"), { month_filter: monthFilter(settings.month) }, settings.scale);
}

/** Every line of the bill in its bucket, as what stands after FROM. */
function splitLines(settings: SqlSettings): string {
  const { idle } = settings.rules;
  const isDated = settings.ownership.length > 0 || settings.items.length > 0;
  const isKept = Object.values(idle.nodes).includes("kept");
  const mode = idleModeExpression(idle.nodes);
  const expressions = {
    ...keyExpressions(settings),
    ...ownershipExpressions(settings),
    month_filter: monthFilter(settings.month),
    idle_mode: mode,
    tags: isKept
      ? `case when x_SplitPart = 'idle' and ${mode} = 'kept' then x_SplitParentTags else Tags end`
      : "Tags",
    reservations_are_kept: String(idle.reservations === "kept"),
    rules: rulesExpression(settings.rules, settings.tagKeys),
    item: itemExpression(settings.items),
    charge_period: isDated
      ? `${timeText("ChargePeriodStart")} || '/' || ${timeText("ChargePeriodEnd")}`
      : NO_VALUE,
  };
  return `(\n${fillIn(readSql("split-lines.sql"), expressions, settings.scale)})`;
}

/** The query that splits the bill by a key. */
export function renderCostLinesSql(settings: SqlSettings): string {
  const expressions = {
    split_lines: splitLines(settings),
    charge_day: settings.isDaily ? "charge_day" : NO_VALUE,
  };
  return fillIn(readSql("cost-lines.sql"), expressions, settings.scale);
}

/** A line of `cost-lines.sql` as far as it says where the report puts such lines. */
export type PlacedBy = Readonly<Record<"bucket" | "rules", string>> &
  Readonly<Record<"owner" | "because", string | null>>;

/**
 * The query that adds up what each place of the report is made of by single resources.
 *
 * @param places where lines go, by the number of the place; at least one
 * @param most resources of a place and provider service that are named, the dearest
 */
export function renderResourcesSql(
  settings: SqlSettings,
  places: readonly (readonly [PlacedBy, number])[],
  most: number,
): string {
  const rows = places.map(([{ bucket, because, rules, owner }, place]) => {
    const name = `${bucket} ${because ?? ""} ${rules} ${owner ?? ""}`;
    return `(${sqlText(name)}, ${place})`;
  });
  const expressions = { split_lines: splitLines(settings), places: rows.join(", "), most: String(most) };
  return fillIn(readSql("resources.sql"), expressions, settings.scale);
}

/** The query that adds up the bill's commitments: what was bought, what of it was used and what was not. */
export function renderCommitmentsSql(settings: Pick<SqlSettings, "month" | "scale">): string {
  return fillIn(readSql("commitments.sql"), { month_filter: monthFilter(settings.month) }, settings.scale);
}

/** The query that adds up what pods used of each instance and what was idle, by resource. */
export function renderNodesSql(settings: Pick<SqlSettings, "month" | "scale">): string {
  return fillIn(readSql("nodes.sql"), { month_filter: monthFilter(settings.month) }, settings.scale);
}
