import { readSql, sqlText } from "./bill-database.ts";
import type { ReportKey } from "./report-key.ts";

/** What a bill's SQL is asked for; it stays Trino's dialect whatever is put in. */
export interface SqlSettings {
  readonly key: ReportKey;
  /** The key's spellings that the bill has, in order of precedence; for a tag only. */
  readonly spellings: readonly string[];
  /** `2024-09`, or undefined for every billing period of the file. */
  readonly month: string | undefined;
  /** Digits after the point that exact sums need. */
  readonly scale: number;
}

const NO_VALUE = "cast(null as varchar)";

function tagValue(spelling: string): string {
  return `nullif(nullif(trim(element_at(tags, ${sqlText(spelling)})), ''), 'NULL')`;
}

/** Columns of the bill as cost-lines.sql calls them. */
const KEY_COLUMNS: Readonly<Record<string, string>> = {
  SubAccountId: "sub_account_id",
  ProviderName: "provider_name",
  ServiceName: "nullif(provider_service, '')",
  RegionId: "region_id",
};

function keyExpressions(settings: SqlSettings): Record<string, string> {
  const { key, spellings } = settings;
  if (key.kind === "column") {
    return {
      key_value: KEY_COLUMNS[key.column] ?? NO_VALUE,
      key_is_tag: "false",
      key_present: "false",
      key_ambiguous: "false",
    };
  }
  const values = spellings.map(tagValue);
  const present = spellings.map((spelling) => `contains(map_keys(tags), ${sqlText(spelling)})`);
  const differing = values.flatMap((a, index) =>
    values.slice(index + 1).map((b) => `coalesce(lower(${a}) <> lower(${b}), false)`),
  );
  return {
    key_is_tag: "true",
    key_value: values.length === 0 ? NO_VALUE : `coalesce(${[...values, NO_VALUE].join(", ")})`,
    key_present: present.length === 0 ? "false" : `coalesce(${present.join(" or ")}, false)`,
    key_ambiguous: differing.length === 0 ? "false" : differing.join(" or "),
  };
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

/** The query that splits the bill by a key. */
export function renderCostLinesSql(settings: SqlSettings): string {
  const expressions = { ...keyExpressions(settings), month_filter: monthFilter(settings.month) };
  return fillIn(readSql("cost-lines.sql"), expressions, settings.scale);
}
