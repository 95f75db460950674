import { readFileSync } from "node:fs";
import path from "node:path";
import { Decimal } from "decimal.js";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { loadCatalogue, parseCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { describeWith, file } from "../../helpers/needs.ts";

const COMMITTED = path.resolve(import.meta.dirname, "../../../cost/catalogue/ec2-us-east-1.json");
const SOURCE = path.resolve(import.meta.dirname, "../../../../shared/data/aws/ec2-instance-types.json");

function faultsOf(text: string): string[] {
  try {
    parseCatalogue(text, "us-east-1", "test.json");
  } catch (error) {
    if (error instanceof InputError) return error.faults.map((fault) => `${fault.path}: ${fault.message}`);
    throw error;
  }
  return [];
}

describe("loadCatalogue()", () => {
  const catalogue = loadCatalogue("us-east-1");

  it("dates and places every price", () => {
    const c7i = catalogue.instanceTypes.find((spec) => spec.type === "c7i.large");
    expect(c7i?.price).toEqual({
      kind: "priced",
      amount: "0.089250",
      currency: "USD",
      unit: "hour",
      region: "us-east-1",
      asOf: "2026-07-20",
      source: catalogue.source,
    });
  });

  it("leaves a type without a price unpriced, never 0", () => {
    const unpriced = catalogue.instanceTypes.filter((spec) => spec.price.kind === "unpriced");
    expect(unpriced.map((spec) => spec.type)).toContain("p5e.48xlarge");
    for (const spec of catalogue.instanceTypes) {
      if (spec.price.kind === "priced") expect(new Decimal(spec.price.amount).gt(0), spec.type).toBe(true);
      else expect(spec.price.because).toContain(spec.type);
    }
  });

  it("never gives one region's price to another", () => {
    const frankfurt = loadCatalogue("eu-central-1");
    expect(frankfurt.instanceTypes).toHaveLength(catalogue.instanceTypes.length);
    expect(new Set(frankfurt.instanceTypes.map((spec) => spec.price.kind))).toEqual(new Set(["unpriced"]));
    expect(frankfurt.instanceTypes[0]?.price).toEqual({
      kind: "unpriced",
      because: "the catalogue has prices of us-east-1 only, none of eu-central-1",
      elsewhere: { amount: "0.204000", currency: "USD", region: "us-east-1" },
    });
  });

  it("knows cards, cores, disks and terms of sale, and says nothing where EC2 said nothing", () => {
    const byType = new Map(catalogue.instanceTypes.map((spec) => [spec.type, spec]));
    const b300 = byType.get("p6-b300.48xlarge");
    expect(b300?.cards).toHaveLength(17);
    expect(b300?.cards?.map((card) => card.carriesEfa).indexOf(true)).toBe(1);
    expect(b300).toMatchObject({
      efaInterfaces: 16,
      disks: { count: 8, sizeGB: 3800, kind: "nvme" },
      usageClasses: ["capacity-block", "spot"],
    });
    // Two cards that carry EFA, and one EFA interface in all.
    expect(byType.get("i7ie.48xlarge")).toMatchObject({ efaInterfaces: 1, networkCards: 2 });
    expect(byType.get("c7i.metal-48xl")?.cpu).toEqual({ cores: 96, threadsPerCore: 2 });
    expect(byType.get("g4ad.xlarge")).not.toHaveProperty("cpu");
  });

  it("agrees with itself: disks add up, cards are as many, cores times threads are the vCPUs", () => {
    for (const spec of catalogue.instanceTypes) {
      if (spec.cpu !== undefined)
        expect(spec.cpu.cores * spec.cpu.threadsPerCore, spec.type).toBe(spec.vcpus);
      if (spec.disks !== undefined && spec.disks.kind !== "ssd" && spec.nvmeGB > 0)
        expect(spec.disks.count * spec.disks.sizeGB, spec.type).toBe(spec.nvmeGB);
      if (spec.cards !== undefined) expect(spec.cards.length, spec.type).toBe(spec.networkCards);
      expect(spec.bareMetal && spec.cpu?.settable !== undefined, spec.type).toBe(false);
    }
  });

  it("keeps a fraction of a GPU apart from a whole one, and the unknown undefined", () => {
    const byType = new Map(catalogue.instanceTypes.map((spec) => [spec.type, spec]));
    expect(byType.get("g6f.large")?.gpus).toEqual([
      { model: "l4", manufacturer: "nvidia", count: 0, memoryMiB: 2861 },
    ]);
    expect(byType.get("c4.large")).not.toHaveProperty("networkMbitPerSec");
  });
});

describe("parseCatalogue()", () => {
  const text = readFileSync(COMMITTED, "utf8");

  it("accepts the committed file", () => expect(faultsOf(text)).toEqual([]));

  it("fails on a row that was changed by hand", () => {
    const cheaper = text.replace('"0.089250"', '"0.009250"');
    expect(cheaper).not.toBe(text);
    expect(faultsOf(cheaper)).toEqual([
      expect.stringMatching(/^sha256: the rows have digest .* build it with/),
    ]);
  });

  it("fails with every fault and its path", () => {
    const data = JSON.parse(text) as { rows: unknown[][]; pricesAsOf: string; currency: string };
    data.pricesAsOf = "July";
    data.currency = "dollars";
    const [first, second, third, fourth] = data.rows;
    if (!first || !second || !third || !fourth) throw new Error("the catalogue has fewer than four rows");
    first[17] = "0.000000";
    second[2] = -4;
    third[1] = "sparc";
    fourth[0] = first[0];
    expect(faultsOf(JSON.stringify(data)).map((fault) => fault.split(":")[0])).toEqual([
      "pricesAsOf",
      "currency",
      "rows[0][17]",
      "rows[1][2]",
      "rows[2][1]",
    ]);
    data.pricesAsOf = "2026-07-20";
    data.currency = "USD";
    [first[17], second[2], third[1]] = ["0.1", 4, "arm64"];
    expect(faultsOf(JSON.stringify(data))).toEqual([`rows[3][0]: "${String(first[0])}" is rows[0] already`]);
  });

  it("fails on a file that is no JSON", () => {
    expect(faultsOf(text.slice(0, 5000))).toEqual([expect.stringContaining("Cannot read as JSON")]);
  });
});

describeWith(
  [file(SOURCE, "ec2-instance-types.json", "it lies beside the checkout")],
  "the catalogue",
  () => {
    it("has every type and every price of its source", () => {
      const source = z
        .object({
          instanceTypes: z.array(z.object({ type: z.string(), onDemandUsdPerHour: z.string().optional() })),
        })
        .parse(JSON.parse(readFileSync(SOURCE, "utf8")));
      const ours = new Map(
        loadCatalogue("us-east-1").instanceTypes.map((spec) => [
          spec.type,
          spec.price.kind === "priced" ? spec.price.amount : undefined,
        ]),
      );
      const theirs = new Map(source.instanceTypes.map((spec) => [spec.type, spec.onDemandUsdPerHour]));
      expect(ours.size).toBe(1363);
      expect(ours).toEqual(theirs);
    });
  },
);
