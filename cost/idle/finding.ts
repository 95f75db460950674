import { Decimal } from "decimal.js";
import { formatDecimal, parseDecimal, roundDecimal } from "../money/exact-decimal.ts";
import type { OwnersFile } from "../owners/owners-file.ts";
import { ownershipOf, recordedOwner } from "../owners/ownership.ts";
import { parseUtcSeconds } from "../owners/split-by-date.ts";
import { minorDigitsOf } from "../report/balance-sheet.ts";
import type { ChargedResource } from "./charges.ts";
import type { Finding } from "./idle-report.ts";

const HOUR_SECONDS = 3600;
const HOURS_PER_MONTH = 730;

/** Below this a rate is of too few hours to say what a month costs. Our choice. */
const SURE_AFTER_HOURS = 48;

export function hoursBetween(first: string, last: string): number {
  return (parseUtcSeconds(last.slice(0, 19)) - parseUtcSeconds(first.slice(0, 19))) / HOUR_SECONDS;
}

export function dayOf(time: string): string {
  return time.slice(0, 10);
}

/** The last day of what ends at `time`: a charge that ends at midnight is of the day before. */
export function lastDayOf(time: string): string {
  return dayOf(new Date((parseUtcSeconds(time.slice(0, 19)) - 1) * 1000).toISOString());
}

export function exact(amount: string): string {
  return formatDecimal(parseDecimal(amount));
}

/** An average month at the rate of the hours that it was charged for. */
export function perMonthOf(
  cost: string,
  hours: number,
  currency: string,
): Pick<Finding, "perMonth" | "perMonthRounded" | "currency"> {
  const perMonth = new Decimal(cost)
    .times(HOURS_PER_MONTH)
    .div(Math.max(1, hours))
    .toDecimalPlaces(12)
    .toFixed();
  const digits = minorDigitsOf(currency);
  return {
    perMonth,
    perMonthRounded: formatDecimal(roundDecimal(parseDecimal(perMonth), digits), digits),
    currency,
  };
}

/** Whose a resource is on a day; null where nobody says. */
export type OwnedBy = (
  resource: Pick<ChargedResource, "service" | "team" | "account">,
  day: string,
) => string | null;

/** Whose a resource is, in the order of the report: what the file says of its service, its tag, its account. */
export function ownerLookup(owners: OwnersFile | undefined): OwnedBy {
  const recorded = recordedOwner(owners === undefined ? [] : ownershipOf(owners, "team"));
  return ({ service, team, account }, day) =>
    recorded("service", service, day) ?? team ?? recorded("account", account, day);
}

/** What a finder says of a resource. */
export interface Judgement {
  readonly confidence: Finding["confidence"];
  readonly evidence: readonly string[];
  /** When it was last of use; its first charge in the bill where that is not known. */
  readonly unusedSince?: string | null;
}

export function findingOf(
  kind: Finding["kind"],
  resource: ChargedResource,
  { confidence, evidence, unusedSince }: Judgement,
  action: string,
  ownedBy: OwnedBy,
): Finding {
  const { first, last, lines, billed, effective, currency } = resource;
  const hours = hoursBetween(first, last);
  const isShort = hours < SURE_AFTER_HOURS;
  const lastDay = lastDayOf(last);
  return {
    kind,
    resource: resource.resource,
    account: resource.account,
    region: resource.region,
    team: ownedBy(resource, dayOf(first) < lastDay ? lastDay : dayOf(first)),
    environment: resource.environment,
    since: dayOf(unusedSince ?? resource.seen),
    charges: { first: dayOf(first), last: lastDay, lines },
    cost: { billed: exact(billed), effective: exact(effective) },
    ...perMonthOf(effective, hours, currency),
    confidence: isShort ? "low" : confidence,
    evidence: [...evidence, ...(isShort ? [`charged for ${Math.round(hours)} hours so far`] : [])],
    action,
  };
}
