import path from "node:path";
import { parse as parseCsv } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { journalFaults } from "../../../cost/journal/build-journal.ts";
import { type Journal, journalSchema } from "../../../cost/journal/journal.ts";
import { costCommand, type Outcome } from "../cost-command.ts";
import { type FocusRow, focusCsv, focusRow } from "../report/focus-month.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

const write = scratchFolder();

const LEDGER =
  "ledger: { expenseAccount: '6540', payableAccount: '2100', prepaidAccount: '1300', centralCostCenter: CC-IT }";
const TEAMS = `apiVersion: bedplate/v1
kind: CostOwners
teams:
  - { team: search, costCenters: [{ costCenter: CC-1, until: 2026-07-11 }, { costCenter: CC-2, from: 2026-07-11 }] }
  - { team: payments, costCenters: [{ costCenter: CC-3 }] }
`;
const owners = write("owners.yaml", `${TEAMS}${LEDGER}\n`);

function charge(team: string, billed: string, effective = billed, fields: Partial<FocusRow> = {}): FocusRow {
  return focusRow({
    BilledCost: billed,
    EffectiveCost: effective,
    Tags: JSON.stringify(team === "" ? {} : { team }),
    ...fields,
  });
}

const LATE = { ChargePeriodStart: "2026-07-20 00:00:00", ChargePeriodEnd: "2026-07-20 01:00:00" };
const ROWS = [
  charge("search", "10.005"),
  charge("search", "20.005", "30.005", LATE),
  charge("payments", "5.004", "7.004"),
  charge("", "1.006"),
  charge("", "-3.00", "-3.00", { ChargeCategory: "Credit", ResourceId: "NULL" }),
];

function journal(rows: readonly FocusRow[], ...args: string[]): Promise<Outcome> {
  const input = write("bill.csv", focusCsv(rows));
  return costCommand(path.dirname(input), "journal", "--input", input, "--owners", owners, ...args);
}

async function journalOf(rows: readonly FocusRow[], ...args: string[]): Promise<Journal> {
  const { stdout, stderr } = await journal(rows, "--json", ...args);
  expect(stderr).toBe("");
  return journalSchema.parse(JSON.parse(stdout));
}

/** Account, cost center and part with their cents, debit above 0, of all entries together. */
function booked(...journals: readonly Journal[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { currencies } of journals) {
    for (const { account, costCenter, part, debit, credit } of currencies.flatMap(({ entries }) =>
      entries.flatMap(({ lines }) => lines),
    )) {
      const key = `${account} ${costCenter ?? "-"} ${part}`;
      sums[key] = (sums[key] ?? 0) + Math.round((Number(debit) - Number(credit)) * 100);
    }
  }
  return Object.fromEntries(Object.entries(sums).filter(([, cents]) => cents !== 0));
}

describe("bedplate cost journal", () => {
  it("debits the cost centers of the owners file by date and credits the bill, to the cent", async () => {
    const first = await journalOf(ROWS);
    expect(booked(first)).toEqual({
      "6540 CC-1 owner": 1000,
      "6540 CC-2 owner": 3001,
      "6540 CC-3 owner": 700,
      "6540 CC-IT untagged": 101,
      "6540 CC-IT tax-and-credit": -300,
      "1300 - prepaid": -1200,
      "2100 - bill": -3302,
    });
    const [usd] = first.currencies;
    expect(usd?.entries.map(({ entryId, debits, credits }) => [entryId, debits, credits])).toEqual([
      ["2026-07-USD-1", "48.02", "48.02"],
    ]);
    expect(first.date).toBe("2026-07-31");
    expect(journalFaults(first)).toEqual([]);
  });

  it("needs no prepaid account where the bill itself is borne", async () => {
    const billed = await journalOf(ROWS, "--cost", "billed");
    expect(Object.keys(booked(billed))).not.toContain("1300 - prepaid");
    expect(booked(billed)["2100 - bill"]).toBe(-3302);
  });

  it("books a later delivery as a reversal and a posting that together are the new bill", async () => {
    const first = await journalOf(ROWS);
    const previous = write("first.json", JSON.stringify(first));
    const later = [
      ...ROWS,
      charge("payments", "2.50"),
      charge("search", "0.10", "0.10", { BillingCurrency: "EUR" }),
    ];
    const second = await journalOf(later, "--previous", previous);
    expect(second.supersedes).toBe(first.digest);
    expect(booked(first, second)).toEqual(booked(await journalOf(later)));
    const usd = second.currencies.find(({ currency }) => currency === "USD");
    expect(usd?.entries.map(({ entryId, type, reverses }) => [entryId, type, reverses])).toEqual([
      ["2026-07-USD-2", "reversal", "2026-07-USD-1"],
      ["2026-07-USD-3", "posting", null],
    ]);
    expect(usd?.changes.map(({ costCenter, change }) => [costCenter, change])).toEqual([
      ["CC-3", "2.50"],
      [null, "-2.50"],
    ]);
    const third = await journalOf(ROWS, "--previous", write("second.json", JSON.stringify(second)));
    expect(booked(first, second, third)).toEqual(booked(first));
    const eur = third.currencies.find(({ currency }) => currency === "EUR");
    expect(eur).toMatchObject({ standing: null, balance: null, entries: [{ type: "reversal" }] });
  });

  it("books nothing where nothing has changed, however often it is asked", async () => {
    const first = await journalOf(ROWS);
    const again = await journalOf(ROWS, "--previous", write("first.json", JSON.stringify(first)));
    expect(again.currencies.flatMap(({ entries }) => entries)).toEqual([]);
    const later = await journalOf(
      [...ROWS, charge("payments", "1")],
      "--previous",
      write("again.json", JSON.stringify(again)),
    );
    expect(later.currencies[0]?.entries.map(({ reverses }) => reverses)).toEqual(["2026-07-USD-1", null]);
  });

  it("prints the same entries as CSV, and tables of at most 100 columns", async () => {
    const { stdout } = await journal(ROWS, "--format", "csv");
    const rows: Record<string, string>[] = parseCsv(stdout, { columns: true, record_delimiter: "\r\n" });
    const first = await journalOf(ROWS);
    expect(rows.map((row) => [row["account"], row["cost_center"], row["debit"], row["credit"]])).toEqual(
      first.currencies[0]?.entries[0]?.lines.map((line) => [
        line.account,
        line.costCenter ?? "",
        line.debit,
        line.credit,
      ]),
    );
    expect(new Set(rows.map((row) => row["bill_sha256"]))).toEqual(new Set([first.source.sha256]));
    const table = await journal(ROWS);
    expect(table.stdout.split("\n").filter((line) => line.length > 100)).toEqual([]);
  });

  it("fails on a previous journal that was edited, or is of another month or kind of cost", async () => {
    const first = await journalOf(ROWS);
    const refuse = async (changed: object, ...args: string[]): Promise<string> => {
      const file = write("previous.json", JSON.stringify(changed));
      const outcome = await journal(ROWS, "--previous", file, ...args);
      expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
      return outcome.stderr;
    };
    expect(await refuse({ ...first, date: "2026-07-30" })).toContain("changed after it was written");
    expect(await refuse({ ...first, month: "2026-06" })).toMatch(/digest: [^]*month: is 2026-06/);
    expect(await refuse(first, "--cost", "billed")).toContain("cost: is effective");
    expect(await refuse({ kind: "ChargebackJournal" })).toContain("apiVersion");
  });

  it("fails without accounts, with every cost center that the owners file does not have", async () => {
    const input = write("bill.csv", focusCsv(ROWS));
    const run = (file: string): Promise<Outcome> =>
      costCommand(path.dirname(input), "journal", "--input", input, "--owners", file);
    expect((await run(write("no-ledger.yaml", TEAMS))).stderr).toContain("ledger: is missing");
    const noPrepaid = write("no-prepaid.yaml", `${TEAMS}${LEDGER.replace("prepaidAccount: '1300', ", "")}\n`);
    expect((await run(noPrepaid)).stderr).toContain("ledger.prepaidAccount: -12.00 USD");
    const strange = await journal([
      ...ROWS,
      focusRow({ BilledCost: "1", Tags: '{"cost-center": "CC-77"}' }),
      focusRow({ BilledCost: "1", Tags: '{"cost-center": "CC-78"}' }),
    ]);
    expect(strange).toMatchObject({ exitCode: 2, stdout: "" });
    expect(strange.stderr).toMatch(/2 faults[^]*"CC-77"[^]*"CC-78"/);
  });

  it("has debits that are credits and the bill, whatever is billed", async () => {
    const amount = fc
      .integer({ min: -2_000_000, max: 2_000_000 })
      .map((units) => (units / 10_000).toFixed(4));
    const row = fc.tuple(fc.constantFrom("search", "payments", ""), amount, amount);
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), async (rows) => {
        const made = await journalOf(
          rows.map(([team, billed, effective]) => charge(team, billed, effective)),
        );
        expect(journalFaults(made)).toEqual([]);
        const cents = Object.values(booked(made)).reduce((sum, one) => sum + one, 0);
        expect(cents).toBe(0);
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});

describe("journalFaults()", () => {
  it("finds debits that are not credits, a posting that is not the bill and a sheet that does not close", async () => {
    const first = await journalOf(ROWS);
    const change = (fields: Partial<Journal["currencies"][number]>): readonly string[] =>
      journalFaults({ ...first, currencies: first.currencies.map((one) => ({ ...one, ...fields })) });
    const [usd] = first.currencies;
    const [entry] = usd?.entries ?? [];
    if (usd === undefined || entry === undefined || usd.balance === null)
      throw new Error("there is one entry");
    expect(change({ entries: [{ ...entry, lines: entry.lines.slice(1) }] }).join()).toContain(
      "are not the same",
    );
    expect(change({ standing: { entryId: "x", lines: entry.lines.slice(1) } }).join()).toContain(
      "posted as owner",
    );
    expect(change({ balance: { ...usd.balance, balanced: false } }).join()).toContain("does not close");
  });
});
