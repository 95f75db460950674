import { type Check, mayBe, mustBe } from "./row-checks.ts";

/** What makes a row of a FOCUS bill one that can be added up. */
export const FOCUS_CHECKS: readonly Check[] = [
  mustBe("BilledCost", "is_decimal(BilledCost)", "no decimal number"),
  mustBe("EffectiveCost", "is_decimal(EffectiveCost)", "no decimal number"),
  mustBe("BillingCurrency", "regexp_full_match(BillingCurrency, '[A-Z]{3}')", "no currency code as in USD"),
  mustBe("BillingPeriodStart", "is_utc(BillingPeriodStart)", "no date and time in UTC"),
  mustBe("BillingPeriodEnd", "is_utc(BillingPeriodEnd)", "no date and time in UTC"),
  mustBe("ChargePeriodStart", "is_utc(ChargePeriodStart)", "no date and time in UTC"),
  mustBe("ChargePeriodEnd", "is_utc(ChargePeriodEnd)", "no date and time in UTC"),
  {
    column: "BillingPeriodEnd",
    isBad: "coalesce(utc(BillingPeriodEnd) <= utc(BillingPeriodStart), false)",
    message: "a billing period that ends before it begins",
  },
  {
    column: "ChargePeriodEnd",
    isBad: "coalesce(utc(ChargePeriodEnd) <= utc(ChargePeriodStart), false)",
    message: "a charge period that ends before it begins",
  },
  mustBe(
    "ChargeCategory",
    "ChargeCategory in ('Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment')",
    "none of Usage, Purchase, Tax, Credit, Adjustment",
  ),
  mayBe(
    "CommitmentDiscountStatus",
    "CommitmentDiscountStatus in ('Used', 'Unused')",
    "neither Used nor Unused",
  ),
  mayBe(
    "CapacityReservationStatus",
    "CapacityReservationStatus in ('Used', 'Unused')",
    "neither Used nor Unused",
  ),
  mayBe("ListCost", "is_decimal(ListCost)", "no decimal number"),
  mayBe("x_SplitPart", "x_SplitPart in ('used', 'idle')", "neither used nor idle"),
  mayBe("x_SplitParentTags", "is_tags(x_SplitParentTags)", "no JSON object whose keys are there once"),
  mayBe("Tags", "is_tags(Tags)", "no JSON object whose keys are there once"),
  mayBe("AllocatedMethodId", "false", "amounts split from other rows (FOCUS 1.3), which would count twice,"),
];
