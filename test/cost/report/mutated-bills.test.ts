import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { buildCostReport, isBalanced } from "../../../cost/report/build-cost-report.ts";
import type { CostReport } from "../../../cost/report/cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { sumFocusCsv, unitsOf } from "./exact-csv-sum.ts";
import { focusCsv, generateMonth, seededRandom } from "./focus-month.ts";
import { scratchFolder } from "./scratch-folder.ts";

const SAMPLE = path.resolve(import.meta.dirname, "../../../../shared/data/focus/focus-1.0-sample.csv");
const TEAM = reportKey("team", undefined);

/** Mutants of each kind; raised (with another seed) for a long hunt: BEDPLATE_MUTANTS=1000 BEDPLATE_SEED=7. */
const ROUNDS = Number(process.env["BEDPLATE_MUTANTS"] ?? 26);
const SEED = Number(process.env["BEDPLATE_SEED"] ?? 1);

/** Characters that mean something in a bill, and some that do not belong there. */
const CHARACTERS = Array.from("\",\n\r;0-9.eE -+xN\u0000\u00e9\\'");

type Random = (below: number) => number;
type Mutation = (text: string, random: Random) => string;

function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[random(items.length)];
  if (item === undefined) throw new RangeError("nothing to pick from");
  return item;
}

function splice(text: string, at: number, remove: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + remove);
}

function replaceLine(text: string, random: Random, change: (line: string) => readonly string[]): string {
  const lines = text.split("\n");
  const at = random(lines.length - 1);
  return lines.toSpliced(at, 1, ...change(lines[at] ?? "")).join("\n");
}

/** What exports, editors, transfers and people do to a file. */
const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "replaces a character": (text, random) => splice(text, random(text.length), 1, pick(random, CHARACTERS)),
  "inserts a character": (text, random) => splice(text, random(text.length), 0, pick(random, CHARACTERS)),
  "deletes characters": (text, random) => splice(text, random(text.length), 1 + random(6), ""),
  "cuts the end off": (text, random) => text.slice(0, random(text.length)),
  "drops a quote": (text, random) => {
    const quotes = [...text.matchAll(/"/g)].map((match) => match.index);
    return splice(text, pick(random, quotes), 1, "");
  },
  "deletes a line": (text, random) => replaceLine(text, random, () => []),
  "doubles a line": (text, random) => replaceLine(text, random, (line) => [line, line]),
  "blanks a line": (text, random) => replaceLine(text, random, () => [pick(random, ["", "   "])]),
  "moves a field": (text, random) =>
    replaceLine(text, random, (line) => {
      const fields = line.split(",");
      const at = random(fields.length);
      return [
        fields
          .toSpliced(at, 1)
          .toSpliced(random(fields.length), 0, fields[at] ?? "")
          .join(","),
      ];
    }),
  "writes odd money": (text, random) =>
    replaceLine(text, random, (line) => [
      line.replace(
        /^"?[-\d.E]+"?/,
        pick(random, [
          ...'1e-7|1E+3|-0|00012.50|1.|.5|+1|1,5|$5|NaN|Infinity|0x10|1_000|\u0663|NULL||null| 3.25 |"4.5"|"1,000.00"|--1'.split(
            "|",
          ),
          "12345678901234567890.123456789",
          `0.${"0".repeat(30)}1`,
          "9".repeat(40),
          "1e400",
          "5e-324",
        ]),
      ),
    ]),
  "splices two files": (text, random) => {
    // Half of them between two lines: what is left there is a bill.
    const isBetween = random(2) === 0;
    const cut = (at: number): number => (isBetween ? text.indexOf("\n", at) + 1 : at);
    return text.slice(0, cut(random(text.length))) + text.slice(cut(random(text.length)));
  },
  "swaps the delimiter": (text, random) => replaceLine(text, random, (line) => [line.replaceAll(",", ";")]),
};

/** A kind that can only be one of the two; of every other there are both, or the test would show nothing. */
const EXPECTED_OUTCOMES: Readonly<Record<string, readonly string[]>> = {
  "drops a quote": ["refused"],
  "cuts the end off": ["refused"],
  "deletes a line": ["right"],
  "doubles a line": ["right"],
  "swaps the delimiter": ["refused"],
};

async function reportOrRefusal(input: string): Promise<CostReport | InputError> {
  try {
    return await buildCostReport({ input, key: TEAM, threads: 1 });
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

const write = scratchFolder();

/** Never wrong money: the report refuses, or says exactly what an independent sum of the same text says. */
async function checkMutant(text: string, name: string): Promise<"refused" | "right"> {
  const outcome = await reportOrRefusal(write("mutant.csv", text));
  if (outcome instanceof InputError) {
    expect(outcome.faults.length, name).toBeGreaterThan(0);
    return "refused";
  }
  const sums = sumFocusCsv(text);
  expect(isBalanced(outcome), name).toBe(true);
  const told = outcome.currencies.map(({ currency, balance: { bill, lines } }) => [
    currency,
    { lines: lines.bill, billed: unitsOf(bill.billed), effective: unitsOf(bill.effective) },
  ]);
  expect(Object.fromEntries(told), name).toEqual(Object.fromEntries(sums ?? []));
  return "right";
}

describe("a mutated bill", () => {
  const bases = [focusCsv(generateMonth(3, 30).rows)];
  if (existsSync(SAMPLE)) bases.push(`${readFileSync(SAMPLE, "utf8").split("\n").slice(0, 31).join("\n")}\n`);

  it.each(Object.entries(MUTATIONS))(
    "that %s is refused or right, never wrong money",
    async (name, mutate) => {
      const random = seededRandom(SEED * 104_729 + name.length * 7919);
      const outcomes = new Map<string, number>();
      for (let round = 0; round < ROUNDS; round += 1) {
        const mutant = mutate(bases[round % bases.length] ?? "", random);
        const outcome = await checkMutant(mutant, `${name}, round ${round}`);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      expect((outcomes.get("right") ?? 0) + (outcomes.get("refused") ?? 0)).toBe(ROUNDS);
      for (const outcome of EXPECTED_OUTCOMES[name] ?? ["right", "refused"]) {
        expect(outcomes.get(outcome), `${name} is ${outcome} at least once`).toBeGreaterThan(0);
      }
    },
    60_000 + ROUNDS * 2000,
  );

  it("is not refused where nothing is wrong", async () => {
    for (const base of bases) expect(await checkMutant(base, "unchanged")).toBe("right");
  });
});
