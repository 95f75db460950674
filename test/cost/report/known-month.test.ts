import path from "node:path";
import { gzipSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { formatDecimal } from "../../../cost/money/exact-decimal.ts";
import { buildCostReport, isBalanced } from "../../../cost/report/build-cost-report.ts";
import { type CostReport, costReportSchema } from "../../../cost/report/cost-report.ts";
import { renderCsv } from "../../../cost/report/render-csv.ts";
import { renderTable } from "../../../cost/report/render-table.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { type Answer, FOCUS_COLUMNS, focusCsv, GENERATED_SCALE, generateMonth } from "./focus-month.ts";
import { scratchFolder } from "./scratch-folder.ts";

const GOLDEN = path.resolve(import.meta.dirname, "../../golden/cost");
const TEAM = reportKey("team", undefined);

const write = scratchFolder();
const month = generateMonth(7, 400);
const csv = write("month.csv", focusCsv(month.rows));

async function report(input: string, by = "team"): Promise<CostReport> {
  const built = await buildCostReport({ input, key: reportKey(by, undefined), sharedOwners: ["Platform"] });
  expect(costReportSchema.parse(built)).toEqual(built);
  expect(isBalanced(built)).toBe(true);
  return built;
}

/** Answers and report in one shape, in one order. */
function comparable(
  rows: readonly (Omit<Answer, "billed" | "effective"> & { billed: string; effective: string })[],
) {
  return rows
    .map(({ currency, bucket, owner, because, lines, billed, effective }) =>
      [currency, bucket, owner, because, lines, billed, effective].join(" | "),
    )
    .toSorted((a, b) => (a < b ? -1 : 1));
}

const expected = comparable(
  month.answers.map((answer) => ({
    ...answer,
    billed: formatDecimal({ units: answer.billed, scale: GENERATED_SCALE }),
    effective: formatDecimal({ units: answer.effective, scale: GENERATED_SCALE }),
  })),
);

function rowsOf(built: CostReport) {
  return comparable(
    built.currencies.flatMap(({ currency, rows }) => rows.map((row) => ({ ...row, currency }))),
  );
}

describe("buildCostReport() on a generated month", () => {
  it("gives every bucket, owner and reason its known amount, to the last of 15 digits", async () => {
    const built = await report(csv);
    expect(built.source).toMatchObject({
      standard: "FOCUS",
      version: "1.2",
      lines: 400,
      files: [{ format: "csv" }],
    });
    expect(rowsOf(built)).toEqual(expected);
    expect(new Set(built.currencies[1]?.rows.map((row) => row.bucket))).toEqual(
      new Set(["owner", "shared", "idle", "unused-commitment", "tax-and-credit", "untagged"]),
    );
  });

  it("reports currencies apart, and reads tag and owner spellings as one, and says so", async () => {
    const built = await report(csv);
    expect(built.currencies.map((currency) => currency.currency)).toEqual(["EUR", "USD"]);
    expect(built.spellings.map(({ spelling }) => spelling)).toEqual([
      "team",
      " team",
      "Team",
      "resourceTags/team",
      "user:team",
      "user_team",
    ]);
    expect(built.notes.join("\n")).toContain(
      '"payments" is also written "Payments", "PAYMENTS": added as one',
    );
    expect(built.notes.join("\n")).toContain("EUR and USD: reported apart, never added");
    expect(built.notes.join("\n")).toMatch(/\d+ lines with the tag under two spellings and two values/);
  });

  it("adds rounded rows up to the rounded bill, and each part of the balance sheet within a cent", async () => {
    const built = await report(csv);
    for (const { balance } of built.currencies) {
      for (const money of [
        balance.owners,
        balance.shared,
        balance.idle,
        balance.untagged,
        balance.taxAndCredit,
      ]) {
        expect(Math.abs(Number(money.billed) - Number(money.billedRounded))).toBeLessThan(0.01);
        expect(Math.abs(Number(money.effective) - Number(money.effectiveRounded))).toBeLessThan(0.01);
      }
      expect(Math.abs(Number(balance.bill.billed) - Number(balance.bill.billedRounded))).toBeLessThanOrEqual(
        0.005,
      );
    }
  });

  it("splits by columns of the bill too, with the same total", async () => {
    const byTeam = await report(csv);
    for (const by of ["account", "provider", "provider-service", "region"]) {
      const built = await report(csv, by);
      expect(built.currencies.map(({ balance }) => balance.bill)).toEqual(
        byTeam.currencies.map(({ balance }) => balance.bill),
      );
    }
    const [, usd] = (await report(csv, "account")).currencies;
    expect(usd?.rows.filter((row) => row.bucket === "owner").map((row) => row.owner)).toHaveLength(4);
  });

  it("gives the same for CRLF, a byte order mark, gzip, other column order and lower-case names", async () => {
    const plain = await report(csv);
    const text = focusCsv(month.rows);
    const reversed = FOCUS_COLUMNS.toReversed();
    const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`;
    const variants = {
      "crlf.csv": focusCsv(month.rows, "\r\n"),
      "bom.csv": `\uFEFF${text}`,
      "no-last-newline.csv": text.trimEnd(),
      "month.csv.gz": gzipSync(text),
      "two-members.csv.gz": Buffer.concat([gzipSync(text.slice(0, 40_000)), gzipSync(text.slice(40_000))]),
      "reversed.csv": [
        reversed.map((column) => column.toLowerCase()).join(","),
        ...month.rows.map((row) => reversed.map((column) => quoted(row[column])).join(",")),
      ].join("\n"),
    };
    for (const [name, content] of Object.entries(variants)) {
      const built = await report(write(name, content));
      expect(built.currencies, name).toEqual(plain.currencies);
      expect(built.notes, name).toEqual(plain.notes);
    }
  });

  it("is the same to the byte on repeat and with 1 or 2 threads", async () => {
    const texts = new Set<string>();
    for (const threads of [1, 2, 1, 2]) {
      texts.add(JSON.stringify(await buildCostReport({ input: csv, key: TEAM, threads })));
    }
    expect(texts.size).toBe(1);
  });

  it("reads as the golden table and CSV", async () => {
    const built = await report(csv);
    const table = renderTable(built);
    expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    await expect(table).toMatchFileSnapshot(path.join(GOLDEN, "generated-month.txt"));
    await expect(renderCsv(built)).toMatchFileSnapshot(path.join(GOLDEN, "generated-month.csv"));
  });
});

describe("buildCostReport() on Parquet", () => {
  /** The CSV as Parquet, as DuckDB writes it, with `select` over its columns. */
  async function parquet(name: string, select: string): Promise<string> {
    const target = write(name, "");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run("set TimeZone = 'UTC'");
    await connection.run(
      `copy (select ${select} from read_csv('${csv}', all_varchar = true, nullstr = 'NULL')) to '${target}' (format parquet)`,
    );
    instance.closeSync();
    return target;
  }

  it("gives the same as from the CSV file: typed columns, tags as a map, lists of text", async () => {
    const fromCsv = await report(csv);
    const typed = await parquet(
      "typed.parquet",
      `* replace (
         cast(BilledCost as decimal(38, 15)) as BilledCost,
         cast(EffectiveCost as decimal(38, 15)) as EffectiveCost,
         cast(BillingPeriodStart as timestamp) as BillingPeriodStart,
         cast(ChargePeriodStart as timestamptz) as ChargePeriodStart,
         cast(BillingPeriodEnd as date) as BillingPeriodEnd,
         cast(cast(nullif(Tags, '') as json) as map(varchar, varchar)) as Tags)`,
    );
    const text = await parquet("text.parquet", "*");
    for (const file of [typed, text]) {
      const built = await report(file);
      expect(built.source.files[0]?.format).toBe("parquet");
      expect(built.currencies).toEqual(fromCsv.currencies);
      expect(built.notes).toEqual(fromCsv.notes);
    }
  });

  it("reads the shortest digits of a float, and adds them without one", async () => {
    const floats = await parquet(
      "floats.parquet",
      "* replace (cast('0.1' as double) as BilledCost, cast('1e-7' as double) as EffectiveCost)",
    );
    const [, usd] = (await report(floats)).currencies;
    const lines = usd?.balance.lines.bill ?? 0;
    expect(usd?.balance.bill.billed).toBe(formatDecimal({ units: BigInt(lines), scale: 1 }));
    expect(usd?.balance.bill.effective).toBe(formatDecimal({ units: BigInt(lines), scale: 7 }));
  });
});
