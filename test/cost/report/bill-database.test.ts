import { expect, it } from "vitest";
import { sqlName, sqlText, withBillDatabase } from "../../../cost/report/bill-database.ts";
import { withBill } from "../../../cost/report/bill-file.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { scratchFolder } from "./scratch-folder.ts";

const write = scratchFolder();

/** A list is held as a whole and cannot be spilled: 800 MB. */
const LARGE = "select len(list(i)) as count from range(100000000) as numbers (i)";

it("fails on a bill that does not fit into a report's memory with what to ask for instead", async () => {
  const bill = write("bill.csv", "BilledCost\n1\n");
  const reading = withBill(bill, (opened) =>
    withBillDatabase(opened, {}, (database) => database.rows(LARGE)),
  );
  await expect(reading).rejects.toThrow(InputError);
  await expect(reading).rejects.toThrow(
    /bill\.csv: .*has too many lines that are told apart for 320 MB of memory: ask for one --month/s,
  );
});

it("writes any text into SQL but one that would end it", () => {
  expect(sqlText("o'clock")).toBe("'o''clock'");
  expect(sqlName('a "b"')).toBe('"a ""b"""');
  for (const quote of [sqlText, sqlName]) {
    expect(() => quote("team\0' or true")).toThrow(InputError);
    expect(() => quote("team\0")).toThrow(/"team\\u0000": holds the character NUL/);
  }
});
