-- What was split off instances for their pods: AWS's split cost allocation data, or a FOCUS bill of this program's. Trino's
-- dialect.
select
  BillingCurrency,
  BillingPeriodStart,
  x_SplitParentResourceId,
  x_SplitResource,
  x_SplitPart,
  EffectiveCost
from bill
where x_SplitParentResourceId is not null
