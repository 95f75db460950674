import { Decimal } from "decimal.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HostNeeds, hostNeedsSchema } from "../../../components/environment/environment-spec.ts";
import { type InstanceType, loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { chooseInstanceTypes } from "../../../cost/catalogue/choose-instance-type.ts";

const CATALOGUE = loadCatalogue("us-east-1");

function needs(input: Partial<HostNeeds>): HostNeeds {
  return hostNeedsSchema.parse({ vcpus: 2, memoryGiB: 4, ...input });
}

/** The needs said again, one by one and the other way round, so that a slip in the chooser shows. */
function satisfies(spec: InstanceType, wanted: HostNeeds): boolean {
  const wholeGpus = spec.gpus
    .filter((gpu) => wanted.gpuModel === undefined || gpu.model === wanted.gpuModel)
    .reduce((sum, gpu) => sum + gpu.count, 0);
  const gpuFits =
    wanted.gpus > 0 ? wholeGpus >= wanted.gpus : spec.gpus.length === 0 && spec.accelerators.length === 0;
  const sustained = !spec.type.startsWith("t") || spec.type.startsWith("trn");
  return (
    gpuFits &&
    sustained &&
    !spec.type.includes("-flex") &&
    spec.hypervisor !== "xen" &&
    spec.architecture === wanted.architecture &&
    !(spec.vcpus < wanted.vcpus) &&
    !(spec.memoryMiB / 1024 < wanted.memoryGiB) &&
    !(spec.nvmeGB < wanted.nvmeGB) &&
    !(wanted.networkGbitPerSec > 0 && (spec.networkMbitPerSec ?? 0) < wanted.networkGbitPerSec * 1000) &&
    !(spec.efaInterfaces < wanted.efaInterfaces) &&
    (spec.bareMetal || !wanted.bareMetal)
  );
}

const anyNeeds: fc.Arbitrary<HostNeeds> = fc
  .record({
    vcpus: fc.constantFrom(1, 2, 3, 4, 8, 17, 32, 64, 96, 128, 192, 448, 897),
    memoryGiB: fc.constantFrom(0.5, 1, 4, 7.7, 16, 64, 100, 256, 768, 2048, 24_576),
    architecture: fc.constantFrom("x86_64" as const, "arm64" as const),
    nvmeGB: fc.constantFrom(0, 0, 0, 75, 400, 1800, 7600, 30_000),
    networkGbitPerSec: fc.constantFrom(0, 0, 0, 0.5, 10, 25, 100, 3200),
    efaInterfaces: fc.constantFrom(0, 0, 0, 1, 4, 32),
    gpus: fc.constantFrom(0, 0, 0, 1, 2, 8),
    gpuModel: fc.constantFrom(undefined, undefined, "t4", "h100", "l4"),
    bareMetal: fc.boolean(),
  })
  .map((input) => hostNeedsSchema.parse(input));

describe("chooseInstanceTypes()", () => {
  it("answers 1,000 needs: each answer satisfies, none cheaper does, every family is accounted for", () => {
    const families = new Set(CATALOGUE.instanceTypes.map((spec) => spec.family));
    let answered = 0;
    fc.assert(
      fc.property(anyNeeds, (wanted) => {
        const choice = chooseInstanceTypes(wanted, CATALOGUE);
        const satisfying = CATALOGUE.instanceTypes.filter((spec) => satisfies(spec, wanted));
        expect(new Set(choice.ranked)).toEqual(new Set(satisfying));
        const best = choice.ranked[0];
        if (best?.price.kind === "priced") {
          answered += 1;
          const amount = best.price.amount;
          const cheaper = satisfying.filter(
            (spec) => spec.price.kind === "priced" && new Decimal(spec.price.amount).lt(amount),
          );
          expect(cheaper).toEqual([]);
        }
        const accounted = new Set([
          ...choice.ranked.map((spec) => spec.family),
          ...choice.rejected.map((rejection) => rejection.family),
        ]);
        expect(accounted).toEqual(families);
        for (const { nearest, because } of choice.rejected) {
          expect(because.startsWith(`${nearest} `) && because.length > nearest.length + 5, because).toBe(
            true,
          );
        }
      }),
      { numRuns: 1000, seed: 20_261_120 },
    );
    expect(answered).toBeGreaterThan(300);
  });

  it("puts every unpriced type after every priced one", () => {
    const kinds = chooseInstanceTypes(needs({ vcpus: 48 }), CATALOGUE).ranked.map((spec) => spec.price.kind);
    expect(kinds.indexOf("unpriced")).toBeGreaterThan(0);
    expect(kinds.slice(kinds.indexOf("unpriced"))).not.toContain("priced");
  });

  it("ranks by price as a number, not as text", () => {
    const amounts = chooseInstanceTypes(needs({ vcpus: 32 }), CATALOGUE).ranked.flatMap((spec) =>
      spec.price.kind === "priced" ? [spec.price.amount] : [],
    );
    expect(amounts.some((amount) => amount.length > 8)).toBe(true);
    expect(amounts).toEqual(amounts.toSorted((a, b) => new Decimal(a).comparedTo(b)));
  });

  it("says where GPUs on bare metal exist when a family has only one of the two", () => {
    const choice = chooseInstanceTypes(needs({ vcpus: 96, gpus: 8, bareMetal: true }), CATALOGUE);
    expect(choice.ranked.map((spec) => spec.type)).toEqual(["g4dn.metal"]);
    const p5 = choice.rejected.find((rejection) => rejection.family === "p5");
    expect(p5?.because).toBe(
      "p5.48xlarge is virtualised, not bare metal (GPUs on bare metal exist only as g4dn.metal and g5g.metal)",
    );
  });

  it("never counts a fraction of a GPU as one", () => {
    const choice = chooseInstanceTypes(needs({ gpus: 1 }), CATALOGUE);
    expect(choice.ranked.map((spec) => spec.family)).not.toContain("g6f");
    expect(choice.rejected.find((rejection) => rejection.family === "g6f")?.because).toContain(
      "a fraction of one l4 GPU",
    );
  });

  it("takes a GPU model as a person writes it", () => {
    const written = chooseInstanceTypes(needs({ gpus: 1, gpuModel: "NVIDIA A10G" }), CATALOGUE);
    expect(written.ranked[0]?.type).toBe("g5.xlarge");
    const known = chooseInstanceTypes(needs({ gpus: 1, gpuModel: "a10g" }), CATALOGUE);
    expect(written.ranked).toEqual(known.ranked);
  });

  it("prefers a virtual machine to metal of the same price", () => {
    const types = chooseInstanceTypes(needs({ vcpus: 16, architecture: "arm64" }), CATALOGUE).ranked.map(
      (spec) => spec.type,
    );
    expect(types.indexOf("a1.4xlarge")).toBeLessThan(types.indexOf("a1.metal"));
  });

  it("leaves NUMA nodes to the host, and says so", () => {
    expect(chooseInstanceTypes(needs({ numaNodes: 2 }), CATALOGUE).unchecked).toHaveLength(1);
    expect(chooseInstanceTypes(needs({}), CATALOGUE).unchecked).toEqual([]);
  });

  it("ranks without prices too, by size, in a region that has none", () => {
    const choice = chooseInstanceTypes(needs({}), loadCatalogue("eu-west-1"));
    expect(choice.ranked[0]?.vcpus).toBe(2);
    expect(choice.ranked[0]?.price.kind).toBe("unpriced");
  });
});
