import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { localPoolSchema } from "../../../components/environment/environment-spec.ts";
import { localVmSpecOf } from "../../../components/hosts/local-vm-spec-of.ts";
import { claimStateDir, emptyStateDir } from "../../../components/hosts/local-vm/vm-store.ts";
import { BedplateProvider } from "../../../components/provider/bedplate-provider.ts";
import { LocalVmResource, MachineNotReady } from "../../../components/provider/local-vm-provider.ts";

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const URN = "urn:pulumi:local::bedplate::bedplate:index:LocalHosts$bedplate:index:LocalVm::lab-0";
const resource = new LocalVmResource({
  status: () => undefined,
  message: () => undefined,
  warning: () => undefined,
});

const INPUTS = { name: "lab-0", userData: "#cloud-config\n" };

function poolOf(needs: object) {
  return localPoolSchema.parse({ name: "lab", where: "local", count: 1, needs });
}

function checked(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const { inputs, failures } = resource.check({ ...INPUTS, ...changes });
  expect(failures ?? []).toEqual([]);
  return inputs as Record<string, unknown>;
}

describe("LocalVm check", () => {
  test("fills in every default, so that a later change of a default is a change that a preview shows", () => {
    expect(checked()).toMatchObject({
      cpus: 4,
      memoryMiB: 2048,
      numaNodes: 2,
      sriovNic: true,
      artifacts: [],
    });
  });

  test("fails each wrong property by its path", () => {
    const { failures } = resource.check({
      ...INPUTS,
      cpus: 0,
      servicePort: 0,
      nvmeDisks: [{ sizeMiB: 1 }],
      colour: "red",
    });
    expect(failures?.map((failure) => failure.property).toSorted()).toEqual([
      "colour",
      "cpus",
      "nvmeDisks[0].sizeMiB",
      "servicePort",
    ]);
  });

  test("lets values through that a preview does not know yet", () => {
    const inputs = { ...INPUTS, userData: UNKNOWN };
    expect(resource.check(inputs)).toEqual({ inputs });
    expect(resource.diff(checked(), inputs)).toEqual({ changes: true });
  });
});

describe("LocalVm diff", () => {
  const outputs = (changes: Record<string, unknown> = {}) => ({
    ...checked(changes),
    isRunning: true,
    sshPort: 2222,
    stateDir: "/anywhere",
  });

  test("finds no change between a machine's outputs and the inputs it was made from", () => {
    expect(resource.diff(outputs(), checked())).toMatchObject({ changes: false, replaces: [] });
  });

  test("updates in place what a restart takes up", () => {
    expect(resource.diff(outputs(), checked({ cpus: 2 }))).toMatchObject({ changes: true, replaces: [] });
  });

  test("replaces, the old one first, what only a new machine takes up", () => {
    expect(resource.diff(outputs(), checked({ userData: "#cloud-config\npackages: []\n" }))).toMatchObject({
      changes: true,
      replaces: ["userData"],
      deleteBeforeReplace: true,
    });
  });

  test("names what a machine is replaced for, and beside it what a restart would have taken up", () => {
    const after = checked({ cpus: 2, userData: "#cloud-config\npackages: []\n" });
    expect(resource.diff(outputs(), after)).toMatchObject({
      replaces: ["userData"],
      details: { cpus: "update", userData: "update" },
    });
  });

  test("finds a machine that stands still", () => {
    expect(resource.diff({ ...outputs(), isRunning: false }, checked())).toMatchObject({
      changes: true,
      replaces: [],
      details: { isRunning: "update" },
    });
  });

  /** What the engine is told of a machine of a pool whose needs change. */
  const diffOfNeeds = (needs: object) => {
    const machine = (changes: object) =>
      resource.check({
        ...localVmSpecOf("lab-0", poolOf({ vcpus: 4, memoryGiB: 4, numaNodes: 2, nvmeGB: 4, ...changes }), {
          userData: INPUTS.userData,
          artifacts: [],
          servicePort: 8080,
        }),
      }).inputs as Record<string, unknown>;
    return resource.diff({ ...machine({}), isRunning: true }, machine(needs));
  };

  test.each([
    ["vcpus", { vcpus: 8 }, ["cpus"]],
    ["memoryGiB", { memoryGiB: 8 }, ["memoryMiB"]],
    ["numaNodes", { numaNodes: 1 }, ["numaNodes"]],
  ])("a pool that needs other %s restarts its machines, with their disks", (_need, needs, changed) => {
    const { replaces, details } = diffOfNeeds(needs);
    expect({ replaces, changed: Object.keys(details ?? {}) }).toEqual({ replaces: [], changed });
  });

  test("a pool that needs other disks replaces its machines", () => {
    expect(diffOfNeeds({ nvmeGB: 8 })).toMatchObject({ replaces: ["nvmeDisks"], deleteBeforeReplace: true });
  });

  test("takes the same archive in another checkout for no change", () => {
    const sha256 = "a".repeat(64);
    const before = outputs({ artifacts: [{ path: "/one/agent.tar.gz", sha256 }] });
    const after = checked({ artifacts: [{ path: "/two/agent.tar.gz", sha256 }] });
    expect(resource.diff(before, after)).toMatchObject({ changes: false, replaces: [] });
  });
});

describe("LocalVm create", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "bedplate-vms-"));
    vi.stubEnv("BEDPLATE_VMS_DIR", folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  test("fails where the machine of that name is another stack's, and leaves that alone", async () => {
    await claimStateDir(path.join(folder, "lab-0"), "bedplate/lab");
    // As it is when that machine is made, and when it is made anew.
    await emptyStateDir(path.join(folder, "lab-0"));
    const refused = resource.create(URN, checked(), AbortSignal.timeout(30_000));
    // A machine that is not made: the engine must not keep it in its state, and destroy the other's with it.
    await expect(refused).rejects.toSatisfy((error) => !(error instanceof MachineNotReady));
    await expect(refused).rejects.toThrow(
      `Cannot bring up lab-0: the machine of that name belongs to stack bedplate/lab, in ${folder}/lab-0: destroy that stack`,
    );
    expect(readdirSync(path.join(folder, "lab-0"))).toEqual(["owner"]);
  });

  test("claimStateDir() lets its owner come again, and whoever comes first", async () => {
    for (const owner of ["bedplate/local", "bedplate/local"])
      await claimStateDir(path.join(folder, "lab-0"), owner);
    await claimStateDir(path.join(folder, "lab-1"), "bedplate/lab");
  });
});

test("BedplateProvider fails a type that it does not make, by name", () => {
  const provider = new BedplateProvider({
    version: "0.0.0",
    kinds: new Map([["bedplate:index:LocalVm", resource]]),
  });
  expect(() => provider.diff(URN.replace("LocalVm::", "Rocket::"), {}, {})).toThrow(
    "Cannot make bedplate:index:Rocket: this provider has bedplate:index:LocalVm",
  );
});
