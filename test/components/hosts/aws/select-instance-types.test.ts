import { describe, expect, test } from "vitest";
import { type AwsPool, awsPoolSchema } from "../../../../components/environment/environment-spec.ts";
import {
  describeSelection,
  selectInstanceTypes,
} from "../../../../components/hosts/aws/select-instance-types.ts";
import { loadCatalogue } from "../../../../cost/catalogue/catalogue.ts";

const catalogue = loadCatalogue("us-east-1");

function pool(changes: Record<string, unknown>): AwsPool {
  return awsPoolSchema.parse({
    name: "trial",
    where: "aws",
    count: 1,
    needs: { vcpus: 2, memoryGiB: 8 },
    ...changes,
  });
}

function messagesOf(result: ReturnType<typeof selectInstanceTypes>): readonly string[] {
  return "faults" in result ? result.faults.map((fault) => `${fault.path}: ${fault.message}`) : [];
}

describe("selectInstanceTypes()", () => {
  test("takes the cheapest type first and says what it costs, where and as of when", () => {
    const result = selectInstanceTypes(pool({}), "hostPools[0]", catalogue);
    if ("faults" in result) throw new Error(messagesOf(result).join());
    const prices = result.choice.ranked.map((spec) =>
      spec.price.kind === "priced" ? Number(spec.price.amount) : Number.POSITIVE_INFINITY,
    );
    expect(prices).toEqual(prices.toSorted((a, b) => a - b));
    expect(describeSelection(result)).toMatch(
      /^m5a\.large \(0\.086000 USD per hour on demand in us-east-1 as of \d{4}-\d\d-\d\d\); \d+ types fit, \d+ families do not$/,
    );
  });

  test("says so where the region's prices are not known, and never prices it at 0", () => {
    const result = selectInstanceTypes(pool({}), "hostPools[0]", loadCatalogue("eu-central-1"));
    if ("faults" in result) throw new Error(messagesOf(result).join());
    expect(describeSelection(result)).toContain("unpriced: the catalogue has prices of us-east-1 only");
  });

  test("names the families with GPUs where GPUs on bare metal were asked for in vain", () => {
    const needs = { vcpus: 8, memoryGiB: 32, gpus: 8, gpuModel: "h100", bareMetal: true };
    const [message] = messagesOf(
      selectInstanceTypes(pool({ needs, rootVolumeGiB: 100 }), "hostPools[3]", catalogue),
    );
    expect(message).toMatch(/^hostPools\[3\]\.needs: no instance type satisfies them; of \d+ families/);
    expect(message).toContain("p5.48xlarge is virtualised, not bare metal");
    expect(message).toContain("GPUs on bare metal exist only as g4dn.metal and g5g.metal");
  });

  test("takes one type on demand, and on spot those that launch from the same template", () => {
    const onDemand = selectInstanceTypes(pool({}), "hostPools[0]", catalogue);
    if ("faults" in onDemand) throw new Error(messagesOf(onDemand).join());
    expect(onDemand.instanceTypes).toHaveLength(1);
    const needs = { vcpus: 8, memoryGiB: 16, threadsPerCore: 1 };
    const spot = selectInstanceTypes(pool({ spot: true, needs }), "hostPools[0]", catalogue);
    if ("faults" in spot) throw new Error(messagesOf(spot).join());
    const layouts = spot.choice.ranked.slice(0, 6).map((spec) => spec.cpu);
    expect(new Set(layouts.map((cpu) => `${cpu?.cores} x ${cpu?.threadsPerCore}`)).size).toBeGreaterThan(1);
    expect(spot.instanceTypes.length).toBeLessThan(6);
    for (const spec of spot.instanceTypes) expect(spec.cpu).toEqual(spot.instanceTypes[0].cpu);
  });

  test.each<[string, Record<string, unknown>, readonly string[]]>([
    [
      "reservation, placement and spot",
      { placement: "spread", spot: true, capacityReservationId: "cr-0123456789abcdef0" },
      [
        'placement: "spread" cannot go with a capacity reservation: its hosts stand where it was made',
        "spot: spot hosts cannot use a capacity reservation",
        "zones: a capacity reservation lies in one zone: name the one of capacityReservationId",
      ],
    ],
    [
      "a block and a reservation",
      {
        zones: ["us-east-1a"],
        capacityReservationId: "cr-0123456789abcdef0",
        capacityBlockId: "cr-0123456789abcdef1",
        needs: { vcpus: 8, memoryGiB: 16, gpus: 8 },
        rootVolumeGiB: 200,
        warmPool: { count: 1 },
      },
      [
        "capacityReservationId: cannot go with a capacity block: hosts take one",
        "warmPool: stopped hosts hold no place in a capacity block",
      ],
    ],
    [
      "a cluster over two zones",
      { placement: "cluster", zones: ["us-east-1a", "us-east-1b"] },
      ["zones: a cluster placement group lies in one zone"],
    ],
    [
      "more spread hosts than a zone holds",
      { placement: "spread", count: 8, zones: ["us-east-1a"] },
      ['placement: "spread" holds 7 hosts in these zones, not 8'],
    ],
    [
      "hosts on demand of no spot pool, more than there are hosts",
      { onDemandCount: 2 },
      [
        "onDemandCount: is of a spot pool: hosts of others are all on demand",
        "onDemandCount: 2 is above count 1",
      ],
    ],
    [
      "spot hosts that wait",
      { spot: true, warmPool: { count: 1 } },
      ["warmPool: spot hosts cannot wait stopped"],
    ],
    [
      "a volume that is faster than its size and its IOPS allow",
      { rootVolumeGiB: 10, rootVolume: { type: "gp3", iops: 6000, throughputMiBPerSec: 2000 } },
      [
        "rootVolume.iops: 6000 are above 500 per GiB: 10 GiB have at most 5000",
        "rootVolume.throughputMiBPerSec: 2000 MiB/s take 8000 IOPS, and it has 6000",
      ],
    ],
    [
      "a GPU image on a small volume, and a date for an image that is named",
      {
        needs: { vcpus: 4, memoryGiB: 16, gpus: 1 },
        rootVolumeGiB: 40,
      },
      ["rootVolumeGiB: 40 is below the 75 of the image with the NVIDIA driver"],
    ],
    [
      "a date for an image that is named",
      { image: { amiId: "ami-0123456789abcdef0", asOf: "2026-11-01" } },
      ["image.asOf: says nothing of an image that is named: leave it out"],
    ],
    [
      "a zone of another region",
      { zones: ["eu-west-1a"] },
      ['zones[0]: "eu-west-1a" is no zone of us-east-1'],
    ],
  ])("fails for %s, all faults at once", (_, changes, faults) => {
    expect(messagesOf(selectInstanceTypes(pool(changes), "hostPools[0]", catalogue))).toEqual(
      faults.map((fault) => `hostPools[0].${fault}`),
    );
  });
});
