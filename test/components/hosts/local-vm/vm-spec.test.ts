import { describe, expect, test } from "vitest";
import {
  type LocalVmSpecInput,
  localVmSpecSchema,
  replacedFor,
} from "../../../../components/hosts/local-vm/vm-spec.ts";
import { InputError } from "../../../../host-tuning/errors.ts";
import { parseContract } from "../../../../host-tuning/profile/parse-contract.ts";

const parse = (input: unknown) => parseContract(localVmSpecSchema, input, "LocalVm");
const SPEC: LocalVmSpecInput = { name: "lab", userData: "#cloud-config\n" };

describe("localVmSpecSchema", () => {
  test("fills in two nodes, two disks and the SR-IOV NIC", () => {
    expect(parse(SPEC)).toMatchObject({ cpus: 4, numaNodes: 2, sriovNic: true, servicePort: 8080 });
    expect(parse(SPEC).nvmeDisks).toHaveLength(2);
  });

  test("fails with every fault and its path in one go", () => {
    const broken = {
      name: "Lab_1",
      userData: "",
      cpus: 3,
      memoryMiB: 1025,
      nvmeDisks: [{ numaNode: 1 }, { numaNode: 2 }],
      artifacts: [{ path: "/x", sha256: "ABC" }],
      sriovNick: true,
    };
    const faults = (): string[] => {
      try {
        parse(broken);
      } catch (error) {
        if (error instanceof InputError) return error.faults.map((fault) => fault.path);
        throw error;
      }
      return [];
    };
    expect(faults()).toEqual(
      expect.arrayContaining(["name", "userData", "artifacts[0].sha256", "sriovNick"]),
    );
  });

  test("fails when CPUs, memory or a disk do not fit the nodes", () => {
    expect(() => parse({ ...SPEC, cpus: 3, memoryMiB: 1025, nvmeDisks: [{ numaNode: 2 }] })).toThrow(
      /cpus: 3 is not a multiple.*\n.*memoryMiB: 1025 is not a multiple.*\n.*nvmeDisks\[0\]\.numaNode: 2 is beyond/,
    );
  });

  test("fails for what is no package, no module folder and no single kernel argument", () => {
    const image = { extraPackages: ["--help"], extraModuleFolders: ["../../etc"] };
    expect(() => parse({ ...SPEC, image, kernelArguments: ["a b"] })).toThrow(
      /extraPackages\[0\].*\n.*extraModuleFolders\[0\].*\n.*kernelArguments\[0\]/,
    );
  });

  test("fails for user data that AWS would refuse", () => {
    expect(() => parse({ ...SPEC, userData: "x".repeat(16_385) })).toThrow(/userData/);
  });
});

describe("replacedFor()", () => {
  const sha256 = "0".repeat(64);
  const before = parse({ ...SPEC, artifacts: [{ path: "/x", sha256 }] });
  const after = (change: object) => parse({ ...SPEC, artifacts: [{ path: "/x", sha256 }], ...change });

  test.each([
    ["cpus", { cpus: 8 }],
    ["memory", { memoryMiB: 4096 }],
    ["the service's port", { servicePort: 9000 }],
    ["the kernel's command line", { kernelArguments: ["isolcpus=managed_irq,2-3"] }],
    ["where an artifact lies", { artifacts: [{ path: "/y", sha256 }], cpus: 8 }],
  ])("keeps the disks when %s changes", (_, change) => {
    expect(replacedFor(before, after(change))).toEqual([]);
  });

  test.each([
    ["the user data", { userData: "#cloud-config\nruncmd: []\n" }],
    ["a disk", { nvmeDisks: [{ sizeMiB: 2048 }] }],
    ["the NIC", { sriovNic: false }],
    ["the release", { image: { suite: "trixie" } }],
    ["a package", { image: { extraPackages: ["mdadm"] } }],
    ["an artifact", { artifacts: [{ path: "/x", sha256: "1".repeat(64) }] }],
  ])("makes a new VM when %s changes", (_, change) => {
    expect(replacedFor(before, after({ ...change, cpus: 8 }))).toEqual(Object.keys(change));
  });
});
