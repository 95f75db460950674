import { describe, expect, it } from "vitest";
import type { BlockDeviceFacts, HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import {
  diskTargets,
  leavesOf,
  pageCacheTargets,
  requestQueueTargets,
} from "../../../host-tuning/knobs/disk.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import { queueAddRandom } from "../../../host-tuning/knobs/queue-add-random.ts";
import { queueIoPoll } from "../../../host-tuning/knobs/queue-io-poll.ts";
import { queueIoTimeout } from "../../../host-tuning/knobs/queue-io-timeout.ts";
import { queueMaxSectorsKb } from "../../../host-tuning/knobs/queue-max-sectors-kb.ts";
import { queueNomerges } from "../../../host-tuning/knobs/queue-nomerges.ts";
import { queueNrRequests } from "../../../host-tuning/knobs/queue-nr-requests.ts";
import { queueReadAheadKb } from "../../../host-tuning/knobs/queue-read-ahead-kb.ts";
import { queueRqAffinity } from "../../../host-tuning/knobs/queue-rq-affinity.ts";
import { queueScheduler } from "../../../host-tuning/knobs/queue-scheduler.ts";
import { queueWbtLatUsec } from "../../../host-tuning/knobs/queue-wbt-lat-usec.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import { TuningError } from "../../../host-tuning/errors.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { factsOfShape, sampleDisk, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";

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

describe("the devices of a stack", () => {
  const facts = {
    ...factsOfShape(),
    blockDevices: [
      sampleDisk({ name: "dm-0", kind: "dm", members: ["md0"] }),
      sampleDisk({ name: "md0", kind: "md", members: ["nvme0n1", "nvme2n1p1"], holders: ["dm-0"] }),
      sampleDisk({ name: "nvme0n1", holders: ["md0"] }),
      sampleDisk({ name: "nvme1c2n1" }),
      sampleDisk({ name: "nvme1n1", kind: "nvme-multipath" }),
      sampleDisk({ name: "nvme2n1", holders: ["md0"] }),
      sampleDisk({ name: "loop0", kind: "loop" }),
    ],
  };
  const names = (targets: readonly { name: string }[]): string[] => targets.map(({ name }) => name);

  it("have their request queues at the bottom and their page cache at the top", () => {
    expect(names(requestQueueTargets(facts))).toEqual(["nvme0n1", "nvme1c2n1", "nvme2n1"]);
    expect(names(pageCacheTargets(facts))).toEqual(["dm-0", "md0", "nvme0n1", "nvme1n1", "nvme2n1"]);
  });

  it("lead down to disks, through partitions and never round in circles", () => {
    const [volume, array] = facts.blockDevices;
    if (volume === undefined || array === undefined) throw new Error("no stack");
    expect(leavesOf(volume, facts).map(({ name }) => name)).toEqual(["nvme0n1", "nvme2n1"]);
    const circle = [
      { ...volume, members: ["md0"] },
      { ...array, members: ["dm-0"] },
    ];
    expect(leavesOf({ ...volume, members: ["md0"] }, { ...facts, blockDevices: circle })).toHaveLength(1);
  });

  it("read ahead at the top, for all disks below, and nowhere else", () => {
    const input = { profile: sampleProfile({ preset: "throughput" }), facts, current: 128 };
    expect(queueReadAheadKb.desired({ ...input, target: { name: "dm-0" } })).toMatchObject({
      kind: "set",
      value: 1024,
      because: "NVMe moves 500 KB (5 GB/s) in the 100 us a read takes; 2 disks below",
    });
    expect(queueReadAheadKb.desired({ ...input, target: { name: "nvme0n1" } })).toEqual({
      kind: "leave",
      because: "what is read through md0 goes by the window of md0",
    });
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

const EBS = sampleDisk({ model: "Amazon Elastic Block Store", hardwareQueues: 4 });
const INSTANCE_STORE = sampleDisk({ model: "Amazon EC2 NVMe Instance Storage" });
const latency = { preset: "latency" } as const;
const throughput = { preset: "throughput" } as const;

describe("queue/nomerges", () => {
  it("gives up the search on local NVMe for latency, and nowhere else", () => {
    expect(decide(queueNomerges, { disk: INSTANCE_STORE, profile: latency, current: 0 })).toMatchObject({
      kind: "set",
      value: 1,
    });
    for (const [disk, profile, current] of [
      [INSTANCE_STORE, throughput, 0],
      [EBS, latency, 0],
      [SATA_FLASH, latency, 0],
      [INSTANCE_STORE, latency, 2],
    ] as const) {
      expect(decide(queueNomerges, { disk, profile, current })).toMatchObject({ kind: "leave" });
    }
  });
});

describe("queue/rq_affinity", () => {
  it("spreads completions where queues are fewer than CPUs and the preset goes for throughput", () => {
    expect(decide(queueRqAffinity, { disk: EBS, profile: throughput, current: 1 })).toEqual({
      kind: "set",
      value: 2,
      because: "4 queues for 16 CPUs: each CPU completes its own requests",
    });
    for (const [disk, profile, current] of [
      [INSTANCE_STORE, throughput, 1],
      [EBS, latency, 1],
      [EBS, throughput, 0],
    ] as const) {
      expect(decide(queueRqAffinity, { disk, profile, current })).toMatchObject({ kind: "leave" });
    }
  });
});

describe("queue/io_timeout", () => {
  it("gives an EBS volume time to come back, and never for ever", () => {
    expect(decide(queueIoTimeout, { disk: EBS, current: 30_000 })).toMatchObject({ value: 900_000 });
    expect(decide(queueIoTimeout, { disk: INSTANCE_STORE, current: 30_000 })).toMatchObject({
      kind: "leave",
    });
    expect(decide(queueIoTimeout, { disk: EBS, current: 4_294_967_295 })).toMatchObject({ kind: "leave" });
    const lowering = { allowLowering: true };
    expect(decide(queueIoTimeout, { disk: EBS, profile: lowering, current: 4_294_967_295 })).toMatchObject({
      value: 900_000,
    });
  });
});

describe("queue/wbt_lat_usec", () => {
  it("leaves a local disk and one without throttling, and gives a network disk its round trip", () => {
    expect(decide(queueWbtLatUsec, { disk: EBS, current: 2000 })).toMatchObject({ value: 10_000 });
    for (const [disk, current] of [
      [INSTANCE_STORE, 2000],
      [EBS, 0],
      [EBS, 75_000],
    ] as const) {
      expect(decide(queueWbtLatUsec, { disk, current })).toMatchObject({ kind: "leave" });
    }
  });

  it("reads a number below 0, and a queue without throttling as not there", async () => {
    const path = "/sys/block/nvme0n1/queue/wbt_lat_usec";
    const target = { name: "nvme0n1" };
    await using tree = await createHostRoot({ [path]: "-1\n" });
    expect(await queueWbtLatUsec.read(openHost(tree.root), target)).toBe(-1);
    const host = openHost(tree.root);
    host.readText = () =>
      Promise.reject(
        new TuningError("HOST_READ", path, "Cannot read it", {
          cause: Object.assign(new Error("EINVAL: invalid argument"), { code: "EINVAL" }),
        }),
      );
    expect(await queueWbtLatUsec.read(host, target)).toBeUndefined();
    await tree.write(path, "much\n");
    await expect(queueWbtLatUsec.read(openHost(tree.root), target)).rejects.toThrow('holds "much"');
  });
});

describe("queue/max_sectors_kb", () => {
  it("raises requests for throughput up to what the device takes, and never beyond 1 MiB", () => {
    const small = sampleDisk({ maxHwSectorsKiB: 256 });
    expect(decide(queueMaxSectorsKb, { disk: small, profile: throughput, current: 128 })).toMatchObject({
      value: 256,
    });
    expect(decide(queueMaxSectorsKb, { disk: EBS, profile: throughput, current: 512 })).toMatchObject({
      value: 1024,
    });
    for (const [disk, profile, current] of [
      [EBS, throughput, 1280],
      [EBS, latency, 128],
      [sampleDisk({ maxHwSectorsKiB: null }), throughput, 128],
    ] as const) {
      expect(decide(queueMaxSectorsKb, { disk, profile, current })).toMatchObject({ kind: "leave" });
    }
  });
});

describe("queue/add_random and queue/io_poll", () => {
  it("takes entropy from turning disks alone", () => {
    expect(decide(queueAddRandom, { disk: SATA_FLASH, current: 1 })).toMatchObject({ value: 0 });
    expect(decide(queueAddRandom, { disk: TURNING, current: 1 })).toMatchObject({ kind: "leave" });
  });

  it("only reports polling", () => {
    for (const current of [0, 1]) {
      expect(decide(queueIoPoll, { disk: EBS, current })).toMatchObject({ kind: "leave" });
    }
  });
});
