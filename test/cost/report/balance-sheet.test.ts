import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addAmounts } from "../../../cost/allocation/placed-line.ts";
import {
  type ExactDecimal,
  parseDecimal,
  subtractDecimals,
  ZERO,
} from "../../../cost/money/exact-decimal.ts";
import {
  balanceSheetOf,
  type ExactBill,
  type ExactRow,
  minorDigitsOf,
  roundRows,
} from "../../../cost/report/balance-sheet.ts";
import { isBalanced } from "../../../cost/report/build-cost-report.ts";
import { BUCKETS, type CostReport } from "../../../cost/report/cost-report.ts";
import { renderTable } from "../../../cost/report/render-table.ts";
import { csvField } from "../../../cost/report/render-csv.ts";
import { cellText } from "../../../cost/report/render-table.ts";
import { foldTagKey, spellingsOf } from "../../../cost/report/tag-spelling.ts";

const NO_MONEY = { billed: ZERO, effective: ZERO, list: ZERO };

function row(bucket: ExactRow["bucket"], owner: string | null, billed: string, effective = billed): ExactRow {
  return {
    bucket,
    owner,
    because: owner === null ? "no-tags" : null,
    lines: 1,
    unlistedLines: 0,
    billed: parseDecimal(billed),
    effective: parseDecimal(effective),
    list: parseDecimal(billed),
    allocated: NO_MONEY,
  };
}

function billOf(rows: readonly ExactRow[]): ExactBill {
  return { lines: rows.length, unlistedLines: 0, ...addAmounts(rows) };
}

const ROWS = [
  row("owner", "a", "0.004"),
  row("owner", "b", "0.004"),
  row("untagged", null, "-0.0031", "12.5"),
];

describe("balanceSheetOf()", () => {
  it("closes whatever the rows are, and no part is off by a whole cent", () => {
    const money = fc
      .record({
        units: fc.bigInt({ min: -99_999_999n, max: 99_999_999n }),
        scale: fc.integer({ min: 0, max: 12 }),
      })
      .map((value): ExactDecimal => value);
    const anyRow = fc.record({
      bucket: fc.constantFrom(...BUCKETS),
      owner: fc.constantFrom("a", "b", "c"),
      because: fc.constant(null),
      lines: fc.integer({ min: 1, max: 9 }),
      unlistedLines: fc.constant(0),
      billed: money,
      effective: money,
      list: money,
      allocated: fc.constant(NO_MONEY),
    });
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 1, maxLength: 40 }), (rows) => {
        const bill = { ...billOf(rows), lines: rows.reduce((sum, { lines }) => sum + lines, 0) };
        const sheet = balanceSheetOf(bill, roundRows(rows, 2), 2);
        expect(sheet.balanced).toBe(true);
        expect(sheet.difference).toEqual({
          billed: "0",
          effective: "0",
          list: "0",
          billedRounded: "0.00",
          effectiveRounded: "0.00",
          listRounded: "0.00",
        });
        for (const part of [sheet.owners, sheet.shared, sheet.idle, sheet.untagged, sheet.taxAndCredit]) {
          const moved = subtractDecimals(parseDecimal(part.billed), parseDecimal(part.billedRounded));
          expect(moved.units < 0n ? -moved.units : moved.units).toBeLessThan(
            10n ** BigInt(moved.scale) / 100n,
          );
        }
      }),
    );
  });

  it("shows what is missing, never forces it to fit", () => {
    const sheet = balanceSheetOf(billOf(ROWS), roundRows(ROWS.slice(1), 2), 2);
    expect(sheet.balanced).toBe(false);
    expect(sheet.difference.billed).toBe("0.004");
    expect(sheet.lines).toEqual({ bill: 3, parts: 2 });
  });

  it("fails on a line that is there twice though it costs nothing", () => {
    const free = [...ROWS, row("owner", "a", "0")];
    const sheet = balanceSheetOf(billOf(ROWS), roundRows(free, 2), 2);
    expect(sheet.difference.billed).toBe("0");
    expect(sheet.balanced).toBe(false);
  });

  it("makes the report fail and the table say so", () => {
    const rows = [...roundRows(ROWS.slice(1), 2)];
    const report: CostReport = {
      apiVersion: "bedplate/v1",
      kind: "CostReport",
      source: {
        name: "b.csv",
        sha256: "0".repeat(64),
        bytes: 1,
        files: [{ name: "bill.csv", sha256: "0".repeat(64), bytes: 1, format: "csv", lines: 1 }],
        standard: "FOCUS",
        version: "1.0",
        lines: 3,
      },
      by: "team",
      tagKey: "team",
      spellings: [],
      plural: "teams",
      month: null,
      owners: null,
      allocation: null,
      currencies: [
        {
          currency: "USD",
          minorDigits: 2,
          billingMonths: { first: "2026-07", last: "2026-07" },
          chargeDays: { first: "2026-07-01", last: "2026-07-31" },
          rows,
          balance: balanceSheetOf(billOf(ROWS), rows, 2),
          coverage: { billedPercent: null, effectivePercent: null },
          allocations: [],
          commitments: [],
          nodes: [],
          lines: [],
          resources: null,
          days: null,
        },
      ],
      notes: [],
    };
    expect(isBalanced(report)).toBe(false);
    expect(renderTable(report)).toContain(
      "THE BALANCE SHEET DOES NOT CLOSE: 3 lines in the bill, 2 in its parts.",
    );
  });
});

describe("minorDigitsOf()", () => {
  it("knows currencies without cents and with more", () => {
    expect(["USD", "JPY", "BHD"].map(minorDigitsOf)).toEqual([2, 0, 3]);
  });
});

describe("foldTagKey() and spellingsOf()", () => {
  it("fold how providers write one key", () => {
    const spellings = [
      "team",
      "Team",
      " team ",
      "user:team",
      "user_team",
      "resourceTags/team",
      "resourceTags/user:team",
    ];
    for (const spelling of [...spellings, "resource_tags_user_team", "tags/team"]) {
      expect(foldTagKey(spelling), spelling).toBe("team");
    }
    for (const spelling of ["cost-center", "CostCenter", "cost_center", "user:Cost Center"]) {
      expect(foldTagKey(spelling), spelling).toBe("costcenter");
    }
    expect(foldTagKey("aws:createdBy")).not.toBe(foldTagKey("createdBy"));
    expect(foldTagKey("teams")).not.toBe("team");
  });

  it("ask for the key as it was given first, then by name", () => {
    expect(spellingsOf("team", ["user:team", "Team", "owner", "team"])).toEqual([
      "team",
      "Team",
      "user:team",
    ]);
    expect(spellingsOf("Team", ["team", "Team"])).toEqual(["Team", "team"]);
  });
});

describe("cellText() and csvField()", () => {
  it("let nothing of a tag value act on a terminal or break a file", () => {
    expect(cellText("a\u001b[31mb\u202Ec", 20)).toBe("a\uFFFD[31mb\uFFFDc");
    expect(cellText("abcdef", 4)).toBe("abc\u2026");
    expect(csvField('say "hi", now')).toBe('"say ""hi"", now"');
    expect(csvField("a\nb")).toBe('"a\nb"');
  });
});
