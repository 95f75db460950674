import { describe, expect, it } from "vitest";
import { hugepages } from "../../../host-tuning/knobs/hugepages.ts";
import { intelIommu } from "../../../host-tuning/knobs/intel-iommu.ts";
import { iommu } from "../../../host-tuning/knobs/iommu.ts";
import { nvmeCoreIoTimeout } from "../../../host-tuning/knobs/nvme-core-io-timeout.ts";
import { processorMaxCstate } from "../../../host-tuning/knobs/processor-max-cstate.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import { GIB, decide, valueSet } from "../../helpers/decide.ts";
import { factsOfShape, sampleDisk } from "../../helpers/facts.ts";

const LARGE = factsOfShape({ nodes: 2, memoryBytes: 64 * GIB });
const WITH_VFIO: Partial<HostProfileInput> = {
  sriov: [{ match: { name: "eno1" }, virtualFunctions: 4, driver: "vfio-pci" }],
};

function pages(facts: typeof LARGE, perNode: number, sizeKiB: 2048 | 1_048_576 = 1_048_576) {
  return decide(hugepages, { facts, profile: { hugepages: { sizeKiB, perNode } }, current: "not set" });
}

describe("hugepages", () => {
  it("are named by node, as a total where the kernel does not know nodes", () => {
    expect(pages(LARGE, 8)).toMatchObject({ kind: "set", value: "0:8,1:8" });
    const old = { ...LARGE, kernel: { ...LARGE.kernel, release: "5.14.0-570.el9.x86_64" } };
    expect(pages(old, 8)).toMatchObject({ kind: "set", value: "16" });
  });

  it("are two words in their order", () => {
    const [write] = hugepages.writes("0:8,1:8", { name: "grub-bls" }, "not set");
    expect(write).toEqual({
      kind: "boot-entries",
      loader: "grub-bls",
      argument: "hugepages:1048576",
      words: ["hugepagesz=1G", "hugepages=0:8,1:8"],
    });
  });

  it("of 2 MiB never cost a reboot, and too many of 1 GiB are refused", () => {
    expect(pages(LARGE, 8, 2048)).toMatchObject({ kind: "leave" });
    expect(pages(LARGE, 26).because).toMatch(/more than 80 % of the 32 GiB of node 0/);
  });

  it("are refused where the CPU has no such pages", () => {
    const small = { ...LARGE, memory: { ...LARGE.memory, hugepageSizesKiB: [2048] } };
    expect(pages(small, 1).because).toMatch(/has no pages of 1 GiB/);
  });
});

describe("intel_iommu and iommu", () => {
  const off = { ...LARGE, passthrough: { ...LARGE.passthrough, iommuGroups: 0 } };
  const on = { ...LARGE, passthrough: { ...LARGE.passthrough, iommuGroups: 40 } };

  it("are set for vfio-pci alone, and keep the flags that are there", () => {
    expect(valueSet(intelIommu, { facts: off, profile: WITH_VFIO, current: "not set" })).toBe("on");
    expect(valueSet(intelIommu, { facts: off, profile: WITH_VFIO, current: "off,sm_on" })).toBe("on,sm_on");
    expect(valueSet(iommu, { facts: off, profile: WITH_VFIO, current: "nopanic,nopt" })).toBe("nopanic,pt");
    const network = { sriov: [{ match: { name: "eno1" }, virtualFunctions: 4 }] };
    expect(valueSet(intelIommu, { facts: off, profile: network, current: "not set" })).toBeUndefined();
    expect(valueSet(iommu, { facts: off, profile: network, current: "not set" })).toBeUndefined();
  });

  it("never ask for a reboot where an IOMMU is at work, or where it is AMD's", () => {
    expect(valueSet(intelIommu, { facts: on, profile: WITH_VFIO, current: "not set" })).toBeUndefined();
    expect(valueSet(intelIommu, { facts: on, profile: WITH_VFIO, current: "on" })).toBe("on");
    const amd = { ...off, cpu: { ...off.cpu, vendor: "AuthenticAMD" } };
    expect(valueSet(intelIommu, { facts: amd, profile: WITH_VFIO, current: "not set" })).toBeUndefined();
  });
});

describe("nvme_core.io_timeout", () => {
  it("is for EBS volumes and not for local disks", () => {
    const ebs = { ...LARGE, blockDevices: [sampleDisk({ model: "Amazon Elastic Block Store" })] };
    expect(valueSet(nvmeCoreIoTimeout, { facts: ebs, current: "not set" })).toBe("4294967295");
    const local = { ...LARGE, blockDevices: [sampleDisk()] };
    expect(valueSet(nvmeCoreIoTimeout, { facts: local, current: "not set" })).toBeUndefined();
  });
});

describe("values that a person may name", () => {
  it.each([
    ["a number for a number", processorMaxCstate, 1, "1"],
    ["nothing at all", processorMaxCstate, "not set", "not set"],
    ["flags in any order", iommu, "pt,nopanic", "nopanic,pt"],
  ])("%s", (_, knob, given, value) => {
    expect(knob.value.parse(given)).toBe(value);
  });

  it.each([
    [processorMaxCstate, "1 init=/bin/sh"],
    [iommu, 'pt" ; reboot'],
    [iommu, "pt$(reboot)"],
    [hugepages, "8 quiet"],
  ])("never what would be a second argument or a piece of shell", (knob, given) => {
    expect(knob.value.safeParse(given).success).toBe(false);
  });
});
