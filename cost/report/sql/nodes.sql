-- What pods used of each instance and what of it was idle, by resource: AWS's split cost allocation data, whose
-- denominator is the larger of the instance's size and of what its pods have, so that nothing idle is below 0. Trino's
-- dialect.
select
  BillingCurrency as currency,
  x_SplitParentResourceId as node,
  coalesce(x_SplitResource, '') as resource,
  coalesce(sum(cast(EffectiveCost as DECIMAL(38,12))) filter (where x_SplitPart = 'used'), 0) as used,
  coalesce(sum(cast(EffectiveCost as DECIMAL(38,12))) filter (where x_SplitPart = 'idle'), 0) as idle
from pod_line
where /*{month_filter}*/ true /*{}*/
group by BillingCurrency, x_SplitParentResourceId, x_SplitResource
order by BillingCurrency, x_SplitParentResourceId, resource
