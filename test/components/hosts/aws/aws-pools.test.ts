import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { dev } from "../../../../stacks/dev.ts";
import {
  answerAccountCalls,
  describedType,
  errorsOf,
  previewEnvironment,
  resourceIn,
  textOf,
} from "../../../helpers/preview-environment.ts";
import { PROGRAM_LIMIT_MILLIS, type ProgramArgs, type ProgramRun } from "../../../helpers/program-host.ts";

vi.setConfig({ testTimeout: 2 * PROGRAM_LIMIT_MILLIS, hookTimeout: 2 * PROGRAM_LIMIT_MILLIS });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bedplate-aws-pools-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const RESERVATION = "cr-0123456789abcdef0";
const BLOCK = "cr-0123456789abcdef1";

function preview(pools: readonly object[], args: Partial<ProgramArgs> = {}): Promise<ProgramRun> {
  const file = path.join(folder, `${pools.length}-${JSON.stringify(pools).length}.yaml`);
  const hostPools = pools.map((pool, index) => ({
    name: `pool-${index}`,
    where: "aws",
    count: 1,
    needs: { vcpus: 2, memoryGiB: 8 },
    ...pool,
  }));
  writeFileSync(file, stringify({ ...dev, name: "trial", hostPools }));
  return previewEnvironment("trial", { ...args, config: { environmentFile: file, ...args.config } });
}

describe("pools with much to ask for", () => {
  let run: ProgramRun;
  beforeAll(async () => {
    run = await preview([
      {
        needs: { vcpus: 96, memoryGiB: 1024, gpus: 8, gpuModel: "b300", efaInterfaces: 16 },
        rootVolumeGiB: 500,
        rootVolume: { type: "io2", iops: 64_000 },
        zones: ["us-east-1b"],
        capacityBlockId: BLOCK,
      },
      {
        needs: { vcpus: 32, memoryGiB: 64, threadsPerCore: 1, enaExpress: true, architecture: "x86_64" },
        rootVolume: { type: "gp3", iops: 8000, throughputMiBPerSec: 500 },
        image: { amiId: "ami-0fedcba9876543210" },
        count: 2,
        maxCount: 6,
        warmPool: { count: 2 },
      },
      {
        needs: { vcpus: 2, memoryGiB: 8, architecture: "arm64" },
        image: { asOf: "2026-11-20" },
        spot: true,
        count: 4,
        onDemandCount: 1,
        outbound: [{ cidr: "10.0.8.0/21", port: 6379, because: "Redis of the sessions" }],
      },
      { zones: ["us-east-1a"], capacityReservationId: RESERVATION, count: 3 },
    ]);
  });

  test("end well", () => expect(run.exitCode, errorsOf(run)).toBe(0));

  test("lay out 17 cards, of which 16 carry EFA, and take the block's market in its zone", () => {
    const { inputs } = resourceIn(run, "LaunchTemplate", "trial-pool-0");
    const interfaces = inputs["networkInterfaces"] as { interfaceType: string; networkCardIndex: number }[];
    expect(interfaces.map((one) => `${one.networkCardIndex} ${one.interfaceType}`)).toEqual([
      "0 interface",
      ...Array.from({ length: 16 }, (_, index) => `${index + 1} efa-only`),
    ]);
    expect(inputs).toMatchObject({
      instanceType: "p6-b300.48xlarge",
      instanceMarketOptions: { marketType: "capacity-block" },
      capacityReservationSpecification: { capacityReservationTarget: { capacityReservationId: BLOCK } },
      blockDeviceMappings: [{ ebs: { volumeType: "io2", iops: 64_000, volumeSize: 500 } }],
    });
    expect(inputs).not.toHaveProperty("vpcSecurityGroupIds");
    const group = resourceIn(run, "Group", "trial-pool-0").inputs;
    expect(group["vpcZoneIdentifiers"]).toEqual(["subnet-0bbbbbbbbbbbbbbb0"]);
    expect(group).toMatchObject({ instanceRefresh: { preferences: { minHealthyPercentage: 0 } } });
    expect(group["instanceRefresh"]).not.toHaveProperty("preferences.maxHealthyPercentage");
  });

  test("open all ports among EFA hosts of the pool, and none to others", () => {
    const open = run.resources.filter((resource) => resource.inputs["ipProtocol"] === "-1");
    expect(open.map((resource) => resource.name)).toEqual(["trial-pool-0-efa", "trial-pool-0-efa"]);
    for (const { inputs } of open)
      expect(inputs["referencedSecurityGroupId"]).toBe(inputs["securityGroupId"]);
  });

  test("set threads by CPU options, and ENA Express on the interface with IP", () => {
    const { inputs } = resourceIn(run, "LaunchTemplate", "trial-pool-1");
    const type = describedType(textOf(inputs["instanceType"]));
    if (type === undefined) throw new Error(`The catalogue lacks ${JSON.stringify(inputs["instanceType"])}`);
    const isSet = type["defaultThreadsPerCore"] === 2;
    expect(inputs["cpuOptions"]).toEqual(
      isSet ? { coreCount: type["defaultCores"], threadsPerCore: 1 } : undefined,
    );
    expect(type["enaSrdSupported"]).toBe(true);
    expect(inputs["networkInterfaces"]).toMatchObject([
      {
        networkCardIndex: 0,
        interfaceType: "interface",
        enaSrdSpecification: { enaSrdEnabled: true, enaSrdUdpSpecification: { enaSrdUdpEnabled: true } },
      },
    ]);
    expect(inputs).toMatchObject({
      imageId: "ami-0fedcba9876543210",
      blockDeviceMappings: [{ ebs: { volumeType: "gp3", iops: 8000, throughput: 500 } }],
    });
    expect(run.resources.map((resource) => resource.name)).not.toContain("trial-pool-1-image");
    expect(resourceIn(run, "Group", "trial-pool-1").inputs).toMatchObject({
      warmPool: { poolState: "Stopped", minSize: 2 },
      instanceRefresh: { preferences: { minHealthyPercentage: 100, maxHealthyPercentage: 150 } },
    });
  });

  test("keep a host on demand among spot ones of several types, and replace before EC2 takes one", () => {
    const { inputs } = resourceIn(run, "Group", "trial-pool-2");
    expect(inputs).toMatchObject({
      capacityRebalance: true,
      mixedInstancesPolicy: {
        instancesDistribution: {
          onDemandBaseCapacity: 1,
          onDemandPercentageAboveBaseCapacity: 0,
          spotAllocationStrategy: "price-capacity-optimized",
        },
      },
    });
    const { launchTemplate } = inputs["mixedInstancesPolicy"] as {
      launchTemplate: { overrides: { instanceType: string }[] };
    };
    expect(launchTemplate.overrides).toHaveLength(6);
    const parameter = resourceIn(run, "Parameter", "trial-pool-2-image-2026-11-20").inputs["description"];
    expect(parameter).toContain("al2023-ami-kernel-default-arm64");
    const outbound = run.resources.filter(
      (resource) =>
        resource.type.endsWith(":SecurityGroupEgressRule") && resource.parent.endsWith("trial-pool-2"),
    );
    expect(
      outbound.map(({ inputs: rule }) => [rule["cidrIpv4"], rule["fromPort"], rule["description"]]),
    ).toEqual([
      ["0.0.0.0/0", 443, "Archives, Systems Manager and HTTPS APIs"],
      ["10.0.8.0/21", 6379, "Redis of the sessions"],
    ]);
  });

  test("make room in a reservation before they fill it", () => {
    expect(resourceIn(run, "LaunchTemplate", "trial-pool-3").inputs).toMatchObject({
      capacityReservationSpecification: { capacityReservationTarget: { capacityReservationId: RESERVATION } },
    });
    const { inputs } = resourceIn(run, "Group", "trial-pool-3");
    expect(inputs).toMatchObject({ instanceRefresh: { preferences: { minHealthyPercentage: 50 } } });
    expect(inputs["instanceRefresh"]).not.toHaveProperty("preferences.maxHealthyPercentage");
  });

  test("run in the hours of the environment alone", () => {
    const schedules = run.resources.filter((resource) => resource.type.endsWith(":Schedule"));
    expect(schedules).toHaveLength(8);
    expect(resourceIn(run, "Schedule", "trial-pool-1-start").inputs).toMatchObject({
      recurrence: "0 7 * * MON-FRI",
      timeZone: "Europe/Berlin",
      minSize: 2,
      maxSize: 6,
      desiredCapacity: 2,
    });
    expect(resourceIn(run, "Schedule", "trial-pool-1-stop").inputs).toMatchObject({
      recurrence: "0 19 * * MON-FRI",
      minSize: 0,
      maxSize: 0,
      desiredCapacity: 0,
    });
    expect(resourceIn(run, "Group", "trial-pool-1").ignoreChanges).toEqual([
      "minSize",
      "maxSize",
      "desiredCapacity",
    ]);
  });
});

describe("what the account answers", () => {
  const messagesOf = (run: ProgramRun, severity: string) =>
    run.logs.filter((line) => line.severity === severity).map((line) => line.message);

  /** An account like the usual one, but for what is said here. */
  const account =
    (changes: {
      readonly zonesOf?: (type: string) => readonly string[];
      readonly describe?: (type: string) => Record<string, unknown>;
    }): NonNullable<ProgramArgs["invoke"]> =>
    (token, args) => {
      const answer = answerAccountCalls(token, args);
      if (token.endsWith(":getInstanceTypeOfferings") && changes.zonesOf !== undefined) {
        const { zonesOf } = changes;
        const types = (answer?.["instanceTypes"] ?? []) as string[];
        const locations = (answer?.["locations"] ?? []) as string[];
        const offers = types.flatMap((type, index) => {
          const zone = locations[index] ?? "";
          return zonesOf(type).includes(zone) ? [[type, zone] as const] : [];
        });
        return { instanceTypes: offers.map(([type]) => type), locations: offers.map(([, zone]) => zone) };
      }
      if (token.endsWith(":getInstanceType") && changes.describe !== undefined) {
        return { ...answer, ...changes.describe(textOf(args["instanceType"])) };
      }
      return answer;
    };

  test("a type that its zones lack is not taken, and the next one stands where it is offered", async () => {
    const run = await preview([{}], {
      invoke: account({
        zonesOf: (type) =>
          type.startsWith("m5a.") ? [] : type === "m6a.large" ? ["us-east-1b"] : ["us-east-1a"],
      }),
    });
    expect(run.exitCode, errorsOf(run)).toBe(0);
    expect(resourceIn(run, "LaunchTemplate", "trial-pool-0").inputs["instanceType"]).toBe("m6a.large");
    expect(resourceIn(run, "Group", "trial-pool-0").inputs["vpcZoneIdentifiers"]).toEqual([
      "subnet-0bbbbbbbbbbbbbbb0",
    ]);
    expect(run.outputs["pools"]).toMatchObject({ "pool-0": { machineType: "m6a.large" } });
    expect(messagesOf(run, "info")).toContainEqual(
      expect.stringMatching(/^pool pool-0: m6a\.large \(.*\) in us-east-1b; \d+ types fit/),
    );
  });

  test("asks the zones of its subnets, and EC2 itself about the types that lead, once each and no other", async () => {
    const run = await preview([{ zones: ["us-east-1a"] }, { spot: true }]);
    const asked = (name: string) => run.invokes.filter(({ token }) => token.endsWith(`:${name}`));
    expect(asked("getInstanceTypeOfferings").map(({ args }) => args["filters"])).toEqual([
      [{ name: "location", values: ["us-east-1a", "us-east-1b"] }],
    ]);
    // The first of the spot pool's six is the other pool's only one.
    const types = asked("getInstanceType").map(({ args }) => args["instanceType"]);
    expect(new Set(types).size).toBe(6);
    expect(types).toHaveLength(6);
  });

  test("asks once for the newest image of each kind, which every pool then keeps for itself", async () => {
    const arm = { vcpus: 2, memoryGiB: 8, architecture: "arm64" };
    const run = await preview([{}, { spot: true }, { needs: arm }, { image: { asOf: "2026-11-01" } }]);
    const asked = run.invokes.filter(({ token }) => token.endsWith(":getParameter"));
    expect(asked.map(({ args }) => textOf(args["name"])).toSorted()).toEqual(
      ["arm64", "x86_64"].map(
        (architecture) => `/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${architecture}`,
      ),
    );
    const kept = run.resources.filter(({ type }) => type === "aws:ssm/parameter:Parameter");
    expect(kept.map(({ name }) => name).toSorted()).toEqual([
      "trial-pool-0-image",
      "trial-pool-1-image",
      "trial-pool-2-image",
      "trial-pool-3-image-2026-11-01",
    ]);
  });

  test("EC2's word outweighs the catalogue: a type that shrank is not taken, and people are told", async () => {
    const run = await preview([{}], {
      invoke: account({ describe: (type) => (type === "m5a.large" ? { memorySize: 4096 } : {}) }),
    });
    expect(resourceIn(run, "LaunchTemplate", "trial-pool-0").inputs["instanceType"]).toBe("m6a.large");
    expect(messagesOf(run, "warning")).toEqual([
      "pool pool-0: m5a.large has 4096 MiB of memory; the catalogue says 8192",
    ]);
  });

  test("fails when no zone has what a pool needs, and says where what is lacking", async () => {
    const run = await preview(
      [{ count: 2, needs: { vcpus: 96, memoryGiB: 512, gpus: 8, gpuModel: "h100" }, rootVolumeGiB: 200 }],
      {
        invoke: account({ zonesOf: (type) => (type === "p5.48xlarge" ? ["us-east-1b"] : []) }),
      },
    );
    expect(run.exitCode).not.toBe(0);
    const [error] = messagesOf(run, "error");
    expect(error).toContain("hostPools[0].needs: no instance type satisfies them");
    expect(error).toContain("p5.48xlarge is offered in us-east-1b alone, and 2 hosts want two zones");
    expect(error).not.toContain("    at ");
  });

  test("fails for a zone without a subnet", async () => {
    const run = await preview([{ zones: ["us-east-1f"] }]);
    expect(run.exitCode).not.toBe(0);
    expect(messagesOf(run, "error").join("\n")).toContain(
      'hostPools[0].zones[0]: there is no subnet in "us-east-1f"; there are in us-east-1a, us-east-1b',
    );
  });
});
