import path from "node:path";
import { describe, expect, it } from "vitest";
import {
  type Environment,
  type EnvironmentInput,
  environmentSchema,
} from "../../../components/environment/environment-spec.ts";
import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { buildCostEstimate } from "../../../cost/estimate/build-cost-estimate.ts";
import { type CostEstimate, costEstimateSchema } from "../../../cost/estimate/cost-estimate.ts";
import { renderEstimateCsv, renderEstimateTable } from "../../../cost/estimate/render-estimate.ts";
import { InputError } from "../../../host-tuning/errors.ts";

const GOLDEN = path.resolve(import.meta.dirname, "../../golden/cost");

function environment(changes: Partial<EnvironmentInput> = {}): Environment {
  return environmentSchema.parse({
    apiVersion: "bedplate/v1",
    kind: "Environment",
    name: "staging",
    region: "us-east-1",
    owner: { team: "payments", costCenter: "CC-7", service: "mcp-tools" },
    hostPools: [
      {
        name: "web",
        where: "aws",
        count: 3,
        maxCount: 5,
        needs: { vcpus: 8, memoryGiB: 16, nvmeGB: 400, architecture: "arm64", numaNodes: 1 },
      },
      { name: "gpu", where: "aws", count: 1, spot: true, needs: { vcpus: 8, memoryGiB: 32, gpus: 1 } },
    ],
    service: { runtime: "kubernetes", image: `registry.example.com/mcp@sha256:${"0".repeat(64)}` },
    budget: { currency: "USD", perMonth: "1300.00" },
    ...changes,
  } satisfies EnvironmentInput);
}

function estimate(changes?: Partial<EnvironmentInput>, region = "us-east-1"): CostEstimate {
  const built = buildCostEstimate(environment(changes), loadCatalogue(region), "team");
  expect(costEstimateSchema.parse(built)).toEqual(built);
  return built;
}

describe("buildCostEstimate()", () => {
  it("multiplies price, hours and hosts exactly", () => {
    const { lines, total, budget } = estimate();
    expect(lines.filter((line) => line.kind === "priced")).toMatchObject([
      // 0.307200 x 730 x 3 and x 5
      { instanceType: "c6gd.2xlarge", perMonth: "672.768", perMonthAtMost: "1121.28" },
      // 0.541170 x 730
      { instanceType: "g4dn.2xlarge", perMonth: "548.96", perMonthAtMost: "548.96" },
    ]);
    expect(total).toEqual({
      perMonth: "1221.728",
      perMonthAtMost: "1670.24",
      perMonthRounded: "1221.73",
      perMonthAtMostRounded: "1670.24",
    });
    expect(budget).toEqual({
      perMonth: "1300.00",
      remaining: "78.27",
      remainingAtMost: "-370.24",
      isWithin: true,
    });
  });

  it("lists what has no price with the reason, and leaves it out of the total", () => {
    const frankfurt = estimate({ region: "eu-central-1" }, "eu-central-1");
    expect(frankfurt.total.perMonth).toBe("0");
    expect(frankfurt.lines.every((line) => line.kind === "unpriced")).toBe(true);
    expect(frankfurt.unpricedLines).toBe(frankfurt.lines.length);
    expect(frankfurt.lines[0]).toMatchObject({
      kind: "unpriced",
      because: "the catalogue has prices of us-east-1 only, none of eu-central-1",
    });
    expect(JSON.stringify(frankfurt.lines)).not.toContain("perMonth");
  });

  it("does not bill machines that exist already", () => {
    const local = estimate({
      region: "local",
      service: { runtime: "systemd" },
      hostPools: [
        { name: "lab", where: "local", count: 1, needs: { vcpus: 2, memoryGiB: 2 } },
        {
          name: "rack",
          where: "ssh",
          needs: { vcpus: 2, memoryGiB: 2 },
          hosts: ["a", "b"].map((name) => ({
            name: `rack-${name}`,
            address: name,
            hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPsBjxTEGRzTnDH6oApDsdPTEMVoMRbnNqHfCNFnYpG8",
          })),
        },
      ],
    });
    expect(local.lines.map((line) => line.kind)).toEqual(["not-billed", "not-billed"]);
    expect(local.total.perMonthRounded).toBe("0.00");
  });

  it("goes by the schedule's hours and says so", () => {
    const offHours = estimate({ schedule: { hoursPerMonth: 182.5 } });
    expect(offHours.total.perMonth).toBe("305.432");
    expect(offHours.assumptions[0]).toBe("hosts run 182.5 hours a month (the environment's schedule)");
  });

  it("has the bill's keys", () => {
    const built = buildCostEstimate(environment(), loadCatalogue("us-east-1"), "cost-center");
    expect(built.rows).toMatchObject([{ owner: "CC-7", perMonth: "1221.728" }]);
    expect(built.lines[0]?.owner).toEqual({
      team: "payments",
      "cost-center": "CC-7",
      service: "mcp-tools",
      environment: "staging",
    });
  });

  it("fails naming every pool that no type fits, and what came nearest", () => {
    const impossible = { vcpus: 96, memoryGiB: 64, gpus: 8, gpuModel: "h100", bareMetal: true };
    expect(() =>
      estimate({
        hostPools: [
          { name: "one", where: "aws", count: 1, needs: impossible },
          { name: "two", where: "aws", count: 1, needs: { vcpus: 2, memoryGiB: 4 } },
          { name: "three", where: "aws", count: 1, needs: { vcpus: 1000, memoryGiB: 4 } },
        ],
      }),
    ).toThrow(
      expect.objectContaining({
        name: InputError.name,
        faults: [
          {
            path: "hostPools[0].needs",
            message: expect.stringContaining("GPUs on bare metal exist only as"),
          },
          {
            path: "hostPools[2].needs",
            message: expect.stringMatching(/nearest: \S+ has \d+ of 1000 vCPUs/),
          },
        ],
      }),
    );
  });
});

describe("renderEstimateTable() and renderEstimateCsv()", () => {
  it("read as the golden files, at most 100 columns wide", async () => {
    const table = renderEstimateTable(estimate());
    expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    await expect(table).toMatchFileSnapshot(path.join(GOLDEN, "estimate-staging.txt"));
    await expect(renderEstimateCsv(estimate())).toMatchFileSnapshot(
      path.join(GOLDEN, "estimate-staging.csv"),
    );
  });

  it("shout when the estimate is over the budget", () => {
    const over = renderEstimateTable(estimate({ budget: { currency: "USD", perMonth: "1000.00" } }));
    expect(over).toContain("estimated 1221.73: OVER by 221.73");
  });
});
