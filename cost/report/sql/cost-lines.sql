-- The bill split by one key, every line in exactly one bucket. Trino's dialect; DuckDB runs it after
-- duckdb-prelude.sql. The marked expressions are put in for the key that is asked for; what
-- stands there now splits by the tag `team`. DECIMAL(38,12) is widened where a bill has more digits.
with line as (
  select
    BillingCurrency as currency,
    substr(BillingPeriodStart, 1, 7) as billing_month,
    ChargeCategory as charge_category,
    coalesce(ServiceName, '') as provider_service,
    CommitmentDiscountId as commitment_id,
    CommitmentDiscountStatus as commitment_status,
    CapacityReservationStatus as reservation_status,
    ResourceId as resource_id,
    SubAccountId as sub_account_id,
    ProviderName as provider_name,
    RegionId as region_id,
    cast(BilledCost as DECIMAL(38,12)) as billed,
    cast(EffectiveCost as DECIMAL(38,12)) as effective,
    cast(json_parse(Tags) as map(varchar, varchar)) as tags
  from bill
  where /*{month_filter}*/ true /*{}*/
),
keyed as (
  select
    line.*,
    coalesce(cardinality(tags), 0) > 0 as has_tags,
    /*{key_value}*/ nullif(nullif(trim(element_at(tags, 'team')), ''), 'NULL') /*{}*/ as key_value,
    /*{key_present}*/ coalesce(contains(map_keys(tags), 'team'), false) /*{}*/ as key_present,
    /*{key_ambiguous}*/ false /*{}*/ as key_ambiguous
  from line
),
split as (
  select
    keyed.*,
    case
      when commitment_status = 'Unused' then 'unused-commitment'
      when reservation_status = 'Unused' then 'idle'
      when key_value is not null then 'owner'
      when charge_category in ('Tax', 'Credit') then 'tax-and-credit'
      when charge_category = 'Purchase' and commitment_id is not null then 'shared'
      when resource_id is null and lower(provider_service) like '%support%' then 'shared'
      else 'untagged'
    end as bucket
  from keyed
)
select
  currency,
  billing_month,
  bucket,
  case when bucket = 'owner' then key_value end as owner,
  case
    when bucket = 'owner' then null
    when bucket = 'unused-commitment' then 'unused-commitment'
    when bucket = 'idle' then 'unused-reservation'
    when bucket = 'tax-and-credit' then lower(charge_category)
    when bucket = 'shared' and charge_category = 'Purchase' and commitment_id is not null then 'commitment-purchase'
    when bucket = 'shared' then 'support'
    when not /*{key_is_tag}*/ true /*{}*/ then 'no-value'
    when charge_category <> 'Usage' or (resource_id is null and not has_tags) then 'not-taggable'
    when not has_tags then 'no-tags'
    when key_present then 'empty-value'
    else 'key-absent'
  end as because,
  provider_service,
  charge_category,
  count(*) as line_count,
  count_if(key_ambiguous) as ambiguous_count,
  sum(billed) as billed,
  sum(effective) as effective,
  coalesce(sum(billed) filter (where charge_category = 'Usage' and billed > 0), 0) as positive_usage_billed,
  coalesce(sum(effective) filter (where charge_category = 'Usage' and effective > 0), 0) as positive_usage_effective
from split
group by 1, 2, 3, 4, 5, 6, 7
order by 1, 2, 3, 4, 5, 6, 7
