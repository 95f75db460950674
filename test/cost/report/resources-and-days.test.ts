import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parse as parseCsv } from "csv-parse/sync";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type AllocationRules, allocationRulesSchema } from "../../../cost/allocation/allocation-rules.ts";
import { generateMonth } from "../../../cost/generate/generate-month.ts";
import { addDecimals, formatDecimal, parseDecimal } from "../../../cost/money/exact-decimal.ts";
import { buildCostReport } from "../../../cost/report/build-cost-report.ts";
import { type CostReport, costReportSchema } from "../../../cost/report/cost-report.ts";
import { rowPartsOf } from "../../../cost/report/page/row-parts.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import "../../helpers/property-seed.ts";
import { costCommand } from "../cost-command.ts";
import { type CurRow, curCsv, generateCurMonth } from "./cur-month.ts";
import { scratchFolder } from "./scratch-folder.ts";

const folder = mkdtempSync(path.join(tmpdir(), "bedplate-resources-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const write = scratchFolder();

const VERSION = { apiVersion: "bedplate/v1", kind: "AllocationRules" };

/** Rules of every way in which money moves, and none. */
const RULES: readonly AllocationRules[] = [
  { ...VERSION },
  {
    ...VERSION,
    idle: { nodes: "kept", reservations: "spread" },
    rules: [
      { name: "tax", cost: { reasons: ["tax"] }, split: { by: "even", among: ["search", "payments"] } },
      { name: "regions", cost: { regions: ["us-east-1"], tags: { team: ["search"] } } },
      { name: "platform", cost: { owners: ["platform"] }, split: { by: "weighted" } },
    ],
  },
  { ...VERSION, idle: { nodes: "shown", reservations: "kept" } },
].map((rules) => allocationRulesSchema.parse(rules));

type Amounts = { readonly billed: string; readonly effective: string; readonly list: string | null };

function sumOf(parts: readonly Amounts[]): readonly string[] {
  return (["billed", "effective", "list"] as const).map((measure) =>
    formatDecimal(addDecimals(parts.map((part) => parseDecimal(part[measure] ?? "0")))),
  );
}

/** Every level of a report's resources, and its days, beside what they have to add up to. */
function checkLevels(report: CostReport): void {
  for (const currency of report.currencies) {
    const { rows, resources, days, lines } = currency;
    expect(resources).not.toBeNull();
    expect(days).not.toBeNull();
    for (const { row, label, services } of rowPartsOf(currency)) {
      const isHere = (one: Pick<typeof row, "bucket" | "owner" | "because">): boolean =>
        one.bucket === row.bucket && one.owner === row.owner && one.because === row.because;
      const own = resources?.filter(isHere) ?? [];
      expect(sumOf(own), label).toEqual(sumOf([row]));
      expect(sumOf(days?.filter(isHere) ?? []), label).toEqual(sumOf([row]));
      for (const { name } of services) {
        const ofService = lines.filter((line) => isHere(line) && line.ServiceName === name);
        const exact = ofService.map((line) => ({
          billed: line.BilledCost,
          effective: line.EffectiveCost,
          list: line.ListCost,
        }));
        expect(sumOf(own.filter(({ ServiceName }) => ServiceName === name))).toEqual(sumOf(exact));
      }
      // The same in cents, as the page has it.
      const { billedRounded: billed, effectiveRounded: effective, listRounded: list } = row;
      expect(sumOf(services), label).toEqual(sumOf([{ billed, effective, list }]));
      for (const service of services) expect(sumOf(service.resources)).toEqual(sumOf([service]));
      expect(services.reduce((sum, service) => sum + service.lines, 0)).toBe(row.lines);
      expect(own.reduce((sum, one) => sum + one.lines, 0)).toBe(row.lines);
    }
    expect(rows.length).toBeGreaterThan(1);
  }
}

describe("buildCostReport() by resource and by day", () => {
  let bills = 0;
  it.each(RULES)(
    "adds up to every row and service of any generated bill, and leaves the rows as they are, %#",
    async (rules) => {
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            kind: fc.constantFrom("cur2", "focus-1.0", "focus-1.2", "legacy"),
            format: fc.constantFrom("parquet", "csv"),
            seed: fc.nat(1_000_000),
            by: fc.constantFrom("team", "account"),
            resources: fc.integer({ min: 1, max: 30 }),
          }),
          async ({ kind, format, seed, by, resources }) => {
            bills += 1;
            const out = path.join(folder, `${bills}`);
            await generateMonth({ kind, format, rows: 1500, seed, month: "2026-02", deliveries: 1, out });
            const args = {
              input: out,
              key: reportKey(by, undefined),
              rules: { name: "rules.yaml", sha256: "0".repeat(64), data: rules },
              sharedOwners: ["mobile"],
            };
            const plain = await buildCostReport(args);
            const report = await buildCostReport({ ...args, resources, isDaily: true });
            checkLevels(report);
            expect(costReportSchema.parse(report)).toEqual(report);
            for (const currency of report.currencies) {
              const named = currency.resources?.filter(({ part }) => part === "resource") ?? [];
              const perService = Map.groupBy(named, ({ bucket, owner, because, ServiceName }) =>
                JSON.stringify([bucket, owner, because, ServiceName]),
              );
              for (const [, same] of perService) expect(same.length).toBeLessThanOrEqual(resources);
            }
            const isMoved = report.currencies.some(({ resources }) =>
              resources?.some(({ part }) => part === "moved"),
            );
            expect(isMoved).toBe(rules.rules.length > 0);
            const without = report.currencies.map((currency) => ({
              ...currency,
              resources: null,
              days: null,
            }));
            expect({ ...report, currencies: without }).toEqual(plain);
          },
        ),
        { numRuns: 2 },
      );
    },
  );
});

/** Of one team, as two tools spell it, on five resources; the third is a credit. */
function rowsOfTeam(): readonly CurRow[] {
  const [template] = generateCurMonth(3, 0).rows;
  const usage = (resource: string, cost: string, team: string, day = "02"): CurRow => ({
    columns: {
      ...template?.columns,
      line_item_line_item_type: "Usage",
      line_item_resource_id: resource,
      line_item_unblended_cost: cost,
      line_item_usage_start_date: `2026-07-${day} 23:00:00`,
      line_item_usage_end_date: `2026-07-${day === "02" ? "03" : "31"} 00:00:00`,
    },
    tags: { user_team: team },
  });
  return [
    usage("i-a", "1.005", "Payments"),
    usage("i-a", "1.005", "payments", "30"),
    usage("i-b", "1.5", "payments"),
    usage("i-c", "-0.5", "payments"),
    usage("i-d", "0.001", "payments"),
    usage("", "0.25", "payments"),
  ];
}

describe("bedplate cost report --resources --daily", () => {
  const input = write("team.csv", curCsv(rowsOfTeam()));
  const run = (...args: string[]) => costCommand(folder, "report", "--input", input, ...args);

  it("names the dearest resources, a resource under two spellings of its team once", async () => {
    const { stdout } = await run("--resources", "2", "--format", "json");
    const [usd] = costReportSchema.parse(JSON.parse(stdout)).currencies;
    expect(
      usd?.resources?.map(({ part, ResourceId, resources, billed }) => [part, ResourceId, resources, billed]),
    ).toEqual([
      ["resource", "i-a", 1, "2.01"],
      ["resource", "i-b", 1, "1.5"],
      ["no-resource", null, 0, "0.25"],
      ["others", null, 2, "-0.499"],
    ]);
    expect(usd?.days).toBeNull();
  });

  it("puts a charge on the day that it starts, in CSV as in JSON", async () => {
    const { stdout } = await run("--daily", "--resources", "1", "--format", "csv");
    const rows: Record<string, string>[] = parseCsv(stdout, { columns: true });
    const of = (section: string) => rows.filter((row) => row["section"] === section);
    expect(of("day").map(({ day, billed }) => [day, billed])).toEqual([
      ["2026-07-02", "2.256"],
      ["2026-07-30", "1.005"],
    ]);
    expect(of("resource").map(({ resource, resources }) => [resource, resources])).toEqual([
      ["i-a", "1"],
      ["", "0"],
      ["", "3"],
    ]);
  });

  it("reads none where 0 are asked for: a page of a bill with more resources than memory holds", async () => {
    const { exitCode, stdout } = await run("--resources", "0", "--format", "html");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/Open a team for its provider\s+services\./);
    expect(stdout).not.toContain("i-a");
  });

  it("fails on a count that is none, and where the format has no place for it", async () => {
    expect((await run("--resources", "-1", "--format", "json")).stderr).toContain(
      '--resources: "-1" is no whole number from 0 to 1000',
    );
    const refused = await run("--resources", "5", "--daily");
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    expect(refused.stderr).toMatch(/--resources: [^]*--daily: is of no row of this format/);
  });
});
