import { describe, expect, test } from "vitest";
import { BedplateProvider } from "../../../components/provider/bedplate-provider.ts";
import { LocalVmResource } from "../../../components/provider/local-vm-provider.ts";

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const URN = "urn:pulumi:local::bedplate::bedplate:index:LocalHosts$bedplate:index:LocalVm::lab-0";
const resource = new LocalVmResource({
  status: () => undefined,
  message: () => undefined,
  warning: () => undefined,
});

const INPUTS = { name: "lab-0", userData: "#cloud-config\n" };

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

  test("finds a machine that stands still", () => {
    expect(resource.diff({ ...outputs(), isRunning: false }, checked())).toMatchObject({
      changes: true,
      replaces: [],
    });
  });

  test("takes the same archive in another checkout for no change", () => {
    const sha256 = "a".repeat(64);
    const before = outputs({ artifacts: [{ path: "/one/agent.tar.gz", sha256 }] });
    const after = checked({ artifacts: [{ path: "/two/agent.tar.gz", sha256 }] });
    expect(resource.diff(before, after)).toMatchObject({ changes: false, replaces: [] });
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
