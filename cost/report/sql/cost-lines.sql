-- The bill split by one key: lines that are alike in all that the report shows, added up. Trino's dialect; it reads
-- split-lines.sql where that is marked.
select
  currency,
  billing_month,
  bucket,
  owner,
  because,
  provider_service,
  charge_category,
  rules,
  item,
  case when bucket in ('owner', 'untagged', 'shared', 'tax-and-credit') then owner_span end as owner_span,
  case when item is not null or owner_span is not null then charge_period end as charge_period,
  /*{charge_day}*/ cast(null as varchar) /*{}*/ as charge_day,
  sum(lines) as line_count,
  coalesce(sum(lines) filter (where tag_ambiguous), 0) as ambiguous_count,
  coalesce(sum(lines) filter (where coalesce(recorded_owner is not null and lower(trim(recorded_owner)) <> lower(trim(tag_value)), false)), 0) as overridden_count,
  coalesce(sum(lines) filter (where list is null), 0) as unlisted_count,
  sum(billed) as billed,
  sum(effective) as effective,
  coalesce(sum(list), 0) as list,
  coalesce(sum(billed) filter (where charge_category = 'Usage' and billed > 0), 0) as positive_usage_billed,
  coalesce(sum(effective) filter (where charge_category = 'Usage' and effective > 0), 0) as positive_usage_effective
from /*{split_lines}*/ bill /*{}*/ as split_line
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
order by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
