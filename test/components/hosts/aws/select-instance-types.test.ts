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
    const prices = result.instanceTypes.map((spec) =>
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
    const [message] = messagesOf(selectInstanceTypes(pool({ needs }), "hostPools[3]", catalogue));
    expect(message).toMatch(/^hostPools\[3\]\.needs: no instance type satisfies them; of \d+ families/);
    expect(message).toContain("p5.48xlarge is virtualised, not bare metal");
    expect(message).toContain("GPUs on bare metal exist only as g4dn.metal and g5g.metal");
  });

  test("fails for settings that exclude each other, all at once", () => {
    const changes = { placement: "spread", spot: true, capacityReservationId: "cr-0123456789abcdef0" };
    expect(messagesOf(selectInstanceTypes(pool(changes), "hostPools[0]", catalogue))).toEqual([
      'hostPools[0].placement: "spread" cannot go with a capacity reservation: its hosts stand where it was made',
      "hostPools[0].spot: spot hosts cannot use a capacity reservation",
    ]);
  });
});
