-- What each place of the report is made of by single resources: of each place and provider service the dearest by name,
-- all others as one, and what is of no resource. A line's place is the report's own answer for lines like it, so that
-- what is added here is added there. Trino's dialect; it reads split-lines.sql where that is marked.
with resource as (
  select
    currency,
    place.number as place,
    provider_service,
    resource_id,
    sum(lines) as line_count,
    coalesce(sum(lines) filter (where list is null), 0) as unlisted_count,
    sum(billed) as billed,
    sum(effective) as effective,
    coalesce(sum(list), 0) as list
  from /*{split_lines}*/ bill /*{}*/ as split_line
  left join (values /*{places}*/ ('owner   payments', 0) /*{}*/) as place (name, number)
    on place.name = bucket || ' ' || coalesce(because, '') || ' ' || rules || ' ' || coalesce(owner, '')
  group by 1, 2, 3, 4
),
ranked as (
  select
    resource.*,
    row_number() over (
      partition by currency, place, provider_service, resource_id is null
      order by effective desc, billed desc, resource_id
    ) > /*{most}*/ 20 /*{}*/ as is_other
  from resource
)
select
  currency,
  place,
  provider_service,
  case when not is_other then resource_id end as resource_id,
  is_other,
  count(resource_id) as resource_count,
  sum(line_count) as line_count,
  sum(unlisted_count) as unlisted_count,
  sum(billed) as billed,
  sum(effective) as effective,
  sum(list) as list
from ranked
group by 1, 2, 3, 4, 5
order by 1, 2, 3, 5, 10 desc, 9 desc, 4
