import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { foldTagValue } from "../report/tag-spelling.ts";

const name = z.string().trim().min(1).max(128);
const period = {
  from: z.iso.date().optional().describe("First day, UTC; since ever when left out"),
  until: z.iso.date().optional().describe("First day that is no longer in it, UTC; open when left out"),
};

interface Period {
  readonly from?: string | undefined;
  readonly until?: string | undefined;
}

const teamPeriods = z.array(z.strictObject({ team: name, ...period })).min(1);
const costCenterPeriods = z.array(z.strictObject({ costCenter: name, ...period })).min(1);

/** Periods of one name must not overlap: a day has one owner. */
function periodFaults(
  periods: readonly Period[],
): { readonly index: number; readonly key: "from" | "until"; readonly message: string }[] {
  const empty = periods.flatMap(({ from, until }, index) =>
    from !== undefined && until !== undefined && until <= from
      ? [{ index, key: "until" as const, message: `${until} is not after ${from}` }]
      : [],
  );
  const inOrder = [...periods.entries()].toSorted(([, a], [, b]) =>
    (a.from ?? "") < (b.from ?? "") ? -1 : Number((a.from ?? "") > (b.from ?? "")),
  );
  const overlapping = inOrder.slice(1).flatMap(([index, { from }], place) => {
    const before = inOrder[place]?.[1].until;
    return before !== undefined && from !== undefined && before <= from
      ? []
      : [
          {
            index,
            key: "from" as const,
            message: `the period before it ends ${before === undefined ? "never" : `on ${before}`}: a day has one owner`,
          },
        ];
  });
  return [...empty, ...overlapping];
}

/** Where a chargeback journal posts. Names of the general ledger, as it spells them. */
const ledgerSchema = z
  .strictObject({
    expenseAccount: name.describe("Debited with what each cost center bears"),
    payableAccount: name.describe("Credited with the bill: the provider's invoice"),
    prepaidAccount: name
      .optional()
      .describe(
        "Debited with what is billed now and borne in other months, as commitments paid upfront; needed for effective cost",
      ),
    centralCostCenter: name.describe("Bears what no team has"),
    costCenters: z
      .partialRecord(z.enum(["shared", "idle", "unused-commitment", "tax-and-credit", "untagged"]), name)
      .default({})
      .describe("Bears a part of the balance sheet in place of the central cost center"),
  })
  .describe("Accounts of the chargeback journal");

/** Names that are one name to the bill. */
function repeats(names: readonly string[]): readonly number[] {
  const folded = names.map(foldTagValue);
  return folded.flatMap((one, index) => (folded.indexOf(one) < index ? [index] : []));
}

/**
 * Who owns what, and since when: services belong to teams, teams to cost centers, and an account to a team for what
 * nothing else gives an owner. Tenants belong to teams where calls are counted. What stands here counts before a line's own tag, as tags on running resources stay
 * behind when a service moves.
 */
export const ownersFileSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("CostOwners"),
    teams: z
      .array(
        z.strictObject({
          team: name,
          mail: z.email("an address as in team@example.com").optional().describe("Where its showback goes"),
          costCenters: costCenterPeriods,
        }),
      )
      .min(1),
    services: z.array(z.strictObject({ service: name, teams: teamPeriods })).default([]),
    accounts: z
      .array(z.strictObject({ account: name, teams: teamPeriods }))
      .default([])
      .describe("Whose an account's lines are where neither this file nor a tag says more"),
    tenants: z
      .array(z.strictObject({ tenant: name, teams: teamPeriods }))
      .default([])
      .describe("Whose a tenant's tool calls are in cost unit-cost, whatever team the service counted"),
    ledger: ledgerSchema.optional(),
  })
  .superRefine((file, context) => {
    const add = (path: readonly PropertyKey[], message: string): void => {
      context.addIssue({ code: "custom", path: [...path], message });
    };
    const known = new Set(file.teams.map(({ team }) => foldTagValue(team)));
    const sections = [
      { section: "teams", key: "team", names: file.teams.map(({ team }) => team) },
      { section: "services", key: "service", names: file.services.map(({ service }) => service) },
      { section: "accounts", key: "account", names: file.accounts.map(({ account }) => account) },
      { section: "tenants", key: "tenant", names: file.tenants.map(({ tenant }) => tenant) },
    ] as const;
    for (const { section, key, names } of sections) {
      for (const index of repeats(names))
        add([section, index, key], `"${names[index] ?? ""}" is there twice`);
    }
    for (const [index, { costCenters }] of file.teams.entries()) {
      for (const fault of periodFaults(costCenters)) {
        add(["teams", index, "costCenters", fault.index, fault.key], fault.message);
      }
    }
    for (const section of ["services", "accounts", "tenants"] as const) {
      for (const [index, { teams }] of file[section].entries()) {
        for (const fault of periodFaults(teams))
          add([section, index, "teams", fault.index, fault.key], fault.message);
        for (const [place, { team }] of teams.entries()) {
          if (known.has(foldTagValue(team))) continue;
          add([section, index, "teams", place, "team"], `"${team}" is none of the file's teams`);
        }
      }
    }
  })
  .describe("Services, their teams and their cost centers, by date");

export type Ledger = z.output<typeof ledgerSchema>;
export type OwnersFile = z.output<typeof ownersFileSchema>;
