import { describe, expect, it } from "vitest";
import type { BlockDeviceFacts, HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { diskTargets } from "../../../host-tuning/knobs/disk.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import { queueNrRequests } from "../../../host-tuning/knobs/queue-nr-requests.ts";
import { queueReadAheadKb } from "../../../host-tuning/knobs/queue-read-ahead-kb.ts";
import { queueScheduler } from "../../../host-tuning/knobs/queue-scheduler.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import { factsOfShape, sampleDisk, sampleProfile } from "../../helpers/facts.ts";

const GIB = 1024 ** 3;

const TURNING = sampleDisk({
  name: "sda",
  kind: "scsi",
  isRotational: true,
  hardwareQueues: 1,
  scheduler: "mq-deadline",
});
const SATA_FLASH = sampleDisk({ ...TURNING, isRotational: false });

interface Case {
  readonly disk: BlockDeviceFacts;
  readonly profile?: Omit<HostProfileInput, "apiVersion" | "kind">;
  readonly facts?: HostFacts;
  readonly current?: unknown;
}

function decide(knob: AnyKnob, { disk, profile, facts, current }: Case) {
  return knob.desired({
    facts: { ...(facts ?? factsOfShape()), blockDevices: [disk] },
    profile: sampleProfile(profile),
    current: current ?? disk.scheduler,
    target: { name: disk.name },
  });
}

function inVm(facts = factsOfShape()): HostFacts {
  return { ...facts, virtualization: { kind: "kvm", because: "DMI" } };
}

describe("diskTargets()", () => {
  it("takes disks with a queue of their own, by name, and nothing else", () => {
    const kinds = [
      "scsi",
      "nvme",
      "virtio",
      "xen",
      "nvme-multipath",
      "md",
      "dm",
      "loop",
      "ram",
      "other",
    ] as const;
    const disks = kinds.map((kind, index) => sampleDisk({ name: `d${9 - index}`, kind }));
    const empty = sampleDisk({ name: "sr0", kind: "scsi", sizeBytes: 0 });
    expect(diskTargets({ ...factsOfShape(), blockDevices: [...disks, empty] })).toEqual([
      { name: "d5" },
      { name: "d6" },
      { name: "d7" },
      { name: "d8" },
      { name: "d9" },
    ]);
  });
});

describe("queue/scheduler", () => {
  it.each([
    ["NVMe", sampleDisk({ scheduler: "mq-deadline" }), "none"],
    [
      "a virtio disk, whatever it says of turning",
      sampleDisk({ kind: "virtio", isRotational: true }),
      "none",
    ],
    ["a turning disk", { ...TURNING, scheduler: "none" }, "mq-deadline"],
    ["a turning disk where only bfq is offered", { ...TURNING, schedulers: ["none", "bfq"] }, "bfq"],
    ["flash behind one queue", { ...SATA_FLASH, scheduler: "none" }, "mq-deadline"],
    ["flash behind several queues", { ...SATA_FLASH, hardwareQueues: 8 }, "none"],
  ])("chooses for %s", (_, disk, value) => {
    expect(decide(queueScheduler, { disk })).toMatchObject({ kind: "set", value });
  });

  it("takes a SCSI disk of a VM for a virtual one", () => {
    expect(decide(queueScheduler, { disk: TURNING, facts: inVm() })).toMatchObject({
      kind: "set",
      value: "none",
    });
  });

  it("leaves a multipath head, and what the kernel does not offer", () => {
    const head = sampleDisk({ kind: "nvme-multipath", schedulers: ["none"] });
    expect(decide(queueScheduler, { disk: head })).toMatchObject({ kind: "leave" });
    const old = { ...TURNING, schedulers: ["noop", "deadline", "cfq"], scheduler: "cfq" };
    expect(decide(queueScheduler, { disk: old })).toEqual({
      kind: "leave",
      because:
        "mq-deadline or bfq is wanted (a turning disk gains from requests in order of place) and the kernel offers noop, deadline, cfq here",
    });
  });
});

describe("queue/nr_requests", () => {
  const throughput = { preset: "throughput" } as const;

  it("raises an elevator's queue on a turning disk, for throughput only", () => {
    expect(decide(queueNrRequests, { disk: TURNING, profile: throughput, current: 64 })).toMatchObject({
      kind: "set",
      value: 256,
    });
    expect(decide(queueNrRequests, { disk: TURNING, current: 64 })).toMatchObject({ kind: "leave" });
    expect(decide(queueNrRequests, { disk: SATA_FLASH, profile: throughput, current: 64 })).toMatchObject({
      kind: "leave",
    });
  });

  it("never lowers unless the profile allows it", () => {
    const disk = TURNING;
    expect(decide(queueNrRequests, { disk, profile: throughput, current: 512 })).toMatchObject({
      kind: "leave",
    });
    const lowering = { ...throughput, allowLowering: true };
    expect(decide(queueNrRequests, { disk, profile: lowering, current: 512 })).toMatchObject({ value: 256 });
  });

  it("looks at the scheduler that the plan leaves in force, not at the one that is there", () => {
    const disk = { ...TURNING, scheduler: "none" };
    expect(decide(queueNrRequests, { disk, profile: throughput, current: 32 })).toMatchObject({ value: 256 });
    const none = { ...throughput, overrides: { "queue/scheduler": { value: "none", because: "RAID card" } } };
    expect(decide(queueNrRequests, { disk: TURNING, profile: none, current: 32 })).toMatchObject({
      kind: "leave",
    });
    const kept = {
      ...throughput,
      overrides: { "queue/scheduler": { leave: true, because: "tested" } },
    } as const;
    expect(decide(queueNrRequests, { disk, profile: kept, current: 32 })).toMatchObject({ kind: "leave" });
  });
});

describe("queue/read_ahead_kb", () => {
  it.each([
    ["a turning disk", TURNING, factsOfShape(), 4096],
    ["NVMe", sampleDisk(), factsOfShape(), 512],
    ["SATA flash", SATA_FLASH, factsOfShape(), 256],
    ["a virtual disk", sampleDisk({ kind: "virtio" }), inVm(), 1024],
    ["a turning disk with 4 GiB of RAM", TURNING, factsOfShape({ memoryBytes: 4 * GIB }), 1024],
    ["a turning disk with 256 MiB of RAM", TURNING, factsOfShape({ memoryBytes: GIB / 4 }), 128],
  ])("reads ahead for %s", (_, disk, facts, value) => {
    const profile = { preset: "throughput" } as const;
    expect(decide(queueReadAheadKb, { disk, facts, profile, current: 128 })).toMatchObject({
      kind: "set",
      value,
    });
  });

  it("leaves random readers and larger values alone", () => {
    expect(decide(queueReadAheadKb, { disk: TURNING, current: 128 })).toMatchObject({ kind: "leave" });
    expect(
      decide(queueReadAheadKb, { disk: TURNING, profile: { preset: "throughput" }, current: 8192 }),
    ).toMatchObject({ kind: "leave" });
  });
});
