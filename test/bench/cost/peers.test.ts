import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, describe, expect, it } from "vitest";
import { generateMonth } from "../../../cost/generate/generate-month.ts";

const folder = mkdtempSync(path.join(tmpdir(), "bedplate-bench-cost-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ROOT = path.resolve(import.meta.dirname, "../../..");

describe("what bench:cost runs beside the report", () => {
  it("adds up the whole month, each of them", async () => {
    const bill = path.join(folder, "bill");
    const { invoice } = await generateMonth({
      kind: "cur2",
      format: "parquet",
      rows: 2000,
      seed: 4,
      month: "2026-02",
      deliveries: 1,
      out: bill,
    });
    const sumOf = async (...program: readonly string[]): Promise<number> => {
      const out = path.join(folder, "sum.txt");
      const [file = "", ...reads] = program;
      await execa("node", [path.join("bench/cost", file), bill, out, ...reads], {
        cwd: ROOT,
        timeout: 60_000,
      });
      return Number(readFileSync(out, "utf8"));
    };
    expect(await sumOf("bare-sum.ts", "columns")).toBeCloseTo(Number(invoice.billed), 6);
    expect(await sumOf("bare-sum.ts", "exact")).toBe(Number(invoice.billed));
    expect(await sumOf("bare-sum.ts", "amounts")).toBeCloseTo(Number(invoice.billed), 6);
    expect(await sumOf("stream-sum.ts")).toBeCloseTo(Number(invoice.billed), 6);
  });
});
