import { describe, expect, it } from "vitest";
import { WHOLE_HOST } from "../../../host-tuning/knobs/knob.ts";
import { vmDirtyBackgroundBytes } from "../../../host-tuning/knobs/vm-dirty-background-bytes.ts";
import { vmDirtyBytes } from "../../../host-tuning/knobs/vm-dirty-bytes.ts";
import { vmMaxMapCount } from "../../../host-tuning/knobs/vm-max-map-count.ts";
import { vmOvercommitMemory } from "../../../host-tuning/knobs/vm-overcommit-memory.ts";
import { vmSwappiness } from "../../../host-tuning/knobs/vm-swappiness.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { GIB, decide, valueSet } from "../../helpers/decide.ts";
import { factsOfShape, sampleDisk, sampleFacts } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";

const MIB = 1024 * 1024;

describe("vm.swappiness", () => {
  const swap = { swapBytes: 4 * GIB };

  it("is left on a host without swap, with the reason", () => {
    expect(decide(vmSwappiness, { current: 60 })).toEqual({
      kind: "leave",
      because: "this host has no swap, so the value has no effect",
    });
  });

  it.each([
    ["latency", 1],
    ["gpu", 1],
    ["balanced", 10],
    ["throughput", 10],
  ] as const)("for preset %s is %i", (preset, value) => {
    expect(valueSet(vmSwappiness, { current: 60, shape: swap, profile: { preset } })).toBe(value);
  });

  it("goes above 100 for zram, where the kernel takes that, and only where swap is zram", () => {
    const zram = { swap: "zram" } as const;
    const older = { ...factsOfShape(), kernel: { ...factsOfShape().kernel, release: "5.4.0-200-generic" } };
    const made = sampleDisk({ name: "zram0", kind: "ram", sizeBytes: 4 * GIB });
    const swapping = { ...factsOfShape(swap), blockDevices: [made] };
    expect(valueSet(vmSwappiness, { current: 60, profile: zram })).toBe(180);
    expect(valueSet(vmSwappiness, { current: 60, profile: zram, facts: swapping })).toBe(180);
    expect(valueSet(vmSwappiness, { current: 60, profile: zram, facts: older })).toBe(100);
    expect(valueSet(vmSwappiness, { current: 60, profile: zram, shape: swap })).toBe(10);
  });

  it("never raises a lower value and keeps one that was chosen for zram", () => {
    expect(valueSet(vmSwappiness, { current: 1, shape: swap })).toBeUndefined();
    expect(decide(vmSwappiness, { current: 180, shape: swap }).because).toContain("zram");
  });
});

describe("vm.dirty_bytes and vm.dirty_background_bytes", () => {
  const nvme = sampleFacts({ blockDevices: [sampleDisk()] });
  const facts = {
    ...nvme,
    memory: { ...nvme.memory, totalBytes: 256 * GIB },
  };

  it.each([
    ["latency", 1000 * MIB],
    ["balanced", 2000 * MIB],
    ["throughput", 5000 * MIB],
  ] as const)("bound preset %s to seconds of writing, and start at a quarter", (preset, bytes) => {
    const situation = { current: 0, facts, profile: { preset } };
    expect(valueSet(vmDirtyBytes, situation)).toBe(bytes);
    expect(valueSet(vmDirtyBackgroundBytes, situation)).toBe(bytes / 4);
  });

  it("go by the slowest disk that is written to", () => {
    const turning = sampleDisk({ name: "sda", kind: "scsi", isRotational: true });
    const card = sampleDisk({ name: "sdb", kind: "scsi", isRotational: true, isReadOnly: true });
    const drive = sampleDisk({ name: "sr0", kind: "scsi", isRotational: true, sizeBytes: 0 });
    const withDisks = (...blockDevices: (typeof turning)[]) => ({
      current: 0,
      facts: { ...facts, blockDevices },
    });
    expect(valueSet(vmDirtyBytes, withDisks(sampleDisk(), turning))).toBe(200 * MIB);
    expect(valueSet(vmDirtyBytes, withDisks(sampleDisk(), card, drive))).toBe(2000 * MIB);
  });

  it("are left where 20 % of memory is little already, and where no disk is found", () => {
    const small = { ...facts, memory: { ...facts.memory, totalBytes: 2 * GIB } };
    expect(decide(vmDirtyBytes, { current: 0, facts: small }).because).toContain(
      "within 2 s of writing already",
    );
    expect(valueSet(vmDirtyBytes, { current: 0, facts: { ...facts, blockDevices: [] } })).toBeUndefined();
  });

  it("keep a number that somebody chose; a larger one goes when the profile allows lowering", () => {
    const allowing = { allowLowering: true };
    expect(valueSet(vmDirtyBytes, { current: 512 * MIB, facts })).toBeUndefined();
    expect(valueSet(vmDirtyBytes, { current: 512 * MIB, facts, profile: allowing })).toBeUndefined();
    expect(valueSet(vmDirtyBytes, { current: 9000 * MIB, facts })).toBeUndefined();
    expect(valueSet(vmDirtyBytes, { current: 9000 * MIB, facts, profile: allowing })).toBe(2000 * MIB);
    expect(valueSet(vmDirtyBytes, { current: 2000 * MIB, facts })).toBe(2000 * MIB);
  });

  it("name the ratio that the kernel zeroes", () => {
    expect(vmDirtyBytes.writes(8192, { name: "" }, 0)).toEqual([
      {
        kind: "kernel-file",
        path: "/proc/sys/vm/dirty_bytes",
        text: "8192\n",
        counterpart: "/proc/sys/vm/dirty_ratio",
      },
    ]);
    expect(vmDirtyBackgroundBytes.writes(8192, { name: "" }, 0)).toMatchObject([
      { counterpart: "/proc/sys/vm/dirty_background_ratio" },
    ]);
  });

  it("never take 0, which the kernel refuses", () => {
    expect(vmDirtyBytes.value.safeParse(0).success).toBe(false);
    expect(vmDirtyBackgroundBytes.value.safeParse(0).success).toBe(false);
  });
});

describe("vm.max_map_count", () => {
  const on = (memoryGiB: number, usesMemoryMaps: boolean) => ({
    current: 65_530,
    shape: { memoryBytes: memoryGiB * GIB },
    profile: { workload: { usesMemoryMaps } },
  });

  it("covers memory with V8's heap pages", () => {
    expect(valueSet(vmMaxMapCount, on(2, false))).toBe(65_530);
    expect(valueSet(vmMaxMapCount, on(64, false))).toBe(262_144);
  });

  it("covers it with smaller pieces where the profile says so, up to 1048576", () => {
    expect(valueSet(vmMaxMapCount, on(32, true))).toBe(524_288);
    expect(valueSet(vmMaxMapCount, on(512, true))).toBe(1_048_576);
  });

  it("shows the process with the most mappings, and passes over those that it cannot look at", async () => {
    const mapping = "7f0000000000-7f0000001000 r--p 00000000 fe:00 1 /usr/bin/node\n";
    await using host = await createHostRoot({
      "/proc/2/maps": "",
      "/proc/2/cmdline": "",
      "/proc/40/maps": mapping,
      "/proc/40/cmdline": "sshd: root\0",
      "/proc/812/maps": mapping.repeat(3),
      "/proc/812/cmdline": "/opt/bedplate/current/bin/node\0main.cjs\0",
      // A folder: a read that fails with something else than "there is none".
      "/proc/900/maps/x": "",
    });
    expect(await vmMaxMapCount.evidence?.(openHost(host.root), WHOLE_HOST)).toMatch(
      /^3 mappings now in node \(process 812\)/,
    );
    await using empty = await createHostRoot({ "/proc/sys/vm/max_map_count": "65530\n" });
    expect(await vmMaxMapCount.evidence?.(openHost(empty.root), WHOLE_HOST)).toBeUndefined();
  });
});

describe("vm.overcommit_memory", () => {
  it("is 1 on a Kubernetes node and left elsewhere", () => {
    const kubernetes = { service: { runtime: "kubernetes" as const } };
    expect(valueSet(vmOvercommitMemory, { current: 0, profile: kubernetes })).toBe(1);
    expect(valueSet(vmOvercommitMemory, { current: 0 })).toBeUndefined();
    expect(decide(vmOvercommitMemory, { current: 2 }).because).toContain("strict accounting");
  });
});
