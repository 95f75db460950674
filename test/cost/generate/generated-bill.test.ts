import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { generateMonth } from "../../../cost/generate/generate-month.ts";
import {
  MONTH_FORMATS,
  MONTH_KINDS,
  type MonthFormat,
  type MonthKind,
} from "../../../cost/generate/month-kinds.ts";
import { SCENES } from "../../../cost/generate/scenes.ts";
import { reportOnAnswer } from "./report-on-answer.ts";

const folder = mkdtempSync(path.join(tmpdir(), "bedplate-generate-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;
async function generate(
  kind: MonthKind,
  format: MonthFormat,
  more: { rows?: number; seed?: number; deliveries?: 1 | 2 } = {},
) {
  made += 1;
  const out = path.join(folder, `${made}`);
  const answer = await generateMonth({
    kind,
    format,
    rows: 3000,
    seed: 5,
    month: "2026-02",
    deliveries: 1,
    out,
    ...more,
  });
  return { out, answer };
}

function digests(out: string): string[] {
  return readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .toSorted()
    .map(
      (name) =>
        `${path.relative(out, name)} ${createHash("sha256").update(readFileSync(name)).digest("hex")}`,
    );
}

const KINDS_AND_FORMATS = MONTH_KINDS.flatMap((kind) => MONTH_FORMATS.map((format) => ({ kind, format })));

describe("generateMonth()", () => {
  it.each(KINDS_AND_FORMATS)(
    "writes $kind as $format, whose report is its answer to the last digit",
    async ({ kind, format }) => {
      const { out, answer } = await generate(kind, format);
      const { report, told } = await reportOnAnswer(out);
      expect(told.rows).toEqual(told.expected);
      expect(report.source).toMatchObject({
        standard: kind.startsWith("focus") ? "FOCUS" : "CUR",
        version: { cur2: "2.0", legacy: "legacy" }[kind as string] ?? kind.slice("focus-".length),
        lines: answer.lines,
      });
    },
  );

  it("has every bucket, and both signs of money", async () => {
    const { answer } = await generate("cur2", "csv");
    expect(new Set(answer.rows.map((row) => row.bucket)).size).toBe(6);
    expect(answer.rows.some((row) => row.billed.startsWith("-"))).toBe(true);
    expect(SCENES.reduce((sum, scene) => sum + scene.weight, 0)).toBe(256);
  });

  it("gives the same money as CSV and as Parquet, and other money for another seed", async () => {
    const csv = await generate("cur2", "csv");
    const parquet = await generate("cur2", "parquet");
    expect(csv.answer).toEqual(parquet.answer);
    const told = [(await reportOnAnswer(csv.out)).told, (await reportOnAnswer(parquet.out)).told];
    expect(told[0]).toEqual(told[1]);
    const other = await generate("cur2", "csv", { seed: 6 });
    expect(other.answer.invoice).not.toEqual(csv.answer.invoice);
  });

  it("writes the same bytes again", async () => {
    const first = digests((await generate("cur2", "parquet")).out);
    expect(digests((await generate("cur2", "parquet")).out)).toEqual(first);
  });

  it("delivers a month twice: the late lines count once", async () => {
    const { out } = await generate("cur2", "csv.gz", { deliveries: 2 });
    const { report, told } = await reportOnAnswer(out);
    expect(told.rows).toEqual(told.expected);
    expect(report.notes.join("\n")).toContain("was delivered 2 times: counted once");
  });

  it("fails when the lines cannot hold every scene or the folder is in use, with both", async () => {
    await expect(
      generateMonth({
        kind: "cur2",
        format: "csv",
        rows: 10,
        seed: 1,
        month: "2026-02",
        deliveries: 1,
        out: import.meta.dirname,
      }),
    ).rejects.toThrow(/2 faults[^]*--rows: 10 lines cannot hold every scene[^]*--out: .* is not empty/);
  });
});
