import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allocate, type MatchedLine } from "../../../cost/allocation/allocate.ts";
import { type AllocationRules, allocationRulesSchema } from "../../../cost/allocation/allocation-rules.ts";
import {
  addAmounts,
  type Amounts,
  isNothing,
  type PlacedLine,
} from "../../../cost/allocation/placed-line.ts";
import {
  type ExactDecimal,
  formatDecimal,
  parseDecimal,
  splitDecimal,
} from "../../../cost/money/exact-decimal.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { parseContract } from "../../../host-tuning/profile/parse-contract.ts";

const OWNERS = ["payments", "search", "lab", "platform", "gateway"];

function rules(fields: object): AllocationRules {
  return allocationRulesSchema.parse({ apiVersion: "bedplate/v1", kind: "AllocationRules", ...fields });
}

function line(fields: Partial<PlacedLine> & { readonly cost: string }): MatchedLine {
  const { cost, ...place } = fields;
  const amount = parseDecimal(cost);
  return {
    matches: "1".repeat(10),
    line: {
      currency: "USD",
      month: "2026-07",
      day: null,
      bucket: "owner",
      owner: "payments",
      because: null,
      providerService: "Amazon Elastic Compute Cloud",
      chargeCategory: "Usage",
      lines: 1,
      unlistedLines: 0,
      amounts: { billed: amount, effective: amount, list: amount },
      allocation: null,
      ...place,
    },
  };
}

function allocated(
  lines: readonly MatchedLine[],
  file: AllocationRules,
  sharedOwners: readonly string[] = [],
) {
  return allocate({ lines, rules: file, sharedOwners, scale: 12, shownOwner: (owner) => owner });
}

/** Effective cost by place, where it is not 0. */
function placesOf(lines: readonly PlacedLine[]): Record<string, string> {
  const groups = Map.groupBy(lines, ({ bucket, owner, because }) => owner ?? because ?? bucket);
  return Object.fromEntries(
    [...groups]
      .map(([place, same]) => [place, addAmounts(same.map(({ amounts }) => amounts))] as const)
      .filter(([, sum]) => !isNothing(sum))
      .map(([place, sum]) => [place, formatDecimal(sum.effective)]),
  );
}

const BILL = [
  line({ cost: "60" }),
  line({ cost: "30", owner: "search" }),
  line({ cost: "10", owner: "lab" }),
  line({ cost: "9", owner: "platform" }),
  line({ cost: "10", bucket: "tax-and-credit", owner: null, because: "tax" }),
  line({ cost: "-4", bucket: "tax-and-credit", owner: null, because: "credit" }),
  line({ cost: "7", bucket: "idle", owner: null, because: "unused-reservation" }),
  line({ cost: "3", bucket: "unused-commitment", owner: null, because: "unused-commitment" }),
];

describe("allocate()", () => {
  it.each([
    ["even", { by: "even" }, { payments: "63", search: "33", lab: "13" }],
    ["weighted", { by: "weighted" }, { payments: "65.4", search: "32.7", lab: "10.9" }],
    [
      "weighted among some",
      { by: "weighted", among: ["search", "lab"] },
      { payments: "60", search: "36.75", lab: "12.25" },
    ],
    [
      "fixed",
      { by: "fixed", percents: { search: "33.5", new: "66.5" } },
      { payments: "60", search: "33.015", lab: "10", new: "5.985" },
    ],
    ["metric", { by: "metric", metric: "calls" }, { payments: "63", search: "36", lab: "10" }],
  ])("splits an owner's cost %s", (_, split, expected) => {
    const file = rules({
      rules: [{ name: "platform", cost: { owners: ["platform"] }, split }],
      metrics: [
        { name: "calls", months: { "2026-07": { payments: 100, search: 200 } }, everyMonth: { lab: 1 } },
      ],
    });
    const { lines, notes } = allocated(BILL, file);
    expect(placesOf(lines)).toEqual({
      ...expected,
      tax: "10",
      credit: "-4",
      "unused-reservation": "7",
      "unused-commitment": "3",
    });
    expect(notes).toEqual([]);
  });

  it("spreads tax, credits, unused commitment and idle reservations where rules say so, and leaves the rest", () => {
    const file = rules({
      idle: { reservations: "spread" },
      rules: [
        { name: "tax", cost: { reasons: ["tax", "credit"] }, split: { by: "weighted" } },
        { name: "commitment", cost: { reasons: ["unused-commitment"] }, split: { by: "even" } },
        { name: "shown", cost: { owners: ["platform"] } },
      ],
    });
    const { lines } = allocated(BILL, file);
    expect(placesOf(lines)).toEqual({ payments: "68.8", search: "34.9", lab: "12.3", platform: "9" });
    expect(lines.filter(({ owner }) => owner === "platform").map(({ bucket }) => bucket)).toEqual(["shared"]);
  });

  it("steps down: what a rule gives to an owner that a later one takes goes on with that owner's cost", () => {
    const file = rules({
      rules: [
        {
          name: "platform",
          cost: { owners: ["platform"] },
          split: { by: "fixed", percents: { gateway: 100 } },
        },
        { name: "gateway", cost: { owners: ["gateway"] }, split: { by: "even", among: ["lab", "search"] } },
      ],
    });
    const { lines } = allocated([...BILL, line({ cost: "1", owner: "gateway" })], file);
    expect(placesOf(lines)).toMatchObject({ payments: "60", search: "35", lab: "15" });
    expect(placesOf(lines)).not.toHaveProperty("gateway");
  });

  it("takes cost by column only from usage, and each line by the first rule that it fits", () => {
    const file = rules({
      rules: [
        { name: "network", cost: { providerServices: ["vpc"] }, split: { by: "even", among: ["lab"] } },
        { name: "all", cost: { regions: ["us-east-1"] }, split: { by: "even", among: ["search"] } },
      ],
    });
    const { lines } = allocated(
      BILL.map((one, index) => ({ ...one, matches: index === 0 ? "11" : "01" })),
      file,
    );
    expect(placesOf(lines)).toMatchObject({ lab: "60", search: "49", tax: "10", "unused-reservation": "7" });
  });

  it("leaves what cannot be split where it is, and says so", () => {
    const file = rules({
      rules: [
        { name: "platform", cost: { owners: ["platform"] }, split: { by: "metric", metric: "calls" } },
        { name: "tax", cost: { reasons: ["tax"] }, split: { by: "weighted", among: ["nobody"] } },
      ],
      metrics: [{ name: "calls", months: { "2026-06": { lab: 1 } } }],
    });
    const { lines, notes } = allocated(BILL, file);
    expect(placesOf(lines)).toMatchObject({ platform: "9", tax: "10" });
    expect(notes).toEqual([
      'rule "platform" shares out nothing of 2026-07 in USD: the metric has no value above 0',
      'rule "tax" shares out nothing of 2026-07 in USD: nobody to share it among has cost above 0',
    ]);
  });

  const amount = fc
    .record({
      units: fc.bigInt({ min: -(10n ** 14n), max: 10n ** 15n }),
      scale: fc.integer({ min: 0, max: 15 }),
    })
    .map((value): ExactDecimal => value);
  const amounts: fc.Arbitrary<Amounts> = fc.record({ billed: amount, effective: amount, list: amount });
  const place = fc.oneof(
    fc.record({
      bucket: fc.constant("owner" as const),
      owner: fc.constantFrom(...OWNERS),
      because: fc.constant(null),
    }),
    fc
      .constantFrom(
        ["tax-and-credit", "tax"] as const,
        ["tax-and-credit", "refund"] as const,
        ["idle", "unused-reservation"] as const,
        ["idle", "node-idle"] as const,
        ["unused-commitment", "unused-commitment"] as const,
        ["shared", "support"] as const,
        ["untagged", "no-tags"] as const,
      )
      .map(([bucket, because]) => ({ bucket, owner: null, because })),
  );
  const anyLine = fc
    .record({
      place,
      amounts,
      currency: fc.constantFrom("USD", "EUR"),
      month: fc.constantFrom("2026-07", "2026-08"),
      matches: fc.string({ unit: fc.constantFrom("0", "1"), minLength: 4, maxLength: 4 }),
    })
    .map(({ place, matches, ...fields }): MatchedLine => {
      const { line: usual } = line({ cost: "0" });
      return { matches, line: { ...usual, ...place, ...fields } };
    });
  const someOwners = fc.uniqueArray(fc.constantFrom(...OWNERS, "someone new"), {
    minLength: 1,
    maxLength: 4,
  });
  const split = fc.oneof(
    fc.record({ by: fc.constantFrom("even", "weighted") }),
    fc.record({ by: fc.constantFrom("even", "weighted"), among: someOwners }),
    fc.constant({ by: "metric", metric: "m" }),
    fc
      .tuple(
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.uniqueArray(fc.constantFrom(...OWNERS), { minLength: 2, maxLength: 2 }),
      )
      .map(([part, [a = "", b = ""]]) => ({
        by: "fixed",
        percents: {
          [a]: formatDecimal({ units: BigInt(part), scale: 4 }),
          [b]: formatDecimal({ units: BigInt(1_000_000 - part), scale: 4 }),
        },
      })),
  );
  const cost = fc.oneof(
    fc.record({ owners: someOwners }),
    fc.record({
      reasons: fc.uniqueArray(
        fc.constantFrom(
          "tax",
          "refund",
          "support",
          "node-idle",
          "unused-reservation",
          "unused-commitment",
          "no-tags",
        ),
        { minLength: 1 },
      ),
    }),
    fc.constant({ regions: ["us-east-1"] }),
  );
  const anyRules = fc
    .record({
      reservations: fc.constantFrom("shown", "spread", "kept"),
      rules: fc.array(fc.record({ cost, split: fc.option(split, { nil: undefined }) }), { maxLength: 4 }),
      values: fc.dictionary(fc.constantFrom(...OWNERS), fc.integer({ min: 0, max: 1e6 })),
    })
    .map(({ reservations, rules: all, values }) =>
      allocationRulesSchema.safeParse({
        apiVersion: "bedplate/v1",
        kind: "AllocationRules",
        idle: { reservations },
        rules: all.map((one, index) => ({ name: `rule ${index}`, ...one })),
        metrics: [{ name: "m", everyMonth: values }],
      }),
    )
    .filter((parsed) => parsed.success)
    .map(({ data }) => data);

  it("moves money and neither makes nor loses any, whatever the bill and the rules are", () => {
    let movedRuns = 0;
    fc.assert(
      fc.property(
        fc.array(anyLine, { minLength: 1, maxLength: 25 }),
        anyRules,
        someOwners,
        (lines, file, shared) => {
          const { lines: after } = allocated(lines, file, shared);
          for (const currency of ["USD", "EUR"]) {
            for (const month of ["2026-07", "2026-08"]) {
              const sum = (all: readonly PlacedLine[]) => {
                const same = all.filter((one) => one.currency === currency && one.month === month);
                const { billed, effective, list } = addAmounts(same.map((one) => one.amounts));
                return [billed, effective, list].map((total) => formatDecimal(total));
              };
              expect(sum(after)).toEqual(sum(lines.map((one) => one.line)));
            }
          }
          for (const [, moved] of Map.groupBy(after, ({ allocation }) => allocation)) {
            if (moved[0]?.allocation === null) continue;
            movedRuns += 1;
            expect(isNothing(addAmounts(moved.map((one) => one.amounts)))).toBe(true);
          }
          expect(after.reduce((count, one) => count + one.lines, 0)).toBe(lines.length);
          expect(JSON.stringify(allocated(lines, file, shared), bigints)).toBe(
            JSON.stringify(allocated(lines, file, shared), bigints),
          );
        },
      ),
      { numRuns: 300 },
    );
    expect(movedRuns).toBeGreaterThan(100);
  });

  it("moves exactly what a line costs when its owner changes and nothing is shared", () => {
    fc.assert(
      fc.property(fc.array(anyLine, { minLength: 1, maxLength: 20 }), fc.nat(), (lines, pick) => {
        const index = pick % lines.length;
        const given = lines.map((one, place) => (place === index ? owned(one, "payments") : one));
        const taken = lines.map((one, place) => (place === index ? owned(one, "search") : one));
        const [before, after] = [given, taken].map((all) => allocated(all, rules({})).lines);
        const of = (all: readonly PlacedLine[] | undefined, owner: string): Amounts =>
          addAmounts((all ?? []).flatMap((one) => (one.owner === owner ? [one.amounts] : [])));
        const moved = lines[index]?.line.amounts as Amounts;
        for (const measure of ["billed", "effective", "list"] as const) {
          const gained = addAmounts([of(before, "search"), moved])[measure];
          expect(formatDecimal(of(after, "search")[measure])).toBe(formatDecimal(gained));
          const left = addAmounts([of(after, "payments"), moved])[measure];
          expect(formatDecimal(of(before, "payments")[measure])).toBe(formatDecimal(left));
        }
      }),
    );
  });
});

function owned(one: MatchedLine, owner: string): MatchedLine {
  return { ...one, line: { ...one.line, bucket: "owner", owner, because: null } };
}

function bigints(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

describe("splitDecimal()", () => {
  it("adds up to the amount to the last digit, each part within one of its share", () => {
    const weights = fc.array(
      fc.record({ units: fc.bigInt({ min: 0n, max: 10n ** 12n }), scale: fc.integer({ min: 0, max: 9 }) }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(
        fc.record({
          units: fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }),
          scale: fc.integer({ min: 0, max: 12 }),
        }),
        weights.filter((all) => all.some(({ units }) => units > 0n)),
        (amount, all) => {
          const parts = splitDecimal(amount, all, 12);
          expect(parts.reduce((sum, { units }) => sum + units, 0n)).toBe(
            amount.units * 10n ** BigInt(12 - amount.scale),
          );
          for (const [index, part] of parts.entries()) {
            if (all[index]?.units === 0n) expect(part.units).toBe(0n);
            expect(part.units === 0n || part.units > 0n === amount.units > 0n).toBe(true);
          }
        },
      ),
    );
    expect(
      splitDecimal(parseDecimal("1"), ["1", "1", "1"].map(parseDecimal), 4).map((part) =>
        formatDecimal(part),
      ),
    ).toEqual(["0.3334", "0.3333", "0.3333"]);
    expect(() => splitDecimal(parseDecimal("1"), [parseDecimal("0")], 4)).toThrow(RangeError);
  });
});

function faultsOf(file: unknown): string[] {
  try {
    parseContract(allocationRulesSchema, file, "rules.yaml");
  } catch (error) {
    if (error instanceof InputError) return error.faults.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

describe("allocationRulesSchema", () => {
  it("names every fault with its path", () => {
    const file = {
      apiVersion: "bedplate/v1",
      kind: "AllocationRules",
      rules: [
        { name: "a", cost: {}, split: { by: "even" } },
        { name: "b", cost: { owners: ["x"] }, split: { by: "fixed", percents: { y: 60, z: "30.5" } } },
        { name: "c", cost: { reasons: ["tax"] }, split: { by: "metric", metric: "calls" } },
        { name: "c", cost: { owners: ["w"] }, split: { by: "even", among: ["X", "y", "Y "] } },
      ],
      metrics: [{ name: "other" }],
    };
    expect(faultsOf(file)).toEqual([
      "rules[0].cost: names no cost: give owners, reasons, tags ...",
      'rules: two rules are called "c"',
      "rules[1].split.percents: add up to 90.5, not to 100",
      'rules[2].split.metric: "calls" is none of the file\'s metrics',
      'rules[3].split.among: "y" is there twice',
      'rules[3].split: gives to "X", whose cost rule "b" has shared out by then: put this rule before it',
      "metrics[0]: has no values",
    ]);
    expect(
      faultsOf({
        ...file,
        idle: { nodes: "hidden" },
        rules: [{ name: "a", cost: { reasons: ["shared-owner"] } }],
        more: 1,
      }),
    ).toHaveLength(3);
  });

  it("never does anything with a mutated file but read it or name its faults", () => {
    const text = JSON.stringify({
      apiVersion: "bedplate/v1",
      kind: "AllocationRules",
      idle: { nodes: { gpu: "shown" } },
      rules: [
        {
          name: "a",
          cost: { tags: { layer: ["network"] } },
          split: { by: "fixed", percents: { x: 40, y: 60 } },
        },
      ],
      metrics: [{ name: "m", months: { "2026-07": { x: 1 } } }],
    });
    const leaf = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.double(),
      fc.constant(null),
      fc.constant([]),
      fc.constant({}),
    );
    fc.assert(
      fc.property(fc.nat(), leaf, (pick, value) => {
        const file: unknown = JSON.parse(text);
        const holders: [Record<string, unknown>, string][] = [];
        const walk = (node: unknown): void => {
          if (typeof node !== "object" || node === null) return;
          for (const [key, child] of Object.entries(node)) {
            holders.push([node as Record<string, unknown>, key]);
            walk(child);
          }
        };
        walk(file);
        const [holder, key] = holders[pick % holders.length] ?? [{}, ""];
        holder[key] = value;
        expect(Array.isArray(faultsOf(file))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
