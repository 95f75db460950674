import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type OwnersFile, ownersFileSchema } from "../../../cost/owners/owners-file.ts";
import { ownershipOf, teamOfTenant } from "../../../cost/owners/ownership.ts";
import { formatDecimal } from "../../../cost/money/exact-decimal.ts";
import { buildCostReport, isBalanced } from "../../../cost/report/build-cost-report.ts";
import type { CostReport } from "../../../cost/report/cost-report.ts";
import { renderTable } from "../../../cost/report/render-table.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { parseContract } from "../../../host-tuning/profile/parse-contract.ts";
import { type FocusRow, focusCsv, focusRow } from "../report/focus-month.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

const write = scratchFolder();

function owners(fields: object): OwnersFile {
  return ownersFileSchema.parse({ apiVersion: "bedplate/v1", kind: "CostOwners", ...fields });
}

const FILE = owners({
  teams: [
    {
      team: "search",
      costCenters: [
        { costCenter: "CC-1", until: "2026-07-20" },
        { costCenter: "CC-2", from: "2026-07-20" },
      ],
    },
    { team: "discovery", costCenters: [{ costCenter: "CC-3" }] },
    { team: "platform", costCenters: [{ costCenter: "CC-9" }] },
  ],
  services: [
    {
      service: "mcp-search",
      teams: [
        { team: "search", until: "2026-07-11" },
        { team: "Discovery", from: "2026-07-11" },
      ],
    },
    { service: "late", teams: [{ team: "platform", from: "2026-07-25" }] },
  ],
  accounts: [{ account: "999", teams: [{ team: "platform" }] }],
});

/** Cost of a day, or of the days to `until`. */
function charge(cost: string, day: string, tags: object, fields: Partial<FocusRow> = {}): FocusRow {
  return focusRow({
    BilledCost: cost,
    EffectiveCost: cost,
    ListCost: cost,
    ChargePeriodStart: `2026-07-${day} 00:00:00`,
    ChargePeriodEnd: `2026-07-${day} 01:00:00`,
    Tags: JSON.stringify(tags),
    ...fields,
  });
}

async function report(
  rows: readonly FocusRow[],
  by = "team",
  file = FILE,
  threads?: number,
): Promise<CostReport> {
  const data = { name: "owners.yaml", sha256: "0".repeat(64), data: file };
  const built = await buildCostReport({
    input: write("bill.csv", focusCsv(rows)),
    key: reportKey(by, undefined),
    owners: data,
    threads,
  });
  expect(isBalanced(built)).toBe(true);
  return built;
}

function effectiveByOwner(built: CostReport): Record<string, string> {
  return Object.fromEntries(
    (built.currencies[0]?.rows ?? []).map(({ owner, because, bucket, effective }) => [
      owner ?? because ?? bucket,
      effective,
    ]),
  );
}

const MONTH_FEE = { ChargePeriodStart: "2026-07-01", ChargePeriodEnd: "2026-08-01T00:00:00Z" };

describe("buildCostReport() with an owners file", () => {
  it("splits a service that moved on a date at that date, whatever its tags still say", async () => {
    const rows = [
      charge("1", "10", { service: "mcp-search", team: "search" }),
      charge("2", "11", { service: " MCP-Search", team: "search" }),
      charge("4", "12", { "user:service": "mcp-search" }),
      charge("8", "12", { team: "search" }),
      charge("16", "24", { service: "late", team: "lab" }),
      charge("32", "25", { service: "late", team: "lab" }),
      charge("64", "25", {}, { SubAccountId: "999" }),
      charge("128", "25", { service: "other" }),
    ];
    const built = await report(rows);
    expect(effectiveByOwner(built)).toEqual({
      search: "9",
      Discovery: "6",
      lab: "16",
      platform: "96",
      "key-absent": "128",
    });
    expect(built.notes).toContain(
      "2 lines whose own tag names another owner than the owners file: the file counts",
    );
    expect(effectiveByOwner(await report(rows, "cost-center"))).toEqual({
      "CC-1": "9",
      "CC-3": "6",
      "CC-9": "96",
      "key-absent": "144",
    });
  });

  it("splits a charge that the date falls into by time, to the last digit", async () => {
    const rows = [
      charge("31", "01", { service: "mcp-search" }, MONTH_FEE),
      charge(
        "10",
        "10",
        { service: "mcp-search" },
        { ChargePeriodStart: "2026-07-10 12:00:00", ChargePeriodEnd: "2026-07-11 12:00:00" },
      ),
      charge("0.000000000001", "01", { service: "mcp-search" }, MONTH_FEE),
      // Ends when the owner does: all of it is still the old one's.
      charge("7", "10", { service: "mcp-search" }, { ChargePeriodEnd: "2026-07-11 00:00:00" }),
    ];
    const built = await report(rows);
    expect(effectiveByOwner(built)).toEqual({ search: "22", Discovery: "26.000000000001" });
    expect(
      built.currencies[0]?.allocations.map(({ split, owner, effective }) => [split, owner, effective]),
    ).toEqual([
      ["by-date", "search", "-26.000000000001"],
      ["by-date", "Discovery", "26.000000000001"],
    ]);
    expect(renderTable(built)).toContain("ownership by date");
    const byCenter = await report([charge("31", "01", { team: "search" }, MONTH_FEE)], "cost-center");
    expect(effectiveByOwner(byCenter)).toEqual({ "CC-1": "19", "CC-2": "12" });
  });

  it("gives a charge that begins before anyone owns its service to who its tags name, until then", async () => {
    const built = await report([charge("31", "01", { service: "late", team: "lab" }, MONTH_FEE)]);
    expect(effectiveByOwner(built)).toEqual({ lab: "24", platform: "7" });
    const untagged = await report([charge("31", "01", { service: "late" }, MONTH_FEE)]);
    expect(effectiveByOwner(untagged)).toEqual({ "key-absent": "24", platform: "7" });
  });

  it("balances whatever the dates and charges are, the same with 1 and 2 threads", async () => {
    const day = fc.integer({ min: 1, max: 31 }).map((number) => `2026-07-${String(number).padStart(2, "0")}`);
    const row = fc.record({
      cost: fc
        .bigInt({ min: -(10n ** 9n), max: 10n ** 12n })
        .map((units) => formatDecimal({ units, scale: 11 })),
      days: fc.tuple(day, day).filter(([a, b]) => a !== b),
      service: fc.constantFrom("a", "b", "c"),
      team: fc.constantFrom("x", "y", undefined),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 8 }),
        fc.uniqueArray(day, { maxLength: 3 }),
        async (rows, dates) => {
          const cuts = dates.toSorted();
          const periods = [...cuts, undefined].map((until, index) => ({
            team: ["x", "y", "z"][index % 3],
            ...(index === 0 ? {} : { from: cuts[index - 1] }),
            ...(until === undefined ? {} : { until }),
          }));
          const file = owners({
            teams: ["x", "y", "z"].map((team) => ({ team, costCenters: [{ costCenter: team }] })),
            services: [
              { service: "a", teams: periods },
              { service: "b", teams: periods.slice(-1) },
            ],
          });
          const bill = rows.map(({ cost, days, service, team }) => {
            const [start, end] = days.toSorted();
            return charge(
              cost,
              "01",
              { service, team },
              { ChargePeriodStart: start ?? "", ChargePeriodEnd: end ?? "" },
            );
          });
          const [one, two] = [await report(bill, "team", file, 1), await report(bill, "team", file, 2)];
          expect(JSON.stringify(one)).toBe(JSON.stringify(two));
        },
      ),
      { numRuns: 6 },
    );
  }, 60_000);

  it("refuses a key that it says nothing of", async () => {
    await expect(report([charge("1", "10", {})], "region")).rejects.toThrow(
      "--owners: an owners file says whose teams' and cost centers' cost is, not which region",
    );
  });
});

describe("ownershipOf()", () => {
  it("covers every day of a name exactly once", () => {
    for (const by of ["team", "cost-center"]) {
      for (const [, periods] of Map.groupBy(ownershipOf(FILE, by), ({ kind, name }) => `${kind} ${name}`)) {
        expect(periods[0]?.fromDay).toBe("0000-01-01");
        expect(periods.at(-1)?.untilDay).toBe("9999-12-31");
        for (const [index, { fromDay }] of periods.entries()) {
          if (index > 0) expect(fromDay).toBe(periods[index - 1]?.untilDay);
        }
      }
    }
  });
});

function faultsOf(file: unknown): string[] {
  try {
    parseContract(ownersFileSchema, file, "owners.yaml");
  } catch (error) {
    if (error instanceof InputError) return error.faults.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

describe("ownersFileSchema", () => {
  it("names every fault with its path", () => {
    expect(
      faultsOf({
        apiVersion: "bedplate/v1",
        kind: "CostOwners",
        teams: [
          { team: "a", costCenters: [{ costCenter: "1", from: "2026-07-02", until: "2026-07-01" }] },
          { team: "A ", costCenters: [{ costCenter: "1" }, { costCenter: "2", from: "2026-01-01" }] },
        ],
        services: [{ service: "s", teams: [{ team: "b" }, { team: "a" }] }],
        accounts: [{ account: "1", teams: [{ team: "a", from: "2026-02-30" }] }],
        tenants: [
          {
            tenant: "acme",
            teams: [
              { team: "a", until: "2026-07-02" },
              { team: "c", from: "2026-07-01" },
            ],
          },
          { tenant: " Acme", teams: [{ team: "a", from: "2026-07-02", until: "2026-07-02" }] },
        ],
      }),
    ).toEqual([
      "accounts[0].teams[0].from: Invalid ISO date",
      'teams[1].team: "A" is there twice',
      'tenants[1].tenant: "Acme" is there twice',
      "teams[0].costCenters[0].until: 2026-07-01 is not after 2026-07-02",
      "teams[1].costCenters[1].from: the period before it ends never: a day has one owner",
      "services[0].teams[1].from: the period before it ends never: a day has one owner",
      'services[0].teams[0].team: "b" is none of the file\'s teams',
      "tenants[0].teams[1].from: the period before it ends on 2026-07-02: a day has one owner",
      'tenants[0].teams[1].team: "c" is none of the file\'s teams',
      "tenants[1].teams[0].until: 2026-07-02 is not after 2026-07-02",
    ]);
  });

  it("never does anything with a stray value but read it or name its faults", () => {
    fc.assert(
      fc.property(fc.anything(), (file) => {
        expect(faultsOf(file).length).toBeGreaterThan(0);
      }),
    );
    const period = fc.record(
      {
        team: fc.constantFrom("a", "b"),
        from: fc.constantFrom("2026-01-01", "2026-02-01", "x"),
        until: fc.constantFrom("2026-01-15", "2026-03-01"),
      },
      { requiredKeys: ["team"] },
    );
    fc.assert(
      fc.property(fc.array(period, { maxLength: 4 }), (teams) => {
        const file = {
          apiVersion: "bedplate/v1",
          kind: "CostOwners",
          teams: [{ team: "a", costCenters: [{ costCenter: "1" }] }],
          services: [{ service: "s", teams }],
          tenants: [{ tenant: "t", teams }],
        };
        const faults = faultsOf(file);
        if (faults.length > 0) return;
        const days = ownershipOf(owners(file), "team");
        expect(days.every(({ fromDay, untilDay }) => fromDay < untilDay)).toBe(true);
        const ownerOf = teamOfTenant(owners(file));
        for (const day of [
          "2025-12-31",
          "2026-01-01",
          "2026-01-14",
          "2026-01-15",
          "2026-02-01",
          "2026-03-01",
        ]) {
          const own = teams.filter(
            ({ from = "2000-01-01", until = "3000-01-01" }) => from <= day && day < until,
          );
          expect(ownerOf(" T", day)).toBe(own[0]?.team ?? null);
          expect(own.length).toBeLessThanOrEqual(1);
          expect(ownerOf("u", day)).toBeNull();
        }
      }),
    );
  });
});
