import { describe, expect, it } from "vitest";
import { InputError } from "../../../host-tuning/errors.ts";
import { targetsOfDevice } from "../../../host-tuning/verbs/device-targets.ts";
import { sampleDisk, sampleFacts, sampleNic } from "../../helpers/facts.ts";
import { diskKnob } from "../engine/demo-knobs.ts";

const nic = sampleNic();
const disk = sampleDisk({ name: "nvme1n1", pciAddress: "0000:02:00.0" });
const irqOf = (irq: number, pciAddress: string | null) => ({
  irq,
  action: "x",
  pciAddress,
  node: null,
  isManaged: null,
  affinity: null,
  effectiveAffinity: null,
});
const facts = sampleFacts({
  blockDevices: [sampleDisk(), disk],
  irqs: [irqOf(64, nic.pciAddress), irqOf(90, disk.pciAddress), irqOf(7, null)],
  gpus: [
    {
      pciAddress: "0000:41:00.0",
      vendorId: "10de",
      deviceId: "2330",
      vendor: "NVIDIA",
      pciClass: "0x030200",
      node: null,
      driver: null,
      driverVersion: null,
      model: null,
      linkSpeed: null,
      linkWidth: null,
      maxLinkSpeed: null,
      maxLinkWidth: null,
      isLinkNarrow: null,
    },
  ],
});

const TARGETS = [
  "",
  "eno1",
  "eno1/rx-0",
  "eno10",
  "nvme0n1",
  "nvme1n1",
  "irq 64",
  "irq 90",
  "irq 7",
  "0000:41:00.0",
  "node0",
  "mcp-service.service",
];

function chosen(device: string): string[] {
  const isChosen = targetsOfDevice(facts, device);
  return TARGETS.filter((name) => isChosen(diskKnob, { name }));
}

describe("targetsOfDevice()", () => {
  it("takes a NIC with its queues and interrupts, and no other device's", () => {
    expect(chosen("eno1")).toEqual(["eno1", "eno1/rx-0", "irq 64"]);
  });

  it("takes a disk with its interrupts, by name or by PCI address", () => {
    expect(chosen("nvme1n1")).toEqual(["nvme1n1", "irq 90"]);
    expect(chosen("0000:02:00.0")).toEqual(["nvme1n1", "irq 90"]);
  });

  it("takes a GPU by its PCI address", () => {
    expect(chosen("0000:41:00.0")).toEqual(["0000:41:00.0"]);
  });

  it.each(["eth7", "", "../sda", "eno1/rx-0"])("fails for what this host does not have: %j", (name) => {
    expect(() => targetsOfDevice(facts, name)).toThrow(InputError);
  });
});
