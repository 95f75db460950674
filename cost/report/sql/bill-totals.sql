-- The bill itself, by currency: what every split has to add up to. No tag is read here and nothing is classified, so
-- that the balance sheet compares two ways of adding. Beside the sums, what is odd in the bill and accounted for as it
-- is. Trino's dialect.
with line as (
  select
    BillingCurrency as currency,
    substr(BillingPeriodStart, 1, 7) as billing_month,
    substr(ChargePeriodStart, 1, 10) as charge_day,
    substr(x_LastStart, 1, 10) as last_charge_day,
    ChargeCategory as charge_category,
    x_Lines as lines,
    cast(BilledCost as DECIMAL(38,12)) as billed,
    cast(EffectiveCost as DECIMAL(38,12)) as effective,
    cast(ListCost as DECIMAL(38,12)) as list
  from bill
  where /*{month_filter}*/ true /*{}*/
)
select
  currency,
  sum(lines) as line_count,
  sum(billed) as billed,
  sum(effective) as effective,
  coalesce(sum(list), 0) as list,
  coalesce(sum(lines) filter (where list is null), 0) as unlisted_count,
  min(billing_month) as first_month,
  max(billing_month) as last_month,
  min(charge_day) as first_day,
  max(last_charge_day) as last_day,
  coalesce(sum(lines) filter (where billed > 0 and effective = 0 and charge_category = 'Usage'), 0) as unamortized_count,
  coalesce(sum(billed) filter (where billed > 0 and effective = 0 and charge_category = 'Usage'), 0) as unamortized_billed,
  coalesce(sum(lines) filter (where charge_category = 'Credit' and billed <> effective), 0) as odd_credit_count,
  coalesce(sum(billed) filter (where charge_category = 'Credit' and billed <> effective), 0) as odd_credit_billed,
  coalesce(sum(effective) filter (where charge_category = 'Credit' and billed <> effective), 0) as odd_credit_effective,
  coalesce(sum(lines) filter (where substr(charge_day, 1, 7) <> billing_month), 0) as other_month_count
from line
group by currency
order by currency
