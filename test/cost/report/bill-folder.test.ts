import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildCostReport, isBalanced } from "../../../cost/report/build-cost-report.ts";
import type { CostReport } from "../../../cost/report/cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { curCsv, generateCurMonth } from "./cur-month.ts";
import { focusCsv, generateMonth } from "./focus-month.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bedplate-bill-folder-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function put(name: string, content: string | Buffer): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

async function report(input: string): Promise<CostReport> {
  const built = await buildCostReport({ input, key: reportKey("team", undefined) });
  expect(isBalanced(built)).toBe(true);
  return built;
}

async function faultsOf(input: string): Promise<string[]> {
  const error: unknown = await report(input).catch((cause: unknown) => cause);
  if (!(error instanceof InputError)) throw new TypeError("was not refused", { cause: error });
  return error.faults.map((fault) => `${fault.path}: ${fault.message}`);
}

const cur = generateCurMonth(5, 200).rows;
const focus = generateMonth(5, 90).rows;

describe("buildCostReport() on a folder", () => {
  it("gives the same as one file: pods and their instances, covered usage and its negation lie in different files", async () => {
    const whole = await report(put("whole.csv", curCsv(cur)));
    put("parts/a.csv", curCsv(cur.filter((_, index) => index % 3 === 0)));
    put("parts/deep/b.csv.gz", gzipSync(curCsv(cur.filter((_, index) => index % 3 === 1))));
    put("parts/c.csv", curCsv(cur.filter((_, index) => index % 3 === 2)));
    put("parts/Manifest.json", "{}");
    const parts = await report(path.join(folder, "parts"));
    expect(parts.currencies).toEqual(whole.currencies);
    expect(parts.source).toMatchObject({ name: "parts", lines: cur.length });
    expect(parts.source.files.map(({ name, format }) => [name, format])).toEqual([
      ["a.csv", "csv"],
      ["c.csv", "csv"],
      ["deep/b.csv.gz", "csv.gz"],
    ]);
    expect(new Set(parts.source.files.map(({ sha256 }) => sha256)).size).toBe(3);
  });

  it("counts a copy once, and a month by its latest delivery, and says so", async () => {
    const whole = await report(put("whole.csv", focusCsv(focus)));
    const month = "data/BILLING_PERIOD=2026-07";
    put(`${month}/2026-08-01T04-00-00Z-1/part-0.csv`, focusCsv(focus.slice(0, 40)));
    put(`${month}/2026-08-03T04-00-00Z-2/part-0.csv`, focusCsv(focus.slice(0, 50)));
    put(`${month}/2026-08-03T04-00-00Z-2/part-1.csv`, focusCsv(focus.slice(50)));
    cpSync(
      path.join(folder, month, "2026-08-03T04-00-00Z-2/part-1.csv"),
      path.join(folder, month, "2026-08-03T04-00-00Z-2/part-1-again.csv"),
    );
    const built = await report(path.join(folder, "data"));
    expect(built.currencies).toEqual(whole.currencies);
    expect(built.notes).toEqual([
      "BILLING_PERIOD=2026-07 was delivered 2 times: counted once, as of 2026-08-03T04-00-00Z-2",
      expect.stringMatching(/part-1\.csv is the same file as .*part-1-again\.csv: counted once/),
      ...whole.notes,
    ]);
  });

  it("never guesses which of several deliveries counts", async () => {
    put("20260701-20260801/6f1c/cur.csv", curCsv(cur));
    put("20260701-20260801/02ab/cur.csv", curCsv(cur.slice(0, 30)));
    expect(await faultsOf(folder)).toEqual([
      "20260701-20260801: has 2 deliveries (02ab, 6f1c) and nothing says which is the latest: give that one's folder",
    ]);
  });

  it("refuses bills of two kinds, and says in which file what is wrong", async () => {
    put("a.csv", curCsv(cur.slice(0, 30)));
    put("b.csv", focusCsv(focus));
    expect(await faultsOf(folder)).toEqual([
      "a.csv: is CUR 2.0: a bill is of one kind",
      "b.csv: is FOCUS 1.2: a bill is of one kind",
    ]);
    put("a.csv", focusCsv(focus.slice(0, 40)).replace("USD", "usd"));
    put("b.csv", `${focusCsv(focus.slice(40))}one,field\n`);
    expect(await faultsOf(folder)).toEqual([
      'a.csv, BillingCurrency: no currency code as in USD in 1 row: row 1 "usd"',
      expect.stringMatching(/^b\.csv, line \d+: has 2 fields, the header has \d+$/),
    ]);
  });

  it("takes a part without rows, as an export writes it", async () => {
    const whole = await report(put("whole.csv", focusCsv(focus)));
    put("parts/a.csv", focusCsv(focus));
    put("parts/b.csv", focusCsv([]));
    expect((await report(path.join(folder, "parts"))).currencies).toEqual(whole.currencies);
  });
});
