import { appendFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { withBill } from "../../../cost/report/bill-file.ts";
import { buildCostReport } from "../../../cost/report/build-cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { type FocusRow, focusCsv, generateMonth } from "./focus-month.ts";
import { scratchFolder } from "./scratch-folder.ts";

const write = scratchFolder();
const { rows } = generateMonth(11, 40);

async function faultsOf(input: string, month?: string): Promise<string[]> {
  try {
    await buildCostReport({ input, key: reportKey("team", undefined), month });
  } catch (error) {
    if (error instanceof InputError) return error.faults.map((fault) => `${fault.path}: ${fault.message}`);
    throw error;
  }
  return [];
}

/** The generated month with some fields of some rows changed; the first row is 1. */
function changed(changes: Readonly<Record<number, Partial<FocusRow>>>): string {
  return focusCsv(rows.map((row, index) => ({ ...row, ...changes[index + 1] })));
}

describe("buildCostReport() refuses", () => {
  it("five faults in one go, each with its column, its rows and what they hold", async () => {
    const input = write(
      "five.csv",
      changed({
        3: { BilledCost: "$10.00" },
        4: { EffectiveCost: "" },
        5: { BillingCurrency: "Dollar" },
        9: { BilledCost: "1,5", ChargePeriodStart: "yesterday" },
        12: { Tags: '{"team": "a", "team": "b"}' },
      }),
    );
    expect(await faultsOf(input)).toEqual([
      'BilledCost: no decimal number in 2 rows: row 3 "$10.00", row 9 "1,5"',
      "EffectiveCost: no decimal number in 1 row: row 4 has no value",
      'BillingCurrency: no currency code as in USD in 1 row: row 5 "Dollar"',
      'ChargePeriodStart: no date and time in UTC in 1 row: row 9 "yesterday"',
      'Tags: no JSON object whose keys are there once in 1 row: row 12 "{\\"team\\": \\"a\\", \\"team\\": \\"b\\"}"',
    ]);
  });

  it("a header with the character NUL, which ends what DuckDB is asked", async () => {
    const input = write(
      "nul.csv",
      focusCsv(rows).replace("BilledCost", "Billed\0Cost").replace("Tags", "\0Tags"),
    );
    expect(await faultsOf(input)).toEqual([
      "line 1, column 1: its name holds the character NUL",
      "line 1, column 23: its name holds the character NUL",
    ]);
  });

  it("malformed lines and bad values together, with the row as it is in the file", async () => {
    const lines = changed({ 10: { ChargeCategory: "Usge" } }).split("\n");
    lines[2] = `${lines[2] ?? ""},one too many`;
    lines[5] = (lines[5] ?? "").split(",").slice(0, 6).join(",");
    expect(await faultsOf(write("ragged.csv", lines.join("\n")))).toEqual([
      "line 3: has 25 fields, the header has 24",
      "line 6: has 6 fields, the header has 24",
      'ChargeCategory: none of Usage, Purchase, Tax, Credit, Adjustment in 1 row: row 10 "Usge"',
    ]);
  });

  it("every missing column at once", async () => {
    const text = focusCsv(rows).replace('"BilledCost"', '"Billed"').replace('"Tags"', '"Labels"');
    expect(await faultsOf(write("columns.csv", text))).toEqual([
      "BilledCost: the column is missing",
      "Tags: the column is missing",
    ]);
  });

  it("columns that are there twice", async () => {
    const text = focusCsv(rows).replace('"ListCost"', '"billedcost"');
    expect(await faultsOf(write("twice.csv", text))).toEqual([
      "BilledCost: the header has this column 2 times",
    ]);
  });

  it("periods that end before they begin, and statuses that the standard lacks", async () => {
    const input = write(
      "periods.csv",
      changed({
        1: { ChargePeriodEnd: "2026-06-01 00:00:00" },
        2: { BillingPeriodEnd: "2026-07-01 00:00:00" },
        3: { CommitmentDiscountStatus: "unused" },
        4: { ChargePeriodStart: "2026-07-01T00:00:00+02:00" },
      }),
    );
    expect(await faultsOf(input)).toEqual([
      'ChargePeriodStart: no date and time in UTC in 1 row: row 4 "2026-07-01T00:00:00+02:00"',
      'BillingPeriodEnd: a billing period that ends before it begins in 1 row: row 2 "2026-07-01 00:00:00"',
      'ChargePeriodEnd: a charge period that ends before it begins in 1 row: row 1 "2026-06-01 00:00:00"',
      'CommitmentDiscountStatus: neither Used nor Unused in 1 row: row 3 "unused"',
    ]);
  });

  it("amounts that no decimal holds exactly", async () => {
    const input = write("wide.csv", changed({ 1: { BilledCost: "1e25" }, 2: { BilledCost: "1e-20" } }));
    expect(await faultsOf(input)).toEqual([
      "BilledCost, EffectiveCost, ListCost: exact sums need 48 digits (20 after the point), a decimal has 38",
    ]);
  });

  it("a month that the file does not have", async () => {
    expect(await faultsOf(write("month.csv", focusCsv(rows)), "2026-06")).toEqual([
      expect.stringMatching(/^--month: .*month\.csv has billing periods 2026-07, not 2026-06$/),
    ]);
  });

  it.each([
    ["nothing", "", "is empty"],
    ["blanks", " \n\n", "is empty"],
    ["a header alone", focusCsv([]), "has a header and no rows"],
    ["a list of names", "name,age\nAda,36\n", "is no FOCUS bill: none of its columns is one (name, age)"],
    [
      "an Azure export",
      "costInBillingCurrency,date\n1,2026-07-01\n",
      "is an Azure cost export; give its export as FOCUS",
    ],
    [
      "an Azure export of an enterprise agreement",
      "BillingAccountId,MeterCategory,Cost,BillingCurrency,Tags\n1,Storage,1,USD,\n",
      "is an Azure cost export; give its export as FOCUS",
    ],
    ["an open quote in the header", '"BilledCost,EffectiveCost\n1,2\n', "the header's quotes do not close"],
  ])("%s", async (name, text, message) => {
    const [fault, ...others] = await faultsOf(write(`${name}.csv`, text));
    expect(fault).toContain(message);
    expect(others).toEqual([]);
  });

  it("a file that was cut short anywhere, plain or packed", async () => {
    const text = focusCsv(rows);
    const packed = gzipSync(text);
    for (const share of [0.1, 0.5, 0.9]) {
      const at = text.indexOf(",", Math.floor(text.length * share));
      for (const length of [at, at + 1, at - 1]) {
        expect(await faultsOf(write("cut.csv", text.slice(0, length))), `plain, ${length}`).not.toEqual([]);
      }
      const cutPacked = write("cut.csv.gz", packed.subarray(0, Math.floor(packed.length * share)));
      expect(await faultsOf(cutPacked)).toEqual([
        expect.stringContaining("is gzip that is cut short or damaged"),
      ]);
    }
    // DuckDB itself takes these two without a word.
    expect(await faultsOf(write("no-end.csv.gz", packed.subarray(0, -8)))).toHaveLength(1);
    const flipped = Buffer.from(packed);
    flipped.writeUInt8(flipped.readUInt8(flipped.length - 6) ^ 1, flipped.length - 6);
    expect(await faultsOf(write("flipped.csv.gz", flipped))).toEqual([
      expect.stringContaining("incorrect data check"),
    ]);
  });

  it("an amount in the last column that may have been cut", async () => {
    const whole = focusCsv(rows.map((row) => ({ ...row, x_Operation: "12.34" })))
      .replace('"BilledCost"', '"x_First"')
      .replace('"x_Operation"', '"BilledCost"');
    expect(await faultsOf(write("last.csv", whole))).toEqual([]);
    expect(await faultsOf(write("last-cut.csv", whole.slice(0, -2)))).toEqual([
      expect.stringContaining("the last line does not end"),
    ]);
  });

  it("a quote that never closes, by its line", async () => {
    const lines = focusCsv(rows).split("\n");
    lines[20] = (lines[20] ?? "").replace('"USD"', '"USD').replace('"EUR"', '"EUR');
    const faults = await faultsOf(write("quote.csv", lines.join("\n")));
    expect(faults[0]).toMatch(/^line \d+: /);
  });

  it("a bill of Windows with a line that was added elsewhere", async () => {
    const bill = focusCsv(rows)
      .replace(/"[^"\n]*"\n$/, "last")
      .replaceAll("\n", "\r\n");
    expect(await faultsOf(write("windows.csv", `${bill}\r\n`))).toEqual([]);
    expect(await faultsOf(write("mixed.csv", `${bill}\n`))).toEqual([
      String.raw`: some lines end with \r\n and others with \n: write all with one of them`,
    ]);
  });

  it("a file that is still being written", async () => {
    const growing = write("growing.csv", focusCsv(rows));
    const reading = withBill(growing, async () => {
      await appendFile(growing, "one more line\n");
    });
    await expect(reading).rejects.toThrow("changed while it was read");
  });

  it("nothing about a name that looks like a pattern, and reads that file alone", async () => {
    for (const name of ["bill[1].csv", "bill*.csv", "bill{a,b}.csv"]) {
      expect(await faultsOf(write(name, focusCsv(rows))), name).toEqual([]);
    }
  });

  it("a folder without a bill, and a file that is not there", async () => {
    expect(await faultsOf(import.meta.dirname)).toEqual([
      ": the folder has no file that ends in .csv, .csv.gz, .gz or .parquet",
    ]);
    expect(await faultsOf("/nonexistent/bill.csv")).toEqual([": there is no such file"]);
  });

  it("Parquet that was cut short, or whose columns are of no fitting type", async () => {
    const target = write("typed.parquet", "");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const source = write("source.csv", focusCsv(rows));
    await connection.run(
      `copy (select * replace ([BilledCost] as BilledCost) from read_csv('${source}', all_varchar = true)) to '${target}' (format parquet)`,
    );
    instance.closeSync();
    expect(await faultsOf(target)).toEqual([
      "BilledCost: is of type VARCHAR[], which is none that a bill gives it",
    ]);
    expect(await faultsOf(write("cut.parquet", "PAR1 and then nothing more"))).toEqual([
      ": is a Parquet file that ends too early: its footer is missing",
    ]);
    expect(await faultsOf(write("hollow.parquet", "PAR1xxxxPAR1"))).toEqual([
      expect.stringContaining(": Cannot read: "),
    ]);
  });

  it("rows that were split from other rows, which would count twice", async () => {
    const text = focusCsv(rows).replace('"InvoiceId"', '"AllocatedMethodId"');
    expect(await faultsOf(write("allocated.csv", text))).toEqual([
      expect.stringContaining(
        "AllocatedMethodId: amounts split from other rows (FOCUS 1.3), which would count twice, in 40 rows",
      ),
    ]);
  });
});

describe("reportKey()", () => {
  it.each([
    ["nobody", undefined, '--by: "nobody" is none of team, cost-center'],
    ["account", "team", '--tag-key: "account" is a column of the bill, not a tag'],
    ["team", " ", "--tag-key: the key is empty"],
    ["toString", undefined, '--by: "toString" is none of'],
  ])("fails on %s with tag key %s", (by, tagKey, message) => {
    expect(() => reportKey(by, tagKey)).toThrow(message);
  });
});
