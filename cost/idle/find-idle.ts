import { Decimal } from "decimal.js";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { addDecimals, compareDecimals, formatDecimal, parseDecimal } from "../money/exact-decimal.ts";
import type { OwnersFile } from "../owners/owners-file.ts";
import { parseUtcSeconds } from "../owners/split-by-date.ts";
import { minorDigitsOf } from "../report/balance-sheet.ts";
import type { Charges } from "./charges.ts";
import type { Known } from "./finder.ts";
import { FINDERS } from "./finders/index.ts";
import { exact, hoursBetween, ownerLookup } from "./finding.ts";
import { GONE_AFTER_HOURS } from "./gone.ts";
import { type Finding, type IdleReport, isWholeEnvironment } from "./idle-report.ts";

export interface IdleArgs extends Pick<Known, "environments" | "today" | "hostUses"> {
  readonly charges: Charges;
  readonly owners: OwnersFile | undefined;
}

/** Sums of findings that are lines of the bill of their own: an environment's include its resources'. */
function totalsOf(findings: readonly Finding[], bill: Charges["bill"]): IdleReport["currencies"] {
  return [...Map.groupBy(findings, ({ currency }) => currency)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, own]) => {
      const digits = minorDigitsOf(currency);
      const counted = own.filter(({ kind }) => !isWholeEnvironment(kind));
      const sum = (pick: (finding: Finding) => string) =>
        addDecimals(counted.map((finding) => parseDecimal(pick(finding))));
      const all = bill.find((total) => total.currency === currency);
      return {
        currency,
        perMonth: formatDecimal(sum(({ perMonth }) => perMonth)),
        perMonthRounded: formatDecimal(
          sum(({ perMonthRounded }) => perMonthRounded),
          digits,
        ),
        cost: {
          billed: formatDecimal(sum(({ cost }) => cost.billed)),
          effective: formatDecimal(sum(({ cost }) => cost.effective)),
          lines: counted.reduce((count, { charges: { lines } }) => count + lines, 0),
        },
        bill: { billed: exact(all?.billed ?? "0"), effective: exact(all?.effective ?? "0") },
      };
    });
}

function notesOf(known: Known, findings: readonly Finding[]): string[] {
  return [
    ...FINDERS.flatMap(({ notes }) => notes?.(known) ?? []),
    ...(findings.some(({ kind }) => isWholeEnvironment(kind))
      ? ["an environment's cost includes that of its resources, so it is in no total"]
      : []),
    `what was last charged more than ${GONE_AFTER_HOURS} hours before the bill's end is gone and left out`,
    "per month is effective cost at the rate of the charged hours; nothing is removed by this",
  ];
}

/** Everything that is paid for and not used, the dearest first, with the evidence of each. Pure. */
export function findIdle({ charges, owners, environments, today, hostUses }: IdleArgs): IdleReport {
  const known: Known = {
    charges,
    environments,
    today,
    hostUses,
    ownedBy: ownerLookup(owners),
    present: charges.resources.filter(
      ({ last, effective }) =>
        hoursBetween(last, charges.last) <= GONE_AFTER_HOURS && new Decimal(effective).greaterThan(0),
    ),
  };
  const findings = FINDERS.flatMap(({ find }) => find(known)).toSorted(
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
    currencies: totalsOf(findings, charges.bill),
    notes: notesOf(known, findings),
  };
}
