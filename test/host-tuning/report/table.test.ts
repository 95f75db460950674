import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAGE_COLUMNS, printable, renderTable, wrap } from "../../../host-tuning/report/table.ts";

describe("wrap()", () => {
  it("breaks between words, and a long word at its punctuation", () => {
    expect(wrap("one two three", 8)).toEqual(["one two", "three"]);
    expect(wrap("net.ipv4.tcp_slow_start_after_idle", 20)).toEqual([
      "net.ipv4.tcp_slow_",
      "start_after_idle",
    ]);
  });

  it("never makes a line too long nor loses a character", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z./_ -]{0,200}$/),
        fc.integer({ min: 5, max: 60 }),
        (text, columns) => {
          const lines = wrap(text, columns);
          for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
          expect(lines.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
        },
      ),
    );
  });
});

describe("printable()", () => {
  it("shows control characters instead of sending them to the terminal", () => {
    expect(printable("eth\u001b[2J0\u0007\u009b")).toBe("eth\\x1b[2J0\\x07\\x9b");
  });
});

describe("renderTable()", () => {
  it("lines columns up, puts notes below their row, and keeps to the page", () => {
    const table = renderTable(
      [
        { title: "knob", maxColumns: 12 },
        { title: "now", maxColumns: 8 },
      ],
      [{ cells: ["net.core.somaxconn", "4096"], note: "word ".repeat(40).trim() }, { cells: ["vm.x", "1"] }],
    );
    expect(table.split("\n").slice(0, 4)).toEqual([
      "knob          now",
      "----          ---",
      "net.core.     4096",
      "somaxconn",
    ]);
    expect(table.split("\n")[4]).toMatch(/^ {4}word word/);
    expect(table.split("\n").at(-1)).toBe("vm.x          1");
    for (const line of table.split("\n")) expect(line.length).toBeLessThanOrEqual(PAGE_COLUMNS);
  });

  it("takes what is over the page from the first column", () => {
    const columns = ["knob", "before", "wanted", "found", "outcome"].map((title) => ({
      title,
      maxColumns: 40,
    }));
    const table = renderTable(columns, [
      { cells: ["k".repeat(50), "b".repeat(14), "w".repeat(14), "f".repeat(14), "already-right (drifted)"] },
    ]);
    for (const line of table.split("\n")) expect(line.length).toBeLessThanOrEqual(PAGE_COLUMNS);
    expect(table).toMatch(/k{12,} {2}b{14} {2}w{14} {2}f{14} {2}already-right\n/);
    expect(table).toMatch(/ \(drifted\)$/);
  });
});
