import type { Catalogue, InstanceType } from "../../../cost/catalogue/catalogue.ts";
import {
  type InstanceTypeChoice,
  chooseInstanceTypes,
  nearestRejections,
} from "../../../cost/catalogue/choose-instance-type.ts";
import type { Fault } from "../../../host-tuning/errors.ts";
import type { AwsPool } from "../../environment/environment-spec.ts";

/** Families named in a message when nothing fits: those that lack least. */
const NAMED_REJECTIONS = 5;

export interface PoolSelection {
  readonly instanceTypes: readonly [InstanceType, ...InstanceType[]];
  readonly choice: InstanceTypeChoice;
}

/**
 * Instance types for a pool, or why there are none. Knows the rules between a pool's own settings that no single need
 * shows.
 */
export function selectInstanceTypes(
  pool: AwsPool,
  path: string,
  catalogue: Catalogue,
): PoolSelection | { readonly faults: readonly Fault[] } {
  const faults = settingFaults(pool, path);
  const choice = chooseInstanceTypes(pool, catalogue);
  const [first, ...others] = choice.ranked;
  if (first === undefined)
    faults.push({ path: `${path}.needs`, message: noTypeMessage(pool, choice, catalogue) });
  if (first === undefined || faults.length > 0) return { faults };
  return { instanceTypes: [first, ...others], choice };
}

function settingFaults(pool: AwsPool, path: string): Fault[] {
  const faults: Fault[] = [];
  if (pool.capacityReservationId !== undefined && pool.placement !== "none") {
    faults.push({
      path: `${path}.placement`,
      message: `"${pool.placement}" cannot go with a capacity reservation: its hosts stand where it was made`,
    });
  }
  if (pool.capacityReservationId !== undefined && pool.spot) {
    faults.push({ path: `${path}.spot`, message: "spot hosts cannot use a capacity reservation" });
  }
  return faults;
}

function noTypeMessage(pool: AwsPool, choice: InstanceTypeChoice, catalogue: Catalogue): string {
  const named = nearestRejections(choice, pool.needs, catalogue, NAMED_REJECTIONS).map(
    ({ because }) => because,
  );
  return `no instance type satisfies them; of ${choice.rejected.length} families the nearest: ${named.join(" | ")}`;
}

/** One line for people: what was chosen, at what price, and how much was rejected. */
export function describeSelection(selection: PoolSelection): string {
  const [first] = selection.instanceTypes;
  const price =
    first.price.kind === "priced"
      ? `${first.price.amount} ${first.price.currency} per hour on demand in ${first.price.region} as of ${first.price.asOf}`
      : `unpriced: ${first.price.because}`;
  return `${first.type} (${price}); ${selection.choice.ranked.length} types fit, ${selection.choice.rejected.length} families do not`;
}
