import { sqlName } from "../bill-database.ts";

/**
 * What duckdb-prelude.sql defines for the checks of a bill, as Trino and Athena write it: Athena has no functions of
 * one's own. `x` is a column's name.
 */
const EXPRESSIONS: Readonly<Record<string, (x: string) => string>> = {
  is_decimal: (x) => `regexp_like(${x}, '^-?[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$')`,
  is_utc: (x) =>
    `(regexp_like(${x}, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?)?(Z|\\+00(:?00)?)?$') and ${utc(x)} is not null)`,
  utc,
  fraction_digits: (x) =>
    `(case when ${hasExponent(x)} then greatest(${fractionOf(mantissa(x))} - ${exponent(x)}, 0) else ${fractionOf(x)} end)`,
  whole_digits: (x) =>
    `(case when ${hasExponent(x)} then greatest(${wholeOf(mantissa(x))} + ${exponent(x)}, 1) else greatest(${wholeOf(x)}, 1) end)`,
  is_tags: (x) => `(try(cast(json_parse(${x}) as map(varchar, varchar))) is not null)`,
};

function utc(x: string): string {
  return `try_cast(replace(regexp_extract(${x}, '^[^Z+]+'), 'T', ' ') as timestamp)`;
}

function hasExponent(x: string): string {
  return `strpos(lower(${x}), 'e') > 0`;
}

function mantissa(x: string): string {
  return `regexp_extract(${x}, '^[^eE]+')`;
}

function exponent(x: string): string {
  return `coalesce(try_cast(nullif(regexp_extract(${x}, '[eE](.+)$', 1), '') as integer), 0)`;
}

function fractionOf(number: string): string {
  return `length(regexp_replace(coalesce(split_part(${number}, '.', 2), ''), '0+$', ''))`;
}

function wholeOf(number: string): string {
  return `length(regexp_replace(coalesce(split_part(${number}, '.', 1), ''), '^[-0]+', ''))`;
}

const CALL = new RegExp(`\\b(${Object.keys(EXPRESSIONS).join("|")})\\((\\w+)\\)`, "g");
const FULL_MATCH = /\bregexp_full_match\((\w+), '([^']*)'\)/g;

/** A check's SQL, written for DuckDB's prelude, as Trino and Athena run it. */
export function inEngineDialect(sql: string): string {
  return sql
    .replaceAll(FULL_MATCH, (_, x: string, pattern: string) => `regexp_like(${x}, '^(?:${pattern})$')`)
    .replaceAll(CALL, (call, name: string, x: string) => EXPRESSIONS[name]?.(x) ?? call);
}

export function isFloatingType(type: string): boolean {
  return type === "double" || type === "real" || type === "float";
}

/**
 * A double as the decimal that its shortest text is. Java 17 writes some doubles with more digits than they need, so one
 * that is a number of ten digits after the point is read as that number: below 10^15 units no other decimal of as few
 * digits is the same double.
 */
function doubleText(name: string): string {
  const units = `cast(round(${name} * 1e10) as bigint)`;
  return (
    `case when abs(${name}) < 1e5 and cast(${units} as double) / 1e10 = ${name} ` +
    `then cast(cast(${units} as decimal(19, 0)) * cast('0.0000000001' as decimal(10, 10)) as varchar) else cast(${name} as varchar) end`
  );
}

/** A column of a table as the text that a CSV file would hold; `type` as information_schema gives it. */
export function columnText(name: string, type: string): string {
  const column = sqlName(name);
  if (type.startsWith("varchar")) return column;
  if (type === "double") return doubleText(column);
  if (type.startsWith("map(")) return `json_format(cast(${column} as json))`;
  if (type.startsWith("timestamp") && type.endsWith("with time zone")) {
    return `cast(cast(${column} at time zone 'UTC' as timestamp) as varchar)`;
  }
  return `cast(${column} as varchar)`;
}

/** What the type of a column leaves unreadable; undefined where nothing. */
export function typeFaultOf(type: string, mayBeMap: boolean): string | undefined {
  const isNested = /^(?:array|row|varbinary|json)\b/.test(type) || (type.startsWith("map(") && !mayBeMap);
  return isNested ? `is of type ${type}, which is none that a bill gives it` : undefined;
}
