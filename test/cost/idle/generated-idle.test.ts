import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { generateMonth } from "../../../cost/generate/generate-month.ts";
import { IDLE_ACCOUNT } from "../../../cost/generate/idle-scenes.ts";
import type { MonthFormat, MonthKind } from "../../../cost/generate/month-kinds.ts";
import { type IdleReport, idleReportSchema } from "../../../cost/idle/idle-report.ts";
import { formatDecimal, parseDecimal } from "../../../cost/money/exact-decimal.ts";
import { costCommand } from "../cost-command.ts";
import { reportOnAnswer } from "../generate/report-on-answer.ts";

const folder = mkdtempSync(path.join(tmpdir(), "bedplate-idle-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function idle(input: string): Promise<IdleReport> {
  const { stdout, stderr } = await costCommand(
    folder,
    "idle",
    "--input",
    input,
    "--today",
    "2026-08-01",
    "--json",
  );
  expect(stderr).toBe("");
  return idleReportSchema.parse(JSON.parse(stdout));
}

const KINDS: readonly (readonly [MonthKind, MonthFormat])[] = [
  ["cur2", "parquet"],
  ["legacy", "csv.gz"],
  ["focus-1.2", "parquet"],
];

describe("bedplate cost idle on a generated month", () => {
  it.each(KINDS)(
    "finds in %s what was put there, to the last digit, and nothing that is used",
    async (kind, format) => {
      const out = path.join(folder, kind);
      const answer = await generateMonth({
        kind,
        format,
        rows: 3000,
        seed: 5,
        month: "2026-07",
        deliveries: 1,
        isIdleKnown: true,
        out,
      });
      const { findings, currencies } = await idle(out);
      const key = (one: { readonly resource: string }): string => one.resource;
      const sorted = <T extends { readonly resource: string }>(all: readonly T[]): T[] =>
        all.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
      const own = findings.filter(({ account }) => account === IDLE_ACCOUNT);
      expect(
        sorted(own).map(({ kind: found, resource, charges: { lines }, cost }) => [
          found,
          resource,
          lines,
          cost.billed,
          cost.effective,
        ]),
      ).toEqual(
        sorted(answer.idle ?? []).map(({ kind: found, resource, lines, billed }) => {
          const exact = formatDecimal(parseDecimal(billed));
          return [found, resource, lines, exact, exact];
        }),
      );
      expect(own).toHaveLength(7);
      expect(
        Object.fromEntries(own.map(({ resource, since }) => [resource.split(/[:/]/).at(-1), since])),
      ).toMatchObject({
        "eni-0a0a": "2026-07-10",
        reports: "2026-07-07",
        archive: "2026-07-01",
      });
      // The report of the same month is its answer, with these lines in it.
      const { report, told } = await reportOnAnswer(out);
      expect(told.rows).toEqual(told.expected);
      expect(report.source.lines).toBe(3000);
      expect(currencies[0]?.bill.billed).toBe(report.currencies[0]?.balance.bill.billed);
    },
  );
});
