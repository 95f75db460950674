import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Environment, environmentSchema } from "../../../components/environment/environment-spec.ts";
import { addDecimals, formatDecimal, parseDecimal } from "../../../cost/money/exact-decimal.ts";
import { ownersFileSchema } from "../../../cost/owners/owners-file.ts";
import { buildReportOfPeriods } from "../../../cost/report/build-cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { withSoundBill } from "../../../cost/report/sound-bill.ts";
import type { PrometheusApi } from "../../../cost/right-size/prometheus-api.ts";
import { type BilledMonth, billedMonths, onlyBilledMonth } from "../../../cost/unit-cost/billed-months.ts";
import { countByTeam } from "../../../cost/unit-cost/caller-teams.ts";
import { buildUnitCost } from "../../../cost/unit-cost/build-unit-cost.ts";
import { countByLabel, type CountedCalls, readToolCalls } from "../../../cost/unit-cost/read-tool-calls.ts";
import { renderUnitCostTable } from "../../../cost/unit-cost/render-unit-cost.ts";
import {
  buildUnitCostTrend,
  renderUnitCostTrendCsv,
  renderUnitCostTrendTable,
  unitCostTrendSchema,
} from "../../../cost/unit-cost/unit-cost-trend.ts";
import { type UnitCost, unitCostSchema } from "../../../cost/unit-cost/unit-cost.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { describeWith } from "../../helpers/needs.ts";
import { PROMETHEUS, type PrometheusHistory, startPrometheus } from "../../helpers/prometheus-history.ts";
import { costCommand, type Outcome } from "../cost-command.ts";
import { type CurRow, curCsv } from "../report/cur-month.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

// The real one, with its calls counted: who opens a bill reads all of it.
vi.mock("../../../cost/report/sound-bill.ts", { spy: true });

const GOLDEN = path.resolve(import.meta.dirname, "../../golden/cost");
const write = scratchFolder();

function spec(name: string, team = "payments"): Record<string, unknown> {
  return {
    apiVersion: "bedplate/v1",
    kind: "Environment",
    name,
    region: "us-east-1",
    owner: { team, costCenter: "CC-7", service: "mcp-tools" },
    hostPools: [{ name: "web", where: "aws", count: 1, needs: { vcpus: 2, memoryGiB: 4 } }],
    service: { runtime: "systemd" },
    budget: { currency: "USD", perMonth: "60.00" },
  };
}

function environment(name: string, team?: string): Environment {
  return environmentSchema.parse(spec(name, team));
}

function usage(name: string, cost: string, day: string): CurRow {
  return {
    columns: {
      bill_billing_period_start_date: "2026-07-01 00:00:00",
      bill_billing_period_end_date: "2026-08-01 00:00:00",
      line_item_currency_code: "USD",
      line_item_product_code: "AmazonEC2",
      line_item_resource_id: "i-1",
      line_item_line_item_type: "Usage",
      line_item_unblended_cost: cost,
      line_item_usage_start_date: `2026-07-${day} 00:00:00`,
      line_item_usage_end_date: `2026-07-${day} 01:00:00`,
    },
    tags: { user_environment: name },
  };
}

function inJune(row: CurRow): CurRow {
  const columns = Object.entries(row.columns).map(([name, value]) => [
    name,
    value.replace(/^2026-07/, "2026-06").replace(/^2026-08/, "2026-07"),
  ]);
  return { ...row, columns: Object.fromEntries(columns) };
}

async function monthsOf(rows: readonly CurRow[]): Promise<readonly BilledMonth[]> {
  const input = write("unit-bill.csv", curCsv(rows));
  const read = await buildReportOfPeriods({ input, key: reportKey("environment", undefined) });
  return billedMonths(read, ["USD"]);
}

async function billOf(rows: readonly CurRow[]): Promise<BilledMonth> {
  return onlyBilledMonth(await monthsOf(rows));
}

interface Counted {
  readonly name: string;
  readonly team?: string;
  readonly rows: readonly CountedCalls[];
  readonly watchedDays?: number;
}

function unitCostOf(billed: BilledMonth, counted: readonly Counted[], price?: string): UnitCost {
  const built = buildUnitCost({
    billed,
    environments: counted.map(({ name, team, rows, watchedDays = 1 }) => ({
      environment: environment(name, team),
      calls: { rows, watchedDays, warnings: [] },
    })),
    by: "tool",
    owners: null,
    source: "http://prometheus.example",
    pricePerMillionCalls: price,
  });
  expect(unitCostSchema.parse(built)).toEqual(built);
  return built;
}

function calls(key: string | null, count: number, toolSeconds: number, failedCalls = 0): CountedCalls {
  return { key, calls: count, failedCalls, toolSeconds };
}

describe("buildUnitCost()", () => {
  it("divides an environment's cost by its calls, and shares it out by the time in its tools", async () => {
    const billed = await billOf([usage("dev", "60", "02"), usage("Dev", "40", "02"), usage("qa", "7", "02")]);
    const rows = [calls("render", 576, 12_960, 288), calls("search", 2880, 1440)];
    const { environments } = unitCostOf(billed, [{ name: "dev", rows }], "5000");
    expect(environments).toMatchObject([
      {
        calls: 3456,
        failedCalls: 288,
        cost: "100",
        costRounded: "100.00",
        // 100 / 3456 x 1,000,000
        costPerMillionCalls: "28935.19",
        // 3456 x 5000 / 1,000,000 is 17.28
        margin: { revenue: "17.28", margin: "-82.72", percent: "-478.7" },
        isUpperBound: false,
        rows: [
          { key: "render", cost: "90", costPerMillionCalls: "156250.00" },
          { key: "search", cost: "10", costPerMillionCalls: "3472.22" },
        ],
      },
    ]);
  });

  it("adds the environments of a team up, and no other's", async () => {
    const billed = await billOf([
      usage("dev", "1.005", "02"),
      usage("qa", "2", "02"),
      usage("lab", "9", "02"),
    ]);
    const { teams } = unitCostOf(billed, [
      { name: "dev", rows: [calls("a", 10, 1)] },
      { name: "lab", team: "search", rows: [] },
      { name: "qa", rows: [calls("a", 30, 1)] },
    ]);
    expect(teams).toMatchObject([
      { team: "payments", calls: 40, cost: "3.005", costRounded: "3.01", costPerMillionCalls: "75125.00" },
      { team: "search", calls: 0, cost: "9", costPerMillionCalls: null, margin: null },
    ]);
  });

  it("calls a unit cost a bound where days were not watched, and says what the bill lacks", async () => {
    const billed = await billOf([usage("dev", "1", "02"), usage("dev", "1", "05")]);
    const { environments, notes } = unitCostOf(billed, [
      { name: "dev", rows: [calls("a", 10, 1)], watchedDays: 3 },
      { name: "qa", rows: [calls("a", 10, 1)], watchedDays: 4 },
    ]);
    expect(environments).toMatchObject([
      { days: { bill: 4, watched: 3 }, isUpperBound: true },
      { days: { bill: 4, watched: 4 }, isUpperBound: false, cost: "0" },
    ]);
    expect(notes).toEqual(
      expect.arrayContaining([
        expect.stringContaining("dev: Prometheus scraped it on 3 of 4 days"),
        expect.stringContaining("the bill has nothing tagged qa"),
      ]),
    );
  });

  it("says what the rows of nobody and of others are, where it is by caller", async () => {
    const billed = await billOf([usage("dev", "10", "02")]);
    const rows = [calls("acme", 10, 1), calls("none", 10, 1), calls("other", 10, 2)];
    const notesBy = (by: string): readonly string[] =>
      buildUnitCost({
        billed,
        environments: [{ environment: environment("dev"), calls: { rows, watchedDays: 1, warnings: [] } }],
        by,
        owners: null,
        source: "http://prometheus.example",
        pricePerMillionCalls: undefined,
      }).notes;
    expect(notesBy("tenant")).toEqual(
      expect.arrayContaining([
        expect.stringContaining("none: calls without a token, or whose token names no tenant"),
        expect.stringContaining("other: callers beyond the service's MAX_TENANTS"),
      ]),
    );
    expect(notesBy("tool").join("\n")).not.toMatch(/^(none|other):/m);
  });

  it("splits any cost over any calls to the last digit and to the cent", async () => {
    const billed = await billOf([usage("dev", "123.4567891239", "02")]);
    const seconds = fc.oneof(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.integer({ min: 0, max: 999 }));
    const row = fc.record({ calls: fc.nat(), toolSeconds: seconds });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), (counts) => {
        const counted = counts.map((one, index) => calls(`tool-${index}`, one.calls, one.toolSeconds));
        const [dev] = unitCostOf(billed, [{ name: "dev", rows: counted }]).environments;
        const rows = dev?.rows ?? [];
        if (rows.length === 0) {
          expect(counts.every((one) => one.toolSeconds < 1e-6)).toBe(true);
          return;
        }
        const sum = (pick: (row: UnitCost["environments"][number]["rows"][number]) => string): string =>
          formatDecimal(addDecimals(rows.map((one) => parseDecimal(pick(one)))));
        expect(sum(({ cost }) => cost)).toBe("123.4567891239");
        expect(sum(({ costRounded }) => costRounded)).toBe("123.46");
      }),
      { numRuns: 100 },
    );
  });
});

describe("renderUnitCostTable()", () => {
  it("reads as the golden file, at most 100 columns wide", async () => {
    const billed = await billOf([usage("production-of-europe", "1234567.89", "02"), usage("qa", "2", "03")]);
    const rows = [
      calls("a-tool-with-a-name-that-is-far-longer-than-a-column", 123_456_789_012, 5e6, 1_234_567),
      calls(null, 10, 3),
    ];
    const unitCost = unitCostOf(
      billed,
      [
        { name: "production-of-europe", rows, watchedDays: 1 },
        { name: "qa", team: "search", rows: [], watchedDays: 2 },
      ],
      "25.00",
    );
    const table = renderUnitCostTable(unitCost);
    expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    await expect(table).toMatchFileSnapshot(path.join(GOLDEN, "unit-cost.txt"));
  });
});

describe("readToolCalls()", () => {
  it("never takes for a count what is none", async () => {
    const texts = fc.oneof(
      fc.constantFrom("NaN", "+Inf", "-Inf", "", " ", "1e300", "-1"),
      fc.string().filter((text) => text.trim() === "" || !(Number(text) >= 0)),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const api: PrometheusApi = {
          source: "http://prometheus.example",
          queryRange: () => Promise.resolve({ series: [{ labels: {}, values: [[1, text]] }], warnings: [] }),
        };
        const days = { first: "2026-07-01", last: "2026-07-01" };
        const question = { matchers: 'job="x"', counting: countByLabel("tool"), histogram: "h", days };
        await expect(readToolCalls(api, question)).rejects.toBeInstanceOf(InputError);
      }),
      { numRuns: 100 },
    );
  });
});

const TENANTS = {
  apiVersion: "bedplate/v1",
  kind: "CostOwners",
  teams: ["search", "Discovery"].map((team) => ({ team, costCenters: [{ costCenter: "CC-1" }] })),
  tenants: [
    {
      tenant: "Acme",
      teams: [
        { team: "search", until: "2026-07-02" },
        { team: "discovery", from: "2026-07-02" },
      ],
    },
  ],
};

describe("countByTeam()", () => {
  it("gives every call of every day to one team, the owners file's first, and loses none", async () => {
    const DAYS = ["2026-07-01", "2026-07-02", "2026-07-03"];
    const series = fc.uniqueArray(
      fc.record({
        tenant: fc.constantFrom("acme", "ACME ", "globex", "none", "other"),
        team: fc.constantFrom("search", "Search", "ads", "none", undefined),
        counts: fc.array(fc.nat({ max: 1_000_000 }), { minLength: 3, maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 8, selector: ({ tenant, team }) => `${tenant}/${team ?? ""}` },
    );
    const ownersFile = ownersFileSchema.parse(TENANTS);
    await fc.assert(
      fc.asyncProperty(series, async (all) => {
        const answer = all.map(({ tenant, team, counts }) => ({
          labels: { tenant, outcome: "ok", ...(team === undefined ? {} : { team }) },
          values: counts.map((count, index) => [DAY_BEFORE + (index + 2) * 86_400, String(count)] as const),
        }));
        const api: PrometheusApi = {
          source: "http://prometheus.example",
          queryRange: () => Promise.resolve({ series: answer, warnings: [] }),
        };
        const { rows } = await readToolCalls(api, {
          matchers: 'job="x"',
          counting: countByTeam(ownersFile),
          histogram: "h",
          days: { first: "2026-07-01", last: "2026-07-03" },
        });
        const expected = new Map<string | null, number>();
        for (const { tenant, team, counts } of all) {
          for (const [index, count] of counts.entries()) {
            const isAcme = tenant.trim().toLowerCase() === "acme";
            const counted = team === "Search" ? "search" : (team ?? null);
            const key = isAcme ? (DAYS[index] === "2026-07-01" ? "search" : "Discovery") : counted;
            expected.set(key, (expected.get(key) ?? 0) + count);
          }
        }
        expect(new Map(rows.map(({ key, calls: own }) => [key, own]))).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });
});

const DAY_BEFORE = Date.parse("2026-06-30T00:00:00Z") / 1000;

describe("buildUnitCostTrend()", () => {
  const month = async (rows: readonly CurRow[], calls: number, watchedDays = 1): Promise<UnitCost> => {
    const counted = [{ key: "search", calls, failedCalls: 0, toolSeconds: 1 }];
    return unitCostOf(await billOf(rows), [{ name: "dev", rows: calls === 0 ? [] : counted, watchedDays }]);
  };

  it("puts months in order with the change of what a million calls cost", async () => {
    const july = await month([usage("dev", "30", "01")], 1_000_000);
    const june = await month([inJune(usage("dev", "20", "01"))], 1_000_000);
    const trend = unitCostTrendSchema.parse(buildUnitCostTrend([july, june]));
    expect(trend.environments[0]?.points).toMatchObject([
      { month: "2026-06", calls: 1_000_000, costPerMillionCalls: "20.00", changePercent: null },
      { month: "2026-07", calls: 1_000_000, costPerMillionCalls: "30.00", changePercent: "50.0" },
    ]);
    expect(renderUnitCostTrendTable(trend)).toMatch(/^2026-07 +1,000,000 +30\.00 +30\.00 +\+50\.0 %$/m);
    expect(renderUnitCostTrendCsv(trend)).toContain(
      "dev,payments,2026-07,USD,1000000,30.00,30.00,false,50.0\r\n",
    );
  });

  it("never compares with a month that is half known or without calls", async () => {
    const july = await month([usage("dev", "30", "01")], 1_000_000);
    for (const june of [
      await month([inJune(usage("dev", "20", "01"))], 500_000, 0),
      await month([inJune(usage("dev", "20", "01"))], 0),
    ]) {
      expect(buildUnitCostTrend([june, july]).environments[0]?.points[1]?.changePercent).toBeNull();
    }
  });
});

const DAY = Date.parse("2026-07-01T00:00:00Z") / 1000;
const SCRAPE_SECONDS = 300;

/** Two days of a tenant's calls, as many each five minutes. */
function tenantSeries(tenant: string, team: string, calls: number, seconds: number): string {
  const labels = `job="mcp-tools",tool="search",tenant="${tenant}",team="${team}",outcome="ok"`;
  return [
    ["count", calls],
    ["sum", seconds],
  ]
    .flatMap(([suffix, perScrape]) =>
      Array.from(
        { length: 577 },
        (_, index) =>
          `mcp_tenant_tool_call_duration_seconds_${suffix}{${labels}} ${index * Number(perScrape)} ${DAY + index * SCRAPE_SECONDS}\n`,
      ),
    )
    .join("");
}

/** One day of a service scraped every five minutes, restarted at noon, beside another job of the same tools. */
function history(): string {
  const scrapes = Array.from({ length: 289 }, (_, index) => index);
  const series = (name: string, labels: string, perScrape: number): string =>
    scrapes
      .map((index) => {
        const since = index < 144 ? index : index - 143;
        return `${name}{${labels}} ${since * perScrape} ${DAY + index * SCRAPE_SECONDS}\n`;
      })
      .join("");
  const of = (tool: string, outcome: string, job = "mcp-tools"): string =>
    `job="${job}",instance="10.0.0.7:8080",tool="${tool}",era="modern",outcome="${outcome}"`;
  const name = "mcp_tool_call_duration_seconds";
  return [
    series(`${name}_count`, of("search", "ok"), 10),
    series(`${name}_count`, of("render", "ok"), 1),
    series(`${name}_count`, of("render", "timeout"), 1),
    series(`${name}_count`, of("search", "ok", "other"), 1000),
    series(`${name}_sum`, of("search", "ok"), 5),
    series(`${name}_sum`, of("render", "ok"), 15),
    series(`${name}_sum`, of("render", "timeout"), 30),
    series(`${name}_sum`, of("search", "ok", "other"), 1000),
    tenantSeries("acme", "search", 2, 3),
    tenantSeries("globex", "ads", 1, 2),
    tenantSeries("none", "none", 1, 1),
    scrapes.map((index) => `up{job="mcp-tools"} 1 ${DAY + index * SCRAPE_SECONDS}\n`).join(""),
    "# EOF\n",
  ].join("");
}

describeWith(PROMETHEUS, "bedplate cost unit-cost, from a real Prometheus", () => {
  let prometheus: PrometheusHistory;
  beforeAll(async () => {
    prometheus = await startPrometheus(history());
  });
  afterAll(async () => prometheus.stop());

  const dev = write("dev.json", JSON.stringify(spec("dev")));
  const run = async (rows: readonly CurRow[], ...args: string[]): Promise<Outcome> =>
    await costCommand(
      path.dirname(dev),
      "unit-cost",
      "--env",
      dev,
      "--input",
      write("bill.csv", curCsv(rows)),
      "--usage",
      prometheus.address,
      ...args,
    );

  it("counts a day's calls through a restart, by tool, and no other job's", async () => {
    const { exitCode, stdout, stderr } = await run([usage("dev", "100", "01")], "--format", "json");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(unitCostSchema.parse(JSON.parse(stdout)).environments).toMatchObject([
      {
        days: { bill: 1, watched: 1 },
        isUpperBound: false,
        // 288 scrapes' worth of 12 calls
        calls: 3456,
        failedCalls: 288,
        rows: [
          { key: "render", calls: 576, failedCalls: 288, costRounded: "90.00" },
          { key: "search", calls: 2880, failedCalls: 0, costRounded: "10.00" },
        ],
      },
    ]);
  });

  it("asks for every billing period of the bill with --trend, and for one not", async () => {
    const bill = [usage("dev", "100", "01"), inJune(usage("dev", "50", "01"))];
    const { exitCode, stdout, stderr } = await run(bill, "--trend", "--json");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const { environments, months } = unitCostTrendSchema.parse(JSON.parse(stdout));
    expect(environments[0]?.points).toMatchObject([
      { month: "2026-06", calls: 0, costPerMillionCalls: null, isUpperBound: true },
      { month: "2026-07", calls: 3456, costPerMillionCalls: "28935.19", changePercent: null },
    ]);
    expect(months.map(({ environments: [dev0] }) => dev0?.costRounded)).toEqual(["50.00", "100.00"]);
    const both = await run(bill, "--trend", "--month", "2026-07");
    expect(both).toMatchObject({ exitCode: 2, stdout: "" });
    expect(both.stderr).toContain("--month: is one billing period");
  });

  it("counts a tenant's calls for the team that the owners file gives it on each day", async () => {
    const bill = [usage("dev", "60", "01"), usage("dev", "40.123456789", "02")];
    const owners = write("owners.json", JSON.stringify(TENANTS));
    const { exitCode, stdout, stderr } = await run(bill, "--by", "team", "--owners", owners, "--json");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const unitCost = unitCostSchema.parse(JSON.parse(stdout));
    expect(unitCost.owners).toMatchObject({ name: "owners.json" });
    const [dev0] = unitCost.environments;
    // 288 scrapes a day: acme 576 calls and 864 s, globex 288 and 576, nobody 288 and 288.
    expect(dev0?.rows).toMatchObject([
      { key: "ads", calls: 576, toolSeconds: 1152 },
      { key: "Discovery", calls: 576, toolSeconds: 864 },
      { key: "search", calls: 576, toolSeconds: 864 },
      { key: "none", calls: 576, toolSeconds: 576 },
    ]);
    const sum = (texts: readonly string[]): string => formatDecimal(addDecimals(texts.map(parseDecimal)));
    expect(sum(dev0?.rows.map(({ cost }) => cost) ?? [])).toBe("100.123456789");
    expect(sum(dev0?.rows.map(({ costRounded }) => costRounded) ?? [])).toBe("100.12");
    expect(dev0?.calls).toBe(2304);
    expect(unitCost.notes[0]).toContain("the team that owners.json gives it that day");
    const asCounted = unitCostSchema.parse(JSON.parse((await run(bill, "--by", "team", "--json")).stdout));
    expect(asCounted.environments[0]?.rows.map(({ key, calls: own }) => [key, own])).toEqual([
      ["search", 1152],
      ["ads", 576],
      ["none", 576],
    ]);
    const byTool = await run(bill, "--owners", owners);
    expect(byTool).toMatchObject({ exitCode: 2, stdout: "" });
    expect(byTool.stderr).toContain(
      "--owners: says which team a tenant is of, not which tool: give --by team",
    );
  });

  it("opens the bill once for --trend; each month is what --month gives, one in another currency none", async () => {
    const inMay = (row: CurRow): CurRow => {
      const june = Object.entries(inJune(row).columns);
      const columns = june.map(([name, value]) => [
        name,
        value.replace(/^2026-06/, "2026-05").replace(/^2026-07/, "2026-06"),
      ]);
      return { ...row, columns: { ...Object.fromEntries(columns), line_item_currency_code: "EUR" } };
    };
    const bill = [
      usage("dev", "0.0000000000016", "03"),
      usage("Dev", "100", "01"),
      usage("qa", "3", "01"),
      inJune(usage("dev", "50.0049", "09")),
      inJune(usage("dev", "-0.0000000000004", "30")),
      inMay(usage("dev", "7", "01")),
    ];
    const opened = vi.mocked(withSoundBill);
    opened.mockClear();
    const trend = await run(bill, "--trend", "--json");
    expect(trend).toMatchObject({ exitCode: 0, stderr: "" });
    expect(opened).toHaveBeenCalledTimes(1);
    const { months } = unitCostTrendSchema.parse(JSON.parse(trend.stdout));
    expect(months.map(({ month, chargeDays }) => [month, chargeDays])).toEqual([
      ["2026-06", { first: "2026-06-09", last: "2026-06-30" }],
      ["2026-07", { first: "2026-07-01", last: "2026-07-03" }],
    ]);
    expect(months.map(({ environments: [dev0] }) => dev0?.cost)).toEqual([
      "50.0048999999996",
      "100.0000000000016",
    ]);
    for (const month of months) {
      const alone = await run(bill, "--month", month.month, "--json");
      expect(JSON.parse(alone.stdout)).toEqual(month);
    }
    const several = await run(bill);
    expect(several).toMatchObject({ exitCode: 2, stdout: "" });
    expect(several.stderr).toContain(
      "--month: the bill has the billing periods 2026-06 to 2026-07: name one",
    );
    const inEuros = await run(bill, "--month", "2026-05");
    expect(inEuros.stderr).toContain("the bill is in EUR, the environments in USD: nothing is converted");
  });

  it("splits by another label, and bounds what it did not watch", async () => {
    const bill = [usage("dev", "50", "01"), usage("dev", "50", "02")];
    const { stdout } = await run(bill, "--by", "era", "--price-per-million", "40000");
    // The sample of midnight belongs to the second day.
    expect(stdout).toMatch(/^dev by era +calls +failed +cost +per million +margin +%$/m);
    expect(stdout).toMatch(/^modern +3,4\d\d +28\d +100\.00 /m);
    const nothing = await run([usage("dev", "50", "01"), usage("dev", "50", "09")]);
    expect(nothing.stdout).toMatch(/^total, at most /m);
    expect(nothing.stdout).toContain("on 2 of 9 days");
  });

  it("fails with 2 and every fault on names that are none, an unknown environment and no Prometheus", async () => {
    const bill = [usage("dev", "100", "01")];
    const wrong = ["--by", 'tool"}) or vector(1', "--histogram", "a b", "--price-per-million", "free"];
    const refused = await run(bill, ...wrong);
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    for (const option of ["--by", "--histogram", "--price-per-million"]) {
      expect(refused.stderr).toContain(`\n  ${option}: `);
    }
    expect(await run(bill, "--env", "nope")).toMatchObject({ exitCode: 2, stdout: "" });
    expect(await run(bill, "--usage", "http://127.0.0.1:9")).toMatchObject({ exitCode: 2, stdout: "" });
  });
});
