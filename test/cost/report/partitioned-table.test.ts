import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { generateMonth } from "../../../cost/generate/generate-month.ts";
import { QueryError } from "../../../cost/report/in-place/query-engine.ts";
import { readTableParts } from "../../../cost/report/in-place/table-partitions.ts";
import { AthenaDouble } from "../../helpers/athena-double.ts";
import { DuckDBTables, engineWordFor } from "../../helpers/duckdb-tables.ts";
import { TrinoDouble } from "../../helpers/trino-double.ts";
import { costCommand, type Outcome } from "../cost-command.ts";
import { withoutProgress } from "./without-progress.ts";

const ROWS = 1500;
const KINDS = ["cur2", "focus-1.2"] as const;
const MONTHS = ["2026-06", "2026-07"] as const;

/** A sound FOCUS line of a month, of which a test changes what it is about. */
function line(month: string, changed: Readonly<Record<string, string>> = {}): string {
  const columns = {
    BilledCost: "'1.50'",
    EffectiveCost: "'1.25'",
    BillingCurrency: "'USD'",
    BillingPeriodStart: `'${month}-01T00:00:00Z'`,
    BillingPeriodEnd: `'${month}-28T00:00:00Z'`,
    ChargePeriodStart: `'${month}-02T00:00:00Z'`,
    ChargePeriodEnd: `'${month}-03T00:00:00Z'`,
    ChargeCategory: "'Usage'",
    ServiceName: "'Compute'",
    Tags: "map {'team': 'search'}",
    ...changed,
  };
  return `select ${Object.entries(columns)
    .map(([name, value]) => `${value} as ${name}`)
    .join(", ")}`;
}

const folder = mkdtempSync(path.join(tmpdir(), "bedplate-partitions-"));
let tables: DuckDBTables;
let trino: TrinoDouble;
let athena: AthenaDouble;

beforeAll(async () => {
  tables = await DuckDBTables.open("hive", "bill");
  for (const name of ["billing_period", "year", "month", "account", "left_half", "right_half"]) {
    tables.partitionBy(name);
  }
  for (const kind of KINDS) {
    const selects: string[] = [];
    for (const [index, month] of MONTHS.entries()) {
      const out = path.join(folder, kind, month);
      await generateMonth({
        kind,
        format: "parquet",
        rows: ROWS,
        seed: 5 + index,
        month,
        deliveries: 1,
        out,
      });
      const file = readdirSync(out, { recursive: true, encoding: "utf8" }).find((name) =>
        name.endsWith(".parquet"),
      );
      selects.push(
        `select *, '${month}' as billing_period from read_parquet('${path.join(out, file ?? "")}', hive_partitioning = false)`,
      );
    }
    await tables.create(kind.replaceAll(/\W/g, "_"), selects.join(" union all "));
  }
  trino = await TrinoDouble.start((sql) => tables.answer(sql));
  athena = await AthenaDouble.start((sql) => tables.answer(sql));
});

afterAll(async () => {
  await trino.stop();
  await athena.stop();
  tables.close();
  rmSync(folder, { recursive: true, force: true });
});

afterEach(() => {
  trino.asked.length = 0;
  athena.started.length = 0;
  vi.unstubAllEnvs();
});

async function reportOn(input: string, ...more: string[]): Promise<Outcome> {
  return await costCommand("stacks", "report", "--input", input, "--json", ...more);
}

interface Said {
  readonly source: { readonly lines: number; readonly sha256: string };
  readonly notes: readonly string[];
  readonly currencies: readonly { readonly balance: { readonly bill: { readonly billed: string } } }[];
}

function saidIn({ stdout, stderr, exitCode }: Outcome): Said {
  expect([exitCode, withoutProgress(stderr)]).toEqual([0, ""]);
  return JSON.parse(stdout) as Said;
}

function moneyOf(outcome: Outcome): unknown {
  const { source: _source, notes: _notes, ...report } = saidIn(outcome);
  return report;
}

describe.each(["trino", "athena"] as const)("a month of a partitioned table of %s (a double)", (engine) => {
  const at = (table: string): string => {
    if (engine === "trino") return `trino://bi@${trino.host}/hive/bill/${table}`;
    for (const [name, value] of Object.entries(athena.env)) vi.stubEnv(name, value);
    return `athena://finance/bill/${table}?catalog=hive`;
  };
  const asked = (): string[] =>
    engine === "trino"
      ? trino.asked.map(({ sql }) => sql)
      : athena.started.map(({ QueryString = "" }) => QueryString);
  /** Queries that read the table, but for those that find out what is where. */
  const reading = (): string[] =>
    asked().filter((sql) => !sql.includes("information_schema") && !sql.includes("as line_count"));

  it.each(KINDS)(
    "is read from its partition alone, to the last digit of the month's files: %s",
    async (kind) => {
      const table = await reportOn(at(kind.replaceAll(/\W/g, "_")), "--month", "2026-07");
      const queries = reading();
      const files = await reportOn(path.join(folder, kind, "2026-07"), "--month", "2026-07");
      expect(moneyOf(table)).toEqual(moneyOf(files));
      const { source, notes } = saidIn(table);
      expect(source.lines).toBe(ROWS);
      expect(notes).toContain(
        "1 of the table's 2 partitions (by billing_period) have lines of 2026-07: the others were not read, and their rows not checked",
      );
      expect(queries.length).toBeGreaterThan(5);
      expect(queries.filter((sql) => !sql.includes(`where ("billing_period" in ('2026-07'))`))).toEqual([]);
    },
  );

  it("does not look at another partition's rows, and does at all of them without a month", async () => {
    const odd = line("2026-06", { BilledCost: "'1,5'" });
    await tables.create(
      "odd",
      `select *, '2026-06' as billing_period from (${odd}) union all select *, '2026-07' from (${line("2026-07")})`,
    );
    expect(saidIn(await reportOn(at("odd"), "--month", "2026-07")).currencies[0]?.balance.bill.billed).toBe(
      "1.5",
    );
    const { exitCode, stderr } = await reportOn(at("odd"));
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringContaining("BilledCost: no decimal number in 1 row"),
    ]);
  });

  it("is found by the year and month of a legacy report's table, and by numbers", async () => {
    const parts = [
      ["2025-07", "'2025'", 7],
      ["2026-06", "'2026'", 6],
      ["2026-07", "'2026'", 7],
    ] as const;
    await tables.create(
      "legacy",
      parts
        .map(([month, year, number]) => `select *, ${year} as year, ${number} as month from (${line(month)})`)
        .join(" union all "),
    );
    const { source } = saidIn(await reportOn(at("legacy"), "--month", "2026-07"));
    expect(source.lines).toBe(1);
    expect(reading()[0]).toContain(`where ("year" in ('2026')) and ("month" in (cast('7' as integer)))`);
  });

  it("never loses lines that are in another month's partition, or in one without a name", async () => {
    const july = line("2026-07");
    const select = (sql: string, period: string): string =>
      `select *, ${period} as billing_period from (${sql})`;
    await tables.create(
      "misplaced",
      [
        select(july, "'2026-07'"),
        select(july, "'2026-08'"),
        select(july, "cast(null as varchar)"),
        select(line("2026-06"), "'2026-06'"),
      ].join(" union all "),
    );
    const { currencies, notes } = saidIn(await reportOn(at("misplaced"), "--month", "2026-07"));
    expect(currencies[0]?.balance.bill.billed).toBe("4.5");
    expect(notes.join("\n")).toContain("3 of the table's 4 partitions (by billing_period)");
  });

  it("is refused with a line that names no month, wherever it is", async () => {
    const broken = line("2026-06", { BillingPeriodStart: "cast(null as varchar)" });
    await tables.create(
      "broken",
      `select *, '2026-06' as billing_period from (${broken}) union all select *, '2026-07' from (${line("2026-07")})`,
    );
    const { exitCode, stderr } = await reportOn(at("broken"), "--month", "2026-07");
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("BillingPeriodStart: ")]);
  });

  it("is refused with the months that there are when the table has none of it", async () => {
    const { exitCode, stderr } = await reportOn(at("cur2"), "--month", "2026-09");
    expect(exitCode).toBe(2);
    expect(stderr).toContain("/bill/cur2 has billing periods 2026-06, 2026-07, not 2026-09");
    expect(reading()).toEqual([]);
  });

  it("is read as before where no partition is without it, under the same sha256", async () => {
    await tables.create(
      "by_account",
      `select *, 1 as account from (${line("2026-07")}) union all select *, 2 from (${line("2026-07")})`,
    );
    const month = saidIn(await reportOn(at("by_account"), "--month", "2026-07"));
    expect(reading().filter((sql) => sql.includes('where ("'))).toEqual([]);
    expect(month.source).toEqual(saidIn(await reportOn(at("by_account"))).source);
    expect(month.notes.join("\n")).not.toContain("partitions");
  });

  it("says on stderr what a query does that takes over 2 s, and nothing of others", async () => {
    const clock = vi.spyOn(performance, "now").mockReturnValue(0);
    const quick = await reportOn(at("by_account"));
    let millis = 0;
    clock.mockImplementation(() => (millis += 3000));
    const { stderr, exitCode } = await reportOn(at("by_account")).finally(() => clock.mockRestore());
    expect(quick.stderr).toBe("");
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(
      engine === "trino"
        ? /^bedplate: trino:\/\/127\.0\.0\.1:\d+\/hive\/bill\/by_account: query \d{8}_\w+ RUNNING, 37 %, 1200 rows, 0\.1 MB read$/m
        : /^bedplate: athena:\/\/finance\/bill\/by_account: query [-0-9]{36} QUEUED, 4\.5 MB read$/m,
    );
  });
});

describe("readTableParts()", () => {
  it("has a condition that is true for every line of the month, however lines lie in partitions", async () => {
    const engine = {
      source: "double",
      rows: async (sql: string) => {
        const { rows } = await tables.answer(sql).catch((error: unknown) => {
          throw new QueryError("double", engineWordFor(error), String(error));
        });
        return rows;
      },
      close: async () => undefined,
    };
    const from = "hive.bill.scattered";
    const half = fc.constantFrom("'a'", "'b'", "'it''s'", "null");
    const month = fc.constantFrom("'2026-06'", "'2026-07'", "'2026-08'", "null", "'soon'");
    const lines = fc.array(fc.tuple(half, half, month), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(lines, async (scattered) => {
        const values = [["'a'", "'a'", "'2026-07'"], ...scattered].map((row) => `(${row.join(", ")})`);
        await tables.create(
          "scattered",
          `select cast(l as varchar) as left_half, cast(r as varchar) as right_half, cast(m as varchar) as billed_in
           from (values ${values.join(", ")}) as t(l, r, m)`,
        );
        const { where, lines: read } = await readTableParts(engine, {
          from,
          month: "2026-07",
          monthSql: "billed_in",
          partitionColumns: ["left_half", "right_half"].map((name) => ({ name, type: "varchar" })),
        });
        const isLost = `not coalesce(${where ?? "true"}, false)`;
        const [row] = await engine.rows(
          `select count(*) filter (where ${isLost} and coalesce(billed_in in ('2026-07', 'soon'), true)) as lost,
                  count(*) filter (where not ${isLost}) as read from ${from}`,
        );
        expect(row).toEqual({ lost: "0", read: String(read) });
      }),
      { numRuns: 60 },
    );
  });
});
