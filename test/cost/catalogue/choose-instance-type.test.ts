import { Decimal } from "decimal.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HostNeeds, hostNeedsSchema } from "../../../components/environment/environment-spec.ts";
import { type InstanceType, loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import {
  type PoolDemand,
  chooseInstanceTypes,
  cpuOptionsOf,
} from "../../../cost/catalogue/choose-instance-type.ts";

const CATALOGUE = loadCatalogue("us-east-1");

function needs(input: Partial<HostNeeds>): HostNeeds {
  return hostNeedsSchema.parse({ vcpus: 2, memoryGiB: 4, ...input });
}

/** The vCPUs that a type can be made to have with these cores and threads; none where it cannot. */
function vcpusWith(spec: InstanceType, { coreCount, threadsPerCore }: HostNeeds): number {
  if (coreCount === undefined && threadsPerCore === undefined) return spec.vcpus;
  if (spec.cpu === undefined) return 0;
  const cores = coreCount ?? spec.cpu.cores;
  const threads = threadsPerCore ?? spec.cpu.threadsPerCore;
  const isDefault = spec.cpu.cores === cores && spec.cpu.threadsPerCore === threads;
  const isSettable =
    !spec.bareMetal &&
    spec.cpu.settable?.cores.includes(cores) === true &&
    spec.cpu.settable.threadsPerCore.includes(threads);
  return isDefault || isSettable ? cores * threads : 0;
}

/** The demand said again, one by one and the other way round, so that a slip in the chooser shows. */
function satisfies(spec: InstanceType, { needs: wanted, ...terms }: PoolDemand): boolean {
  const wholeGpus = spec.gpus
    .filter((gpu) => wanted.gpuModel === undefined || gpu.model === wanted.gpuModel)
    .reduce((sum, gpu) => sum + gpu.count, 0);
  const gpuFits =
    wanted.gpus > 0 ? wholeGpus >= wanted.gpus : spec.gpus.length === 0 && spec.accelerators.length === 0;
  const sustained = !spec.type.startsWith("t") || spec.type.startsWith("trn");
  const isFlash = spec.disks?.kind !== "hdd";
  return (
    spec.unlisted === undefined &&
    gpuFits &&
    sustained &&
    !spec.type.includes("-flex") &&
    spec.hypervisor !== "xen" &&
    spec.architecture === wanted.architecture &&
    !(vcpusWith(spec, wanted) < wanted.vcpus) &&
    !(spec.memoryMiB / 1024 < wanted.memoryGiB) &&
    !(wanted.nvmeGB > 0 && !(isFlash && spec.nvmeGB >= wanted.nvmeGB)) &&
    !(wanted.nvmeDisks > 0 && !(spec.disks?.kind === "nvme" && spec.disks.count >= wanted.nvmeDisks)) &&
    !(wanted.networkGbitPerSec > 0 && (spec.networkMbitPerSec ?? 0) < wanted.networkGbitPerSec * 1000) &&
    !(spec.efaInterfaces < wanted.efaInterfaces) &&
    !(wanted.enaExpress && !spec.enaExpress) &&
    !(terms.spot === true && !spec.usageClasses?.includes("spot")) &&
    !(terms.capacityBlockId !== undefined && !spec.usageClasses?.includes("capacity-block")) &&
    !(terms.placement === "cluster" && !spec.clusterPlacement) &&
    (spec.bareMetal || !wanted.bareMetal)
  );
}

const anyDemand: fc.Arbitrary<PoolDemand> = fc
  .record({
    needs: fc.record({
      vcpus: fc.constantFrom(1, 2, 3, 4, 8, 17, 32, 64, 96, 128, 192, 448, 897),
      memoryGiB: fc.constantFrom(0.5, 1, 4, 7.7, 16, 64, 100, 256, 768, 2048, 24_576),
      architecture: fc.constantFrom("x86_64" as const, "arm64" as const),
      coreCount: fc.constantFrom(undefined, undefined, undefined, undefined, 2, 24, 64),
      threadsPerCore: fc.constantFrom(undefined, undefined, undefined, 1 as const, 2 as const),
      nvmeGB: fc.constantFrom(0, 0, 0, 75, 400, 1800, 7600, 30_000),
      nvmeDisks: fc.constantFrom(0, 0, 0, 1, 2, 8),
      networkGbitPerSec: fc.constantFrom(0, 0, 0, 0.5, 10, 25, 100, 3200),
      efaInterfaces: fc.constantFrom(0, 0, 0, 1, 4, 32),
      enaExpress: fc.constantFrom(false, false, true),
      gpus: fc.constantFrom(0, 0, 0, 1, 2, 8),
      gpuModel: fc.constantFrom(undefined, undefined, "t4", "h100", "l4"),
      bareMetal: fc.constantFrom(false, false, true),
    }),
    spot: fc.constantFrom(false, false, true),
    placement: fc.constantFrom("none" as const, "spread" as const, "cluster" as const),
    capacityBlockId: fc.constantFrom(undefined, undefined, undefined, undefined, "cr-0123456789abcdef0"),
  })
  .map(({ needs: input, ...terms }) => ({ needs: hostNeedsSchema.parse(input), ...terms }));

/** What a reason may speak of, by the need that asks for it: no reason names what was not asked for. */
function isAskedFor(reason: string, { needs: wanted, ...terms }: PoolDemand): boolean {
  if (reason.includes("NVMe") && !reason.includes("Xen")) return wanted.nvmeGB > 0 || wanted.nvmeDisks > 0;
  if (reason.includes("EFA")) return wanted.efaInterfaces > 0;
  if (reason.includes("ENA Express")) return wanted.enaExpress;
  if (reason.includes("bare metal") && !reason.includes("CPU options")) return wanted.bareMetal;
  if (/cores|threads|CPU options/.test(reason)) {
    return wanted.coreCount !== undefined || wanted.threadsPerCore !== undefined;
  }
  if (reason.includes("spot")) return terms.spot === true;
  if (reason.includes("capacity block")) return terms.capacityBlockId !== undefined;
  if (reason.includes("cluster")) return terms.placement === "cluster";
  return true;
}

describe("chooseInstanceTypes()", () => {
  it("answers 1,000 needs: each answer satisfies, none cheaper does, every family is accounted for", () => {
    const families = new Set(CATALOGUE.instanceTypes.map((spec) => spec.family));
    let answered = 0;
    fc.assert(
      fc.property(anyDemand, (demand) => {
        const choice = chooseInstanceTypes(demand, CATALOGUE);
        const satisfying = CATALOGUE.instanceTypes.filter((spec) => satisfies(spec, demand));
        expect(new Set(choice.ranked.map((spec) => spec.type))).toEqual(
          new Set(satisfying.map((spec) => spec.type)),
        );
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
        expect(choice.ranked.length + choice.rejectedTypes.length).toBe(CATALOGUE.instanceTypes.length);
        const unasked = choice.rejectedTypes.filter(
          ({ lacks }) => lacks.length === 0 || !lacks.every((reason) => isAskedFor(reason, demand)),
        );
        expect(unasked).toEqual([]);
        for (const { nearest, because } of choice.rejected) {
          expect(because.startsWith(`${nearest} `) && because.length > nearest.length + 5, because).toBe(
            true,
          );
        }
        for (const spec of choice.ranked) {
          const options = cpuOptionsOf(spec, demand.needs);
          if (options === undefined) continue;
          expect(spec.bareMetal).toBe(false);
          expect(options.coreCount * options.threadsPerCore).toBeGreaterThanOrEqual(demand.needs.vcpus);
        }
      }),
      { numRuns: 1000, seed: 20_261_120 },
    );
    expect(answered).toBeGreaterThan(150);
  });

  it("puts every unpriced type after every priced one", () => {
    const kinds = chooseInstanceTypes({ needs: needs({ vcpus: 48 }) }, CATALOGUE).ranked.map(
      (spec) => spec.price.kind,
    );
    expect(kinds.indexOf("unpriced")).toBeGreaterThan(0);
    expect(kinds.slice(kinds.indexOf("unpriced"))).not.toContain("priced");
  });

  it("ranks by price as a number, not as text", () => {
    const amounts = chooseInstanceTypes({ needs: needs({ vcpus: 32 }) }, CATALOGUE).ranked.flatMap((spec) =>
      spec.price.kind === "priced" ? [spec.price.amount] : [],
    );
    expect(amounts.some((amount) => amount.length > 8)).toBe(true);
    expect(amounts).toEqual(amounts.toSorted((a, b) => new Decimal(a).comparedTo(b)));
  });

  it("says where GPUs on bare metal exist when a family has only one of the two", () => {
    const choice = chooseInstanceTypes({ needs: needs({ vcpus: 96, gpus: 8, bareMetal: true }) }, CATALOGUE);
    expect(choice.ranked.map((spec) => spec.type)).toEqual(["g4dn.metal"]);
    const p5 = choice.rejected.find((rejection) => rejection.family === "p5");
    expect(p5?.because).toBe(
      "p5.48xlarge is virtualised, not bare metal (GPUs on bare metal exist only as g4dn.metal and g5g.metal)",
    );
  });

  it("never counts a fraction of a GPU as one", () => {
    const choice = chooseInstanceTypes({ needs: needs({ gpus: 1 }) }, CATALOGUE);
    expect(choice.ranked.map((spec) => spec.family)).not.toContain("g6f");
    expect(choice.rejected.find((rejection) => rejection.family === "g6f")?.because).toContain(
      "a fraction of one l4 GPU",
    );
  });

  it("takes a GPU model as a person writes it", () => {
    const written = chooseInstanceTypes({ needs: needs({ gpus: 1, gpuModel: "NVIDIA A10G" }) }, CATALOGUE);
    expect(written.ranked[0]?.type).toBe("g5.xlarge");
    const known = chooseInstanceTypes({ needs: needs({ gpus: 1, gpuModel: "a10g" }) }, CATALOGUE);
    expect(written.ranked).toEqual(known.ranked);
  });

  it("prefers a virtual machine to metal of the same price", () => {
    const types = chooseInstanceTypes(
      { needs: needs({ vcpus: 16, architecture: "arm64" }) },
      CATALOGUE,
    ).ranked.map((spec) => spec.type);
    expect(types.indexOf("a1.4xlarge")).toBeLessThan(types.indexOf("a1.metal"));
  });

  it("never takes a type that EC2 itself does not list any more", () => {
    const { rejectedTypes, ranked } = chooseInstanceTypes({ needs: needs({ gpus: 1 }) }, CATALOGUE);
    expect(rejectedTypes.find(({ type }) => type === "g4ad.xlarge")?.lacks).toEqual([
      "was not on EC2's own list of 2026-10-27",
    ]);
    expect(ranked[0]?.type).toBe("g4dn.xlarge");
  });

  it("never takes hard disks for NVMe, although EC2 gives them an NVMe interface", () => {
    const { rejectedTypes } = chooseInstanceTypes({ needs: needs({ nvmeGB: 1000 }) }, CATALOGUE);
    const d3en = rejectedTypes.find(({ type }) => type === "d3en.xlarge");
    expect(d3en?.lacks).toEqual(["has hard disks, not NVMe flash"]);
  });

  it("counts vCPUs after CPU options, and refuses those on bare metal", () => {
    const oneThread = needs({ vcpus: 64, memoryGiB: 128, threadsPerCore: 1 });
    const choice = chooseInstanceTypes({ needs: oneThread }, CATALOGUE);
    const byType = new Map(choice.ranked.map((spec) => [spec.type, spec]));
    const c7i = byType.get("c7i.48xlarge");
    if (c7i === undefined) throw new Error("c7i.48xlarge has 96 cores, and is not ranked");
    expect(cpuOptionsOf(c7i, oneThread)).toEqual({ coreCount: 96, threadsPerCore: 1 });
    const c7a = byType.get("c7a.16xlarge");
    if (c7a === undefined) throw new Error("c7a.16xlarge has 64 cores of one thread, and is not ranked");
    expect(cpuOptionsOf(c7a, oneThread)).toBeUndefined();
    expect(choice.rejectedTypes.find(({ type }) => type === "c7i.16xlarge")?.lacks).toEqual([
      "has 32 of 64 vCPUs",
    ]);
    expect(choice.rejectedTypes.find(({ type }) => type === "c7i.metal-48xl")?.lacks).toEqual([
      "boots with 96 cores of 2 threads, and CPU options are refused on bare metal",
    ]);
  });

  it("finds ENA Express, disks by number, spot and capacity blocks", () => {
    const lacksOf = (demand: PoolDemand, type: string) =>
      chooseInstanceTypes(demand, CATALOGUE).rejectedTypes.find((one) => one.type === type)?.lacks;
    expect(lacksOf({ needs: needs({ enaExpress: true }) }, "c5.large")).toEqual(["has no ENA Express"]);
    expect(lacksOf({ needs: needs({ nvmeDisks: 2 }) }, "i4i.xlarge")).toEqual([
      "has 1 of 2 local NVMe disks",
    ]);
    expect(lacksOf({ needs: needs({}), spot: true }, "hpc7a.12xlarge")).toEqual(["is not sold as spot"]);
    const block = { needs: needs({ gpus: 8 }), capacityBlockId: "cr-0123456789abcdef0" };
    expect(lacksOf(block, "g6.48xlarge")).toEqual(["is not sold in capacity blocks"]);
    expect(chooseInstanceTypes(block, CATALOGUE).ranked.map((spec) => spec.type)).toContain("p5.48xlarge");
  });

  it("asks for two zones where two hosts are wanted, and says which zone lacks a type", () => {
    const live = {
      ...CATALOGUE,
      zones: ["us-east-1a", "us-east-1b", "us-east-1e"],
      instanceTypes: CATALOGUE.instanceTypes.map((spec) => ({
        ...spec,
        zones:
          spec.family === "m5a" ? ["us-east-1a", "us-east-1b"] : spec.family === "c7i" ? ["us-east-1a"] : [],
      })),
    };
    const lacksOf = (demand: PoolDemand, type: string) =>
      chooseInstanceTypes(demand, live).rejectedTypes.find((one) => one.type === type)?.lacks;
    const demand = { needs: needs({}), count: 2 };
    expect(chooseInstanceTypes(demand, live).ranked[0]?.type).toBe("m5a.large");
    expect(lacksOf(demand, "c7i.large")).toEqual([
      "is offered in us-east-1a alone, and 2 hosts want two zones",
    ]);
    expect(lacksOf({ ...demand, placement: "cluster" }, "c7i.large")).toBeUndefined();
    expect(lacksOf(demand, "m6i.large")).toEqual(["is not offered in us-east-1a, us-east-1b, us-east-1e"]);
    expect(lacksOf({ ...demand, zones: ["us-east-1b", "us-east-1e"] }, "m5a.large")).toEqual([
      "is not offered in us-east-1e",
    ]);
  });

  it("leaves NUMA nodes to the host, and says so", () => {
    expect(chooseInstanceTypes({ needs: needs({ numaNodes: 2 }) }, CATALOGUE).unchecked).toHaveLength(1);
    expect(chooseInstanceTypes({ needs: needs({}) }, CATALOGUE).unchecked).toEqual([]);
  });

  it("ranks without prices in the order of the prices that are known, in a region that has none", () => {
    const choice = chooseInstanceTypes({ needs: needs({}) }, loadCatalogue("eu-west-1"));
    const known = chooseInstanceTypes({ needs: needs({}) }, CATALOGUE);
    expect(choice.ranked.map((spec) => spec.type)).toEqual(known.ranked.map((spec) => spec.type));
    expect(new Set(choice.ranked.map((spec) => spec.price.kind))).toEqual(new Set(["unpriced"]));
  });
});
