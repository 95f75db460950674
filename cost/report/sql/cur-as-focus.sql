-- A Cost and Usage Report as the FOCUS columns that the report reads. `cur` has the report's columns under their names
-- in CUR 2.0, all text, "no value" as NULL. Trino's dialect.
--
-- What the invoice asks for is the unblended cost. What the use is worth is the amortized one, by the line's type. Lines
-- that AWS writes as one and that mean two become two, and what is moved is taken away where it was:
--   * the fee of a commitment is billed once, and the part of it that nobody used is unused commitment;
--   * the cost of a pod is taken from the instance that it ran on (split cost allocation data): what it used and what
--     it bears of the instance's idle part are two lines;
--   * usage that a savings plan covers is billed at the list price and taken back by a negation that names no resource;
--     both are billed 0 here, and what is left of the pair, a rounding of AWS's, is a line of its own.
--
-- A line as the report has it stands for all that it means. Where alike lines were made one, x_StandsFor says which part
-- of it each is: `line`, what it costs; `pod`, what a pod takes of its instance; `parent`, an instance's tags.
with line as (
  select
    cur.*,
    line_item_line_item_type as line_type,
    coalesce(line_item_operation in ('EKSPod-EC2', 'ECSTask-EC2'), false) as is_split,
    coalesce(savings_plan_savings_plan_a_r_n, reservation_reservation_a_r_n) as commitment_id,
    case line_item_line_item_type
      when 'RIFee' then
        cast(coalesce(reservation_unused_amortized_upfront_fee_for_billing_period, '0') as DECIMAL(38,18))
        + cast(coalesce(reservation_unused_recurring_fee, '0') as DECIMAL(38,18))
      when 'SavingsPlanRecurringFee' then
        cast(coalesce(savings_plan_total_commitment_to_date, '0') as DECIMAL(38,18))
        - cast(coalesce(savings_plan_used_commitment, '0') as DECIMAL(38,18))
    end as unused,
    cast(coalesce(split_line_item_split_cost, '0') as DECIMAL(38,18)) as split_used,
    cast(coalesce(split_line_item_unused_cost, '0') as DECIMAL(38,18)) as split_idle,
    cast(split_line_item_public_on_demand_split_cost as DECIMAL(38,18)) as split_used_list,
    cast(split_line_item_public_on_demand_unused_cost as DECIMAL(38,18)) as split_idle_list,
    case
      when line_item_usage_type like '%vCPU-Hours' then 'cpu'
      when line_item_usage_type like '%GB-Hours' then 'memory'
      when line_item_usage_type like '%Accelerator-Hours' then 'gpu'
    end as split_resource
  from cur
),
parent as (
  select line_item_resource_id as resource_id, max(resource_tags) as tags
  from line
  where not is_split
    and coalesce(x_StandsFor, 'parent') = 'parent'
    and line_item_resource_id in (select split_line_item_parent_resource_id from line where is_split)
  group by line_item_resource_id
),
pair as (
  select
    line_item_currency_code as currency,
    bill_billing_period_start_date as period_start,
    bill_billing_period_end_date as period_end,
    sum(cast(line_item_unblended_cost as DECIMAL(38,18))) as residue
  from line
  where line_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
  group by 1, 2, 3
)
select
  case when line_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation') then '0' else line_item_unblended_cost end as BilledCost,
  case
    when is_split then cast(split_used as varchar)
    when line_type = 'SavingsPlanCoveredUsage' then savings_plan_savings_plan_effective_cost
    when line_type = 'DiscountedUsage' then reservation_effective_cost
    when line_type in ('SavingsPlanNegation', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee', 'RIFee') then '0'
    when line_type = 'Fee' and reservation_reservation_a_r_n is not null then '0'
    when line_type = 'Refund' and line_item_product_code = 'ComputeSavingsPlans'
      and line_item_line_item_description like 'Refund for one-time fee for Savings Plan ID%' then '0'
    else line_item_unblended_cost
  end as EffectiveCost,
  line_item_currency_code as BillingCurrency,
  bill_billing_period_start_date as BillingPeriodStart,
  bill_billing_period_end_date as BillingPeriodEnd,
  line_item_usage_start_date as ChargePeriodStart,
  line_item_usage_end_date as ChargePeriodEnd,
  case
    when line_type = 'Tax' then 'Tax'
    when line_type in ('Credit', 'Refund') or line_type like '%Discount' then 'Credit'
    when line_type like '%Fee' then 'Purchase'
    else 'Usage'
  end as ChargeCategory,
  case when line_type = 'Refund' then 'Correction' end as ChargeClass,
  coalesce(product_product_name, line_item_product_code) as ServiceName,
  line_item_line_item_description as ChargeDescription,
  commitment_id as CommitmentDiscountId,
  case when line_type in ('DiscountedUsage', 'SavingsPlanCoveredUsage') then 'Used' end as CommitmentDiscountStatus,
  case
    when savings_plan_savings_plan_a_r_n is not null then 'Savings Plan'
    when reservation_reservation_a_r_n is not null then 'Reservation'
  end as CommitmentDiscountType,
  case when line_item_usage_type like '%UnusedBox:%' then 'Unused' end as CapacityReservationStatus,
  case when is_split then cast(split_used_list as varchar) else pricing_public_on_demand_cost end as ListCost,
  coalesce(bill_billing_entity, 'AWS') as ProviderName,
  product_region_code as RegionId,
  line_item_resource_id as ResourceId,
  line_item_usage_account_id as SubAccountId,
  resource_tags as Tags,
  cast(null as varchar) as AllocatedMethodId,
  line_item_usage_type as x_UsageType,
  case when is_split then 'used' end as x_SplitPart,
  case when is_split then split_resource end as x_SplitResource,
  case when is_split then split_line_item_parent_resource_id end as x_SplitParentResourceId,
  cast(null as varchar) as x_SplitParentTags,
  x_Lines,
  x_LastStart
from line
where coalesce(x_StandsFor, 'line') = 'line'
union all
select
  '0',
  cast(unused as varchar),
  line_item_currency_code,
  bill_billing_period_start_date,
  bill_billing_period_end_date,
  line_item_usage_start_date,
  line_item_usage_end_date,
  'Usage',
  cast(null as varchar),
  coalesce(product_product_name, line_item_product_code),
  'Commitment that nobody used',
  commitment_id,
  'Unused',
  case when savings_plan_savings_plan_a_r_n is not null then 'Savings Plan' else 'Reservation' end,
  cast(null as varchar),
  cast(null as varchar),
  coalesce(bill_billing_entity, 'AWS'),
  product_region_code,
  line_item_resource_id,
  line_item_usage_account_id,
  resource_tags,
  cast(null as varchar),
  line_item_usage_type,
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  x_Lines,
  x_LastStart
from line
where unused <> 0
union all
select
  '0',
  cast(split_idle as varchar),
  line_item_currency_code,
  bill_billing_period_start_date,
  bill_billing_period_end_date,
  line_item_usage_start_date,
  line_item_usage_end_date,
  'Usage',
  cast(null as varchar),
  coalesce(product_product_name, line_item_product_code),
  'Idle part of an instance, by its pods',
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(split_idle_list as varchar),
  coalesce(bill_billing_entity, 'AWS'),
  product_region_code,
  line_item_resource_id,
  line_item_usage_account_id,
  line.resource_tags,
  cast(null as varchar),
  line_item_usage_type,
  'idle',
  split_resource,
  split_line_item_parent_resource_id,
  parent.tags,
  x_Lines,
  x_LastStart
from line
left join parent on parent.resource_id = line.split_line_item_parent_resource_id
where is_split and split_idle <> 0 and coalesce(x_StandsFor, 'line') = 'line'
union all
select
  '0',
  cast(- split_used - split_idle as varchar),
  line_item_currency_code,
  bill_billing_period_start_date,
  bill_billing_period_end_date,
  line_item_usage_start_date,
  line_item_usage_end_date,
  'Usage',
  cast(null as varchar),
  coalesce(product_product_name, line_item_product_code),
  'Cost of a pod, taken from its instance',
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  case
    when coalesce(split_used_list, split_idle_list) is not null
      then cast(- coalesce(split_used_list, 0) - coalesce(split_idle_list, 0) as varchar)
  end,
  coalesce(bill_billing_entity, 'AWS'),
  product_region_code,
  split_line_item_parent_resource_id,
  line_item_usage_account_id,
  parent.tags,
  cast(null as varchar),
  line_item_usage_type,
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  x_Lines,
  x_LastStart
from line
left join parent on parent.resource_id = line.split_line_item_parent_resource_id
where is_split and split_used + split_idle <> 0 and coalesce(x_StandsFor, 'pod') = 'pod'
union all
select
  cast(residue as varchar),
  '0',
  currency,
  period_start,
  period_end,
  period_start,
  period_end,
  'Adjustment',
  cast(null as varchar),
  'Savings Plans',
  'Covered usage less its negation',
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  'AWS',
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  cast(null as varchar),
  1,
  period_start
from pair
where residue <> 0
