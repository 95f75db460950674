-- Savings plans and reservations of the bill: what was bought, what of it was used and what nobody used. Trino's dialect.
select
  BillingCurrency as currency,
  CommitmentDiscountId as commitment_id,
  max(CommitmentDiscountType) as commitment_type,
  coalesce(sum(cast(BilledCost as DECIMAL(38,12))) filter (where ChargeCategory = 'Purchase'), 0) as purchased,
  coalesce(sum(cast(EffectiveCost as DECIMAL(38,12))) filter (where CommitmentDiscountStatus = 'Used'), 0) as used,
  coalesce(sum(cast(ListCost as DECIMAL(38,12))) filter (where CommitmentDiscountStatus = 'Used'), 0) as used_list,
  coalesce(sum(x_Lines) filter (where CommitmentDiscountStatus = 'Used' and ListCost is null), 0) as unlisted_count,
  coalesce(sum(cast(EffectiveCost as DECIMAL(38,12))) filter (where CommitmentDiscountStatus = 'Unused'), 0) as unused
from bill
where CommitmentDiscountId is not null and /*{month_filter}*/ true /*{}*/
group by BillingCurrency, CommitmentDiscountId
order by BillingCurrency, CommitmentDiscountId
