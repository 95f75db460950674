import { InputError } from "../../host-tuning/errors.ts";
import type { CurrencyReport } from "./cost-report.ts";
import { withSoundBill } from "./sound-bill.ts";
import { readBillingMonths } from "./split-bill.ts";

/** Months alone: lines are told apart by nothing else. */
const NOTHING_ELSE = {
  columns: new Set<never>(),
  tagKeys: [],
  resources: false,
  items: [],
  podNodes: false,
  days: false,
  hours: false,
} as const;

/**
 * The billing periods that a bill has, as in `2026-07`, in order.
 *
 * @throws {InputError} when it is no sound bill, with every fault
 */
export async function billingMonthsOf(input: string): Promise<readonly string[]> {
  return await withSoundBill({ input, needed: [], condense: NOTHING_ELSE }, async ({ queries }) =>
    readBillingMonths(queries),
  );
}

/**
 * The billing period where there is only one.
 *
 * @throws {InputError} when there are several
 */
export function onlyMonthOf({ first, last }: CurrencyReport["billingMonths"]): string {
  if (first === last) return first;
  const message = `the bill has the billing periods ${first} to ${last}: name one`;
  throw new InputError("command line", [{ path: "--month", message }]);
}
