import { describe, expect, it } from "vitest";
import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import {
  commitmentsSchema,
  NO_COMMITMENTS,
  type RunningHosts,
  uncoveredPerHour,
} from "../../../cost/right-size/commitments.ts";
import { parseContract } from "../../../host-tuning/profile/parse-contract.ts";

const { instanceTypes } = loadCatalogue("us-east-1");

function hosts(type: string, count: number, pricePerHour: string): RunningHosts {
  const spec = instanceTypes.find((candidate) => candidate.type === type);
  if (spec === undefined) throw new Error(`no ${type}`);
  return { spec, count, pricePerHour };
}

function commitments(changes: object): typeof NO_COMMITMENTS {
  return parseContract(commitmentsSchema, { ...NO_COMMITMENTS, ...changes }, "commitments.yaml");
}

describe("uncoveredPerHour()", () => {
  it("is the on-demand price of what reservations do not cover", () => {
    const reserved = commitments({ reservations: [{ instanceType: "m6i.large", count: 3 }] });
    expect(uncoveredPerHour([hosts("m6i.large", 4, "0.10")], reserved).toFixed()).toBe("0.1");
    // Two of three reserved ones are enough: nothing more is saved below three.
    expect(uncoveredPerHour([hosts("m6i.large", 2, "0.10")], reserved).toFixed()).toBe("0");
    expect(uncoveredPerHour([hosts("m6i.xlarge", 2, "0.20")], reserved).toFixed()).toBe("0.4");
  });

  it("covers other sizes of the family by their factor where the reservation is size-flexible", () => {
    const reserved = commitments({
      reservations: [{ instanceType: "m6i.large", count: 3, sizeFlexible: true }],
    });
    // 3 large are 12 units: one xlarge of 8, and half of the next.
    expect(uncoveredPerHour([hosts("m6i.xlarge", 2, "0.20")], reserved).toFixed()).toBe("0.1");
    expect(uncoveredPerHour([hosts("c6i.xlarge", 2, "0.20")], reserved).toFixed()).toBe("0.4");
  });

  it("goes by the on-demand value of a savings plan, plans of one family first", () => {
    // 0.30 an hour at rates 25 % below on-demand is worth 0.40 of on-demand.
    const plan = { type: "compute", commitmentPerHour: "0.30", discountPercent: 25 };
    const both = commitments({
      savingsPlans: [
        plan,
        { type: "ec2-instance", family: "m6i", commitmentPerHour: "0.08", discountPercent: 20 },
      ],
    });
    expect(uncoveredPerHour([hosts("m6i.large", 10, "0.10")], both).toFixed()).toBe("0.5");
    expect(uncoveredPerHour([hosts("c6i.large", 10, "0.10")], both).toFixed()).toBe("0.6");
    expect(uncoveredPerHour([hosts("m6i.large", 3, "0.10")], both).toFixed()).toBe("0");
  });

  it("fails on commitments that are none, with every fault", () => {
    expect(() =>
      commitments({
        reservations: [
          { instanceType: "m6i", count: 0 },
          { instanceType: "m5.metal", count: 1, sizeFlexible: true },
        ],
        savingsPlans: [{ type: "ec2-instance", commitmentPerHour: "-1", discountPercent: 120 }],
      }),
    ).toThrow(
      expect.objectContaining({
        faults: expect.arrayContaining([
          expect.objectContaining({ path: "reservations[0].instanceType" }),
          expect.objectContaining({ path: "reservations[0].count" }),
          expect.objectContaining({ path: "savingsPlans[0].commitmentPerHour" }),
          expect.objectContaining({ path: "savingsPlans[0].discountPercent" }),
        ]),
      }),
    );
  });
});
