import { foldTagValue } from "../report/tag-spelling.ts";
import type { OwnersFile } from "./owners-file.ts";

/** From which kind of name an owner follows. */
export type OwnedKind = "service" | "team" | "account";

/** Who owns a name in a period; the periods of a name follow one another from the first day to the last. */
export interface OwnershipPeriod {
  readonly kind: OwnedKind;
  /** Folded, as names of the bill are compared. */
  readonly name: string;
  /** First day, `2026-07-15`. */
  readonly fromDay: string;
  /** First day that is no longer in it. */
  readonly untilDay: string;
  /** A team or a cost center; null where the file says nothing of that time. */
  readonly owner: string | null;
}

/** Before and after every day of a bill, as text that is compared with its days. */
const FIRST_DAY = "0000-01-01";
const LAST_DAY = "9999-12-31";

type Stretch = Pick<OwnershipPeriod, "fromDay" | "untilDay" | "owner">;

interface DatedOwner {
  readonly owner: string;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
}

/** The periods in order, with what lies between them as time without an owner. */
function withGaps(periods: readonly DatedOwner[]): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let day = FIRST_DAY;
  const inOrder = periods
    .map(({ owner, from = FIRST_DAY, until = LAST_DAY }) => ({ owner, fromDay: from, untilDay: until }))
    .toSorted((a, b) => (a.fromDay < b.fromDay ? -1 : 1));
  for (const period of inOrder) {
    if (day < period.fromDay) stretches.push({ fromDay: day, untilDay: period.fromDay, owner: null });
    stretches.push(period);
    day = period.untilDay;
  }
  if (day < LAST_DAY) stretches.push({ fromDay: day, untilDay: LAST_DAY, owner: null });
  return stretches;
}

/** What a team's time is worth at the next level up: its cost centers, cut to the stretch. */
function raise(stretch: Stretch, costCenters: ReadonlyMap<string, readonly Stretch[]>): readonly Stretch[] {
  if (stretch.owner === null) return [stretch];
  return (costCenters.get(foldTagValue(stretch.owner)) ?? []).flatMap((center) => {
    const fromDay = center.fromDay > stretch.fromDay ? center.fromDay : stretch.fromDay;
    const untilDay = center.untilDay < stretch.untilDay ? center.untilDay : stretch.untilDay;
    return fromDay < untilDay ? [{ fromDay, untilDay, owner: center.owner }] : [];
  });
}

/** Which kinds of names an owners file gives an owner, by what a report is split by. */
export const OWNED_KINDS: Readonly<Record<string, readonly OwnedKind[]>> = {
  team: ["service", "account"],
  "cost-center": ["service", "team", "account"],
};

/** Every name of an owners file with its owners over time, for a report by `team` or by `cost-center`. */
export function ownershipOf(file: OwnersFile, by: string): readonly OwnershipPeriod[] {
  const costCenters = new Map(
    file.teams.map(({ team, costCenters: centers }) => [
      foldTagValue(team),
      withGaps(centers.map(({ costCenter, from, until }) => ({ owner: costCenter, from, until }))),
    ]),
  );
  const names: readonly (readonly [OwnedKind, string, readonly Stretch[]])[] = [
    ...file.services.map(
      ({ service, teams }) =>
        ["service", service, withGaps(teams.map(({ team, ...time }) => ({ owner: team, ...time })))] as const,
    ),
    ...file.teams.map(
      ({ team }) => ["team", team, [{ fromDay: FIRST_DAY, untilDay: LAST_DAY, owner: team }]] as const,
    ),
    ...file.accounts.map(
      ({ account, teams }) =>
        ["account", account, withGaps(teams.map(({ team, ...time }) => ({ owner: team, ...time })))] as const,
    ),
  ];
  const kinds = OWNED_KINDS[by] ?? [];
  return names
    .filter(([kind]) => kinds.includes(kind))
    .flatMap(([kind, name, stretches]) =>
      stretches
        .flatMap((stretch) => (by === "cost-center" ? raise(stretch, costCenters) : [stretch]))
        .map((stretch) => ({ kind, name: foldTagValue(name), ...stretch })),
    );
}

/** Who has something on a day; null where nobody says. */
function ownerOn(stretches: readonly Stretch[] | undefined, day: string): string | null {
  return stretches?.find(({ fromDay, untilDay }) => fromDay <= day && day < untilDay)?.owner ?? null;
}

/** Whose a name is on a day, by what an owners file says of its kind; null where it says nothing of that time. */
export type RecordedOwner = (kind: OwnedKind, name: string | null | undefined, day: string) => string | null;

export function recordedOwner(ownership: readonly OwnershipPeriod[]): RecordedOwner {
  const periods = Map.groupBy(ownership, ({ kind, name }) => `${kind}:${name}`);
  return (kind, name, day) =>
    name === null || name === undefined ? null : ownerOn(periods.get(`${kind}:${foldTagValue(name)}`), day);
}

/** Whose a tenant's calls of a day are; null where the file says nothing of that time. */
export type TeamOfTenant = (tenant: string, day: string) => string | null;

/** What an owners file says of tenants. */
export function teamOfTenant({ tenants }: OwnersFile): TeamOfTenant {
  const periods = new Map(
    tenants.map(({ tenant, teams }) => [
      foldTagValue(tenant),
      withGaps(teams.map(({ team, ...time }) => ({ owner: team, ...time }))),
    ]),
  );
  return (tenant, day) => ownerOn(periods.get(foldTagValue(tenant)), day);
}
