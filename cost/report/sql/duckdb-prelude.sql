-- What Trino has and DuckDB lacks or means otherwise, so that cost-lines.sql is one text for both.
-- DuckDB's element_at gives a list for a map; Trino's gives the value or NULL.
create macro element_at(m, k) as map_extract_value(m, k);
create macro json_parse(x) as cast(x as json);

-- Checks of the text of a bill, before any of it is money. These run on DuckDB only.
create macro is_decimal(x) as regexp_full_match(x, '-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?');
create macro is_utc(x) as
  regexp_full_match(x, '[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?)?(Z|\+00(:?00)?)?')
  and try_cast(regexp_extract(x, '^[^Z+]+') as timestamp) is not null;
create macro utc(x) as try_cast(regexp_extract(x, '^[^Z+]+') as timestamp);
create macro exponent(x) as coalesce(try_cast(nullif(regexp_extract(x, '[eE](.+)$', 1), '') as integer), 0);
create macro mantissa(x) as regexp_extract(x, '^[^eE]+');
-- Digits after and before the point that a number needs to be exact; of other text they say nothing.
create macro fraction_digits(x) as
  case when contains(lower(x), 'e')
    then greatest(length(rtrim(split_part(mantissa(x), '.', 2), '0')) - exponent(x), 0)
    else length(rtrim(split_part(x, '.', 2), '0')) end;
create macro whole_digits(x) as
  case when contains(lower(x), 'e')
    then greatest(length(ltrim(split_part(mantissa(x), '.', 1), '-0')) + exponent(x), 1)
    else greatest(length(ltrim(split_part(x, '.', 1), '-0')), 1) end;
create macro tag_map(x) as try_cast(try_cast(x as json) as map(varchar, varchar));
create macro is_tags(x) as
  coalesce(cardinality(tag_map(x)) = len(list_distinct(map_keys(tag_map(x)))), false);
