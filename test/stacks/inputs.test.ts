import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { prod } from "../../stacks/prod.ts";
import {
  ARCHIVES,
  answerAccountCalls,
  errorsOf,
  previewEnvironment,
} from "../helpers/preview-environment.ts";
import { PROGRAM_LIMIT_MILLIS, type ProgramRun, runProgram } from "../helpers/program-host.ts";

vi.setConfig({ testTimeout: 2 * PROGRAM_LIMIT_MILLIS, hookTimeout: 2 * PROGRAM_LIMIT_MILLIS });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bedplate-bad-input-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function previewFile(name: string, environment: unknown, config: Record<string, string> = {}) {
  const file = path.join(folder, `${name}.yaml`);
  writeFileSync(file, stringify(environment));
  return previewEnvironment("trial", { config: { environmentFile: file, ...config } });
}

/** What the engine shows: the fault lines of the one error, without its headline. */
function faultsOf(run: ProgramRun): string[] {
  const errors = run.logs.filter((line) => line.severity === "error");
  expect(errors).toHaveLength(1);
  const [headline, ...faults] = (errors[0]?.message ?? "").trimEnd().split("\n");
  expect(headline).toContain(`${faults.length} ${faults.length === 1 ? "fault" : "faults"}`);
  return faults.map((fault) => fault.trim());
}

function expectNothingMade(run: ProgramRun): void {
  expect(run.exitCode).not.toBe(0);
  expect(run.resources.filter((resource) => resource.type !== "pulumi:pulumi:Stack")).toEqual([]);
}

describe("an environment file", () => {
  test("fails with all of its five faults in one error, and registers nothing", async () => {
    const run = await previewFile("five-faults", {
      ...prod,
      name: "Prod!",
      region: "mars-1",
      owner: { ...prod.owner, costCenter: "" },
      service: { ...prod.service, cpus: 1.5 },
      budget: { currency: "USD", perMonth: "a lot" },
    });
    expectNothingMade(run);
    expect(faultsOf(run)).toEqual([
      expect.stringMatching(/^name: 2 to 40 lower-case letters/),
      expect.stringMatching(/^region: an AWS region/),
      expect.stringMatching(/^owner\.costCenter: 2 to 32 letters/),
      expect.stringMatching(/^service\.cpus: .*expected int/i),
      expect.stringMatching(/^budget\.perMonth: a decimal amount/),
    ]);
  });

  test("fails when no instance type has what a pool needs, and says what comes nearest", async () => {
    const [metal, gpu] = prod.hostPools;
    const run = await previewFile("no-type", {
      ...prod,
      hostPools: [
        metal,
        { ...gpu, needs: { vcpus: 8, memoryGiB: 32, gpus: 8, bareMetal: true, gpuModel: "h100" } },
      ],
    });
    expectNothingMade(run);
    const faults = faultsOf(run);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^hostPools\[1\]\.needs: no instance type satisfies them/);
    expect(faults[0]).toContain("GPUs on bare metal exist only as g4dn.metal and g5g.metal");
  });

  test("fails where settings of a pool exclude each other", async () => {
    const [metal] = prod.hostPools;
    const run = await previewFile("reservation", {
      ...prod,
      hostPools: [
        { ...metal, placement: "cluster", spot: true, capacityReservationId: "cr-0123456789abcdef0" },
      ],
    });
    expectNothingMade(run);
    expect(faultsOf(run)).toEqual([
      expect.stringMatching(/^hostPools\[0\]\.placement: "cluster" cannot go with a capacity reservation/),
      expect.stringMatching(/^hostPools\[0\]\.spot: spot hosts cannot use a capacity reservation/),
      expect.stringMatching(/^hostPools\[0\]\.zones: a capacity reservation lies in one zone/),
    ]);
  });

  test("fails when a host's user data is above the limit", async () => {
    const overrides = Object.fromEntries(
      Array.from({ length: 2000 }, (_, index) => [
        `net.core.knob_${index}`,
        { value: (index * 2_654_435_761) % 4_294_967_296, because: `measured ${(index * 40_503) % 65_536}` },
      ]),
    );
    const [metal] = prod.hostPools;
    const run = await previewFile("large", {
      ...prod,
      hostPools: [{ ...metal, profile: { ...metal?.profile, overrides } }],
    });
    expectNothingMade(run);
    expect(faultsOf(run)[0]).toMatch(/are above the limit of 16384/);
  });
});

describe("a stack's settings", () => {
  test("fails with every wrong one at once", async () => {
    const run = await previewEnvironment("dev", {
      config: {
        vpcId: "my-vpc",
        subnetIds: '["subnet-1"]',
        allowedCidrs: '["10.0.0.0"]',
        amiId: "latest",
        clusterStack: "a b",
      },
    });
    expectNothingMade(run);
    expect(faultsOf(run).map((fault) => fault.slice(0, fault.indexOf(":")))).toEqual([
      "vpcId",
      "subnetIds[0]",
      "allowedCidrs[0]",
      "amiId",
      "clusterStack",
    ]);
  });

  test("fails for a service on Kubernetes without a cluster", async () => {
    const run = await runProgram({ stack: "staging", config: { archiveManifest: ARCHIVES } });
    expectNothingMade(run);
    expect(faultsOf(run)).toEqual([
      expect.stringMatching(/^service\.runtime: "kubernetes" needs a cluster: .*kubeconfig/),
    ]);
  });

  test("fails for a stack without an environment file, and names those there are", async () => {
    const run = await previewEnvironment("production");
    expectNothingMade(run);
    expect(faultsOf(run)).toEqual(["name: no file for it in stacks/; there are dev, local, prod, staging"]);
  });

  test("take the place of what would be looked up", async () => {
    const run = await previewEnvironment("dev", {
      config: {
        vpcId: "vpc-0fedcba9876543210",
        subnetIds: '["subnet-0cccccccccccccccc"]',
        allowedCidrs: '["10.1.0.0/16", "10.2.0.0/16"]',
        amiId: "ami-0fedcba9876543210",
      },
      invoke: (token, args) =>
        args["id"] === "subnet-0cccccccccccccccc"
          ? { id: args["id"], availabilityZone: "us-east-1a", mapPublicIpOnLaunch: false }
          : answerAccountCalls(token, args),
    });
    expect(run.exitCode, errorsOf(run)).toBe(0);
    const asked = (name: string) =>
      run.invokes.filter(({ token }) => token.endsWith(`:${name}`)).map(({ args }) => args);
    expect(asked("getVpc")).toMatchObject([{ id: "vpc-0fedcba9876543210" }]);
    expect(asked("getSubnet")).toMatchObject([{ id: "subnet-0cccccccccccccccc" }]);
    expect([...asked("getSubnets"), ...asked("getParameter")]).toEqual([]);
    const inputsOf = (type: string) => run.resources.find((resource) => resource.type === type)?.inputs;
    expect(inputsOf("aws:ec2/launchTemplate:LaunchTemplate")).toMatchObject({
      imageId: "ami-0fedcba9876543210",
    });
    expect(inputsOf("aws:autoscaling/group:Group")).toMatchObject({
      vpcZoneIdentifiers: ["subnet-0cccccccccccccccc"],
    });
    const ranges = run.resources
      .filter((resource) => resource.type.endsWith(":SecurityGroupIngressRule"))
      .map((resource) => resource.inputs["cidrIpv4"]);
    expect(ranges).toEqual(["10.1.0.0/16", "10.2.0.0/16"]);
  });

  test("take the cluster's kubeconfig from another stack, as a secret", async () => {
    const clusterStack = "organization/cluster/staging";
    const run = await runProgram({
      stack: "staging",
      config: { archiveManifest: ARCHIVES, clusterStack },
      invoke: answerAccountCalls,
      read: (type, id) =>
        type === "pulumi:pulumi:StackReference" && id === clusterStack
          ? { name: id, outputs: { kubeconfig: "the cluster's" }, secretOutputNames: [] }
          : undefined,
    });
    expect(run.exitCode, errorsOf(run)).toBe(0);
    const provider = run.resources.find((resource) => resource.type === "pulumi:providers:kubernetes");
    expect(provider?.inputs["kubeconfig"]).toEqual({ secret: "the cluster's" });
  });
});
