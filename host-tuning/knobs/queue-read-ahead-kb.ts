import * as z from "zod";
import type { BlockDeviceFacts, HostFacts } from "../facts/host-facts.ts";
import { diskOf, isTurningDisk, leavesOf, NO_DISK, pageCacheTargets, queuePath } from "./disk.ts";
import { leave, setTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

/** Share of RAM that the windows of 256 sequential readers may fill. Our choice. */
const MAX_MEMORY_SHARE = 1 / 16;
const READERS = 256;

/**
 * queue/read_ahead_kb: how far ahead of a sequential reader the kernel reads.
 *
 * Only the presets that go for throughput raise it, to what the medium delivers while one request is under way: its
 * rate times its delay, as a bandwidth-delay product. Random readers (the latency and balanced presets) would only read
 * more than they use. Capped so that 256 readers' windows fit in a sixteenth of RAM. Only raises.
 *
 * @unit KiB
 * @example NVMe, 5 GB/s x 100 us = 500 KB, as a power of two: 512 KiB
 */
export const queueReadAheadKb = defineKnob<number>({
  id: "queue/read_ahead_kb",
  title: "How far ahead of a sequential reader the kernel reads",
  family: "block",
  unit: "KiB",
  scope: "disk",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "random readers fetch more than they use" },
  isReversible: true,
  kernelDefault: "128 KiB; md RAID0: twice its stripe",
  anchors: {
    TuneD: "throughput-performance: 4096, raise only; accelerator profiles 0",
    saptune: "block section of a note, none by default",
  },
  sources: [
    "https://www.kernel.org/doc/Documentation/ABI/stable/sysfs-block",
    "https://github.com/redhat-performance/tuned/blob/2bfa442/profiles/throughput-performance/tuned.conf",
  ],
  value: z.int().min(0).max(1_048_576),

  targets: (facts) => pageCacheTargets(facts),
  absentBecause: NO_DISK,

  read: (host, target) => readCount(host, queuePath(target, "read_ahead_kb")),

  desired({ facts, profile, current, target }) {
    const device = diskOf(facts, target);
    if (device === undefined) return leave("the facts do not have this disk");
    if (profile.preset === "latency" || profile.preset === "balanced") {
      return leave(`random reads gain nothing from reading ahead, and the preset is ${profile.preset}`);
    }
    const [holder] = device.holders;
    if (holder !== undefined) return leave(`what is read through ${holder} goes by the window of ${holder}`);
    const medium = stackWindowOf(device, facts);
    const capKiB = floorPowerOfTwo((facts.memory.totalBytes * MAX_MEMORY_SHARE) / READERS / 1024);
    const value = Math.max(128, Math.min(medium.kiB, capKiB));
    if (current > value && !profile.allowLowering) {
      return leave(`host has ${current} KiB, more than the ${value} KiB wanted`);
    }
    const cap = value < medium.kiB ? `, capped for ${READERS} readers in a sixteenth of RAM` : "";
    return setTo(value, `${medium.because}${cap}`);
  },

  writes: (value, target) => [
    { kind: "kernel-file", path: queuePath(target, "read_ahead_kb"), text: `${value}\n` },
  ],

  explainShortfall: (_wanted, found) => `the kernel rounded it to whole pages: ${found} KiB`,
});

/** Typical rate x delay of a medium, as a power of two. The rates are ours, for planning; nothing was measured here. */
function windowOf(
  device: BlockDeviceFacts,
  facts: HostFacts,
): { readonly kiB: number; readonly because: string } {
  if (isTurningDisk(device, facts)) {
    return { kiB: 4096, because: "a turning disk moves 2 MB in the 10 ms of a seek; twice that" };
  }
  if (device.kind === "nvme" || device.kind === "nvme-multipath") {
    return { kiB: 512, because: "NVMe moves 500 KB (5 GB/s) in the 100 us a read takes" };
  }
  if (device.kind === "scsi" && facts.virtualization.kind === "none") {
    return { kiB: 256, because: "SATA or SAS flash moves 120 KB (600 MB/s) in 200 us; twice that" };
  }
  return { kiB: 1024, because: "a virtual disk over a network moves 1 MB (1 GB/s) in the 1 ms a read takes" };
}

/** The windows of all disks below a device, as its members are read at the same time. */
function stackWindowOf(device: BlockDeviceFacts, facts: HostFacts): ReturnType<typeof windowOf> {
  const leaves = leavesOf(device, facts);
  const [first = device] = leaves;
  const { kiB, because } = windowOf(first, facts);
  if (leaves.length < 2) return { kiB, because };
  const all = leaves.reduce((sum, leaf) => sum + windowOf(leaf, facts).kiB, 0);
  return { kiB: floorPowerOfTwo(all), because: `${because}; ${leaves.length} disks below` };
}

function floorPowerOfTwo(value: number): number {
  return value < 1 ? 0 : 2 ** Math.floor(Math.log2(value));
}
