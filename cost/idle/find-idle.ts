import { Decimal } from "decimal.js";
import type { Environment } from "../../components/environment/environment-spec.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import {
  addDecimals,
  compareDecimals,
  formatDecimal,
  parseDecimal,
  roundDecimal,
} from "../money/exact-decimal.ts";
import type { OwnersFile } from "../owners/owners-file.ts";
import { type OwnershipPeriod, ownershipOf } from "../owners/ownership.ts";
import { parseUtcSeconds } from "../owners/split-by-date.ts";
import { minorDigitsOf } from "../report/balance-sheet.ts";
import { foldTagValue } from "../report/tag-spelling.ts";
import type { ToolCalls } from "../unit-cost/read-tool-calls.ts";
import { BILL_SIGNS } from "./bill-signs.ts";
import type { Finding, IdleReport } from "./idle-report.ts";
import type { ChargedResource, Charges } from "./read-charges.ts";

const HOUR_SECONDS = 3600;
const HOURS_PER_MONTH = 730;

/** What was not charged for as long as this is gone, and nothing is left to do. Daily lines end a day late. Our choice. */
const GONE_AFTER_HOURS = 48;

/** Below this a rate is of too few hours to say what a month costs. Our choice. */
const SURE_AFTER_HOURS = 48;

/** An environment with what the bill and its service's counters say of it. */
export interface WatchedEnvironment {
  readonly environment: Environment;
  /** Calls on the days of the bill; undefined without a Prometheus. */
  readonly calls: ToolCalls | undefined;
  readonly cost: {
    readonly billed: string;
    readonly effective: string;
    readonly currency: string;
    readonly lines: number;
  };
}

export interface IdleArgs {
  readonly charges: Charges;
  readonly owners: OwnersFile | undefined;
  readonly environments: readonly WatchedEnvironment[];
  /** The day that expiry is seen from, UTC. */
  readonly today: string;
  /** Instance ids with the largest share of their CPUs that was busy, as Prometheus saw them. */
  readonly busiestShares: ReadonlyMap<string, HostUse>;
}

/** What Prometheus saw of a host. */
export interface HostUse {
  /** The largest share of its CPUs that was busy in any 5 minutes, 0 to 1. */
  readonly busiestShare: number;
  readonly days: number;
}

/** A host whose CPUs were never busier does no work that is worth it. Daemons and probes stay below. Our choice. */
const IDLE_HOST_SHARE = 0.05;
/** Days of history below which a host's silence says little. Our choice. */
const SURE_HOST_DAYS = 7;

function dayOf(time: string): string {
  return time.slice(0, 10);
}

function hoursBetween(first: string, last: string): number {
  return (parseUtcSeconds(last.slice(0, 19)) - parseUtcSeconds(first.slice(0, 19))) / HOUR_SECONDS;
}

/** An average month at the rate of the hours that it was charged for. */
function perMonthOf(
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

type OwnedBy = (
  resource: Pick<ChargedResource, "service" | "team" | "account">,
  day: string,
) => string | null;

/** Whose a resource is, in the order of the report: what the file says of its service, its tag, its account. */
function ownerLookup(owners: OwnersFile | undefined): OwnedBy {
  const periods: readonly OwnershipPeriod[] = owners === undefined ? [] : ownershipOf(owners, "team");
  const find = (kind: OwnershipPeriod["kind"], name: string | null, day: string): string | null =>
    periods.find(
      (period) =>
        period.kind === kind &&
        name !== null &&
        period.name === foldTagValue(name) &&
        period.fromDay <= day &&
        day < period.untilDay,
    )?.owner ?? null;
  return ({ service, team, account }, day) =>
    find("service", service, day) ?? team ?? find("account", account, day);
}

interface Judgement {
  readonly confidence: Finding["confidence"];
  readonly evidence: readonly string[];
}

function findingOf(
  kind: Finding["kind"],
  resource: ChargedResource,
  { confidence, evidence }: Judgement,
  action: string,
  ownedBy: OwnedBy,
): Finding {
  const { first, last, lines, billed, effective, currency } = resource;
  const hours = hoursBetween(first, last);
  const isShort = hours < SURE_AFTER_HOURS;
  const lastDay = dayOf(last.slice(11, 19) === "00:00:00" ? dayBefore(last) : last);
  return {
    kind,
    resource: resource.resource,
    account: resource.account,
    region: resource.region,
    team: ownedBy(resource, dayOf(first) < lastDay ? lastDay : dayOf(first)),
    environment: resource.environment,
    charges: { first: dayOf(first), last: lastDay, lines },
    cost: { billed: exact(billed), effective: exact(effective) },
    ...perMonthOf(effective, hours, currency),
    confidence: isShort ? "low" : confidence,
    evidence: [...evidence, ...(isShort ? [`charged for ${Math.round(hours)} hours so far`] : [])],
    action,
  };
}

function exact(amount: string): string {
  return formatDecimal(parseDecimal(amount));
}

/** A charge that ends at midnight is of the day before. */
function dayBefore(time: string): string {
  return new Date((parseUtcSeconds(time.slice(0, 19)) - 1) * 1000).toISOString();
}

/** What the bill itself says is not used. */
function signedFindings(resources: readonly ChargedResource[], ownedBy: OwnedBy): readonly Finding[] {
  return BILL_SIGNS.flatMap(({ kind, unusedBecause, action, use }) =>
    resources
      .filter(({ role, use_lines }) => role === kind && use_lines === 0)
      .map((resource) =>
        findingOf(
          kind,
          resource,
          {
            confidence: use === undefined ? "high" : "medium",
            evidence: [
              unusedBecause,
              ...(use === undefined
                ? []
                : ["health checks and free use cost nothing, so a bill cannot show them"]),
            ],
          },
          action,
          ownedBy,
        ),
      ),
  );
}

/** What runs beside a volume: a bill never says what a volume is attached to. */
function judgeVolume(
  volume: ChargedResource,
  instances: readonly ChargedResource[],
  end: string,
): Judgement | undefined {
  const beside = instances.filter(
    ({ account, region }) => account === volume.account && region === volume.region,
  );
  const where = `account ${volume.account ?? "?"}, region ${volume.region ?? "?"}`;
  const [latest] = beside
    .map(({ last }) => last)
    .toSorted()
    .toReversed();
  if (latest === undefined) {
    return {
      confidence: "high",
      evidence: [
        `no instance of ${where} has a charge in the bill: it is on none, or on one that is stopped`,
      ],
    };
  }
  if (hoursBetween(latest, end) > GONE_AFTER_HOURS) {
    return {
      confidence: "medium",
      evidence: [
        `the last charge of an instance of ${where} ends at ${latest.slice(0, 16)} UTC, and it is charged on`,
      ],
    };
  }
  const { environment } = volume;
  if (environment === null) return undefined;
  const own = beside.filter(
    (instance) => foldTagValue(instance.environment ?? "") === foldTagValue(environment),
  );
  if (own.length > 0) return undefined;
  return {
    confidence: "low",
    evidence: [
      `no instance tagged ${environment} has a charge in ${where}; others there have, and may have it`,
    ],
  };
}

const VOLUME_ACTION = "look whether it is attached; keep a snapshot and delete it where it is not";

function volumeFindings(
  { resources, last }: Charges,
  present: readonly ChargedResource[],
  ownedBy: OwnedBy,
): readonly Finding[] {
  const instances = resources.filter(({ role }) => role === "instance");
  return present
    .filter(({ role }) => role === "volume")
    .flatMap((volume) => {
      const judgement = judgeVolume(volume, instances, last);
      return judgement === undefined
        ? []
        : [findingOf("unattached-volume", volume, judgement, VOLUME_ACTION, ownedBy)];
    });
}

function hostFindings(
  present: readonly ChargedResource[],
  busiestShares: IdleArgs["busiestShares"],
  ownedBy: OwnedBy,
): readonly Finding[] {
  return present
    .filter(({ role }) => role === "instance")
    .flatMap((host) => {
      const use = busiestShares.get(host.resource.split(/[:/]/).at(-1) ?? host.resource);
      if (use === undefined || use.busiestShare >= IDLE_HOST_SHARE) return [];
      const percent = (use.busiestShare * 100).toFixed(1);
      const judgement: Judgement = {
        confidence: use.days >= SURE_HOST_DAYS ? "medium" : "low",
        evidence: [
          `its CPUs were never more than ${percent} % busy in any 5 minutes of ${use.days} days`,
          "a standby or a host that waits for GPUs looks the same",
        ],
      };
      return [
        findingOf(
          "idle-host",
          host,
          judgement,
          "stop it, or shrink its pool (cost right-size says by how much)",
          ownedBy,
        ),
      ];
    });
}

function environmentFinding(
  kind: "unused-environment" | "expired-environment",
  { environment, cost }: WatchedEnvironment,
  { first, last }: Charges,
  judgement: Judgement,
  action: string,
): Finding {
  return {
    kind,
    resource: environment.name,
    account: null,
    region: environment.region,
    team: environment.owner.team,
    environment: environment.name,
    charges: { first: dayOf(first), last: dayOf(dayBefore(last)), lines: cost.lines },
    cost: { billed: exact(cost.billed), effective: exact(cost.effective) },
    ...perMonthOf(cost.effective, hoursBetween(first, last), cost.currency),
    confidence: judgement.confidence,
    evidence: [...judgement.evidence],
    action,
  };
}

function environmentFindings({ environments, charges, today }: IdleArgs): readonly Finding[] {
  return environments.flatMap((watched) => {
    const { environment, calls, cost } = watched;
    const { name, expires } = environment;
    if (cost.lines === 0) return [];
    const findings: Finding[] = [];
    if (expires !== undefined && expires < today) {
      findings.push(
        environmentFinding(
          "expired-environment",
          watched,
          charges,
          {
            confidence: "high",
            evidence: [`its file says that it expires on ${expires}, and it is ${today}`],
          },
          `pulumi destroy -s ${name}, or a later day in its file`,
        ),
      );
    }
    const days = Math.round(hoursBetween(charges.first, charges.last) / 24);
    const called = calls?.rows.reduce((sum, row) => sum + row.calls, 0);
    if (calls !== undefined && called === 0 && calls.watchedDays > 0) {
      const isWhole = calls.watchedDays >= days;
      findings.push(
        environmentFinding(
          "unused-environment",
          watched,
          charges,
          {
            confidence: isWhole ? "high" : "low",
            evidence: [
              `no tool call on the ${calls.watchedDays} of ${days} days that Prometheus scraped its service`,
            ],
          },
          `ask ${environment.owner.team} whether it is needed; cost off-hours where it is at times`,
        ),
      );
    }
    return findings;
  });
}

function totalsOf(findings: readonly Finding[]): IdleReport["currencies"] {
  return [...Map.groupBy(findings, ({ currency }) => currency)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, own]) => {
      const digits = minorDigitsOf(currency);
      const counted = own.filter(
        ({ kind }) => kind !== "unused-environment" && kind !== "expired-environment",
      );
      const perMonth = addDecimals(counted.map((finding) => parseDecimal(finding.perMonth)));
      const rounded = addDecimals(counted.map((finding) => parseDecimal(finding.perMonthRounded)));
      return { currency, perMonth: formatDecimal(perMonth), perMonthRounded: formatDecimal(rounded, digits) };
    });
}

function notesOf({ charges, environments }: IdleArgs, findings: readonly Finding[]): string[] {
  const volumes = charges.resources.filter(({ role }) => role === "volume").length;
  const isPartOf = findings.some(({ kind }) => kind.endsWith("-environment"));
  return [
    ...environments
      .filter(({ cost }) => cost.lines === 0)
      .map(
        ({ environment: { name } }) =>
          `the bill has nothing tagged ${name}: is the tag "environment" activated for cost allocation?`,
      ),
    ...(volumes > 0
      ? [
          "a bill does not say what a volume is attached to: what is said of volumes follows from what runs beside them",
        ]
      : []),
    ...(isPartOf ? ["an environment's cost includes that of its resources, so it is in no total"] : []),
    `what was last charged more than ${GONE_AFTER_HOURS} hours before the bill's end is gone and left out`,
    "per month is effective cost at the rate of the charged hours; nothing is removed by this",
  ];
}

/** Everything that is paid for and not used, the dearest first, with the evidence of each. Pure. */
export function findIdle(args: IdleArgs): IdleReport {
  const { charges, owners, busiestShares } = args;
  const ownedBy = ownerLookup(owners);
  const present = charges.resources.filter(
    ({ last, effective }) =>
      hoursBetween(last, charges.last) <= GONE_AFTER_HOURS && new Decimal(effective).greaterThan(0),
  );
  const findings = [
    ...signedFindings(present, ownedBy),
    ...volumeFindings(charges, present, ownedBy),
    ...hostFindings(present, busiestShares, ownedBy),
    ...environmentFindings(args),
  ].toSorted(
    (a, b) =>
      (a.currency < b.currency ? -1 : Number(a.currency > b.currency)) ||
      compareDecimals(parseDecimal(b.perMonth), parseDecimal(a.perMonth)) ||
      (a.resource < b.resource ? -1 : 1),
  );
  return {
    apiVersion: API_VERSION,
    kind: "IdleReport",
    source: charges.source,
    month: charges.month,
    lastCharge: new Date(parseUtcSeconds(charges.last.slice(0, 19)) * 1000).toISOString(),
    findings,
    currencies: totalsOf(findings),
    notes: notesOf(args, findings),
  };
}
