import * as z from "zod";
import { diskOf, diskTargets, isTurningDisk, NO_DISK, plannedScheduler, queuePath } from "./disk.ts";
import { leave, setTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

/** What an elevator may hold at most: 16 x the default of 128 (MAX_SCHED_RQ in block/blk-mq-sched.h). */
const ELEVATOR_MAX_REQUESTS = 2048;

/** Requests an elevator gets to sort on a turning disk. At 150 a second the last one waits 1.7 s. Our choice. */
const TURNING_DISK_REQUESTS = 256;

/**
 * queue/nr_requests: how many requests an elevator may hold and sort.
 *
 * Means two things. Under an elevator it is the elevator's own queue, up to 2048. Under `none` it is the device's tag
 * count, which the kernel has set to its maximum already and refuses to exceed (EINVAL), so there it is left. The value
 * is chosen for the scheduler that the plan leaves in force, as a change of scheduler resets it.
 */
export const queueNrRequests = defineKnob<number>({
  id: "queue/nr_requests",
  title: "Requests a disk's elevator may hold",
  family: "block",
  unit: "requests",
  scope: "disk",
  phase: "late",
  after: ["queue/scheduler"],
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "a longer queue makes its last request wait longer" },
  isReversible: true,
  kernelDefault: "twice the device's tags up to 256 under an elevator; the device's tags under none",
  anchors: { saptune: "block section of a note" },
  sources: [
    "https://www.kernel.org/doc/Documentation/ABI/stable/sysfs-block",
    "https://github.com/torvalds/linux/blob/v6.1/block/blk-mq-tag.c",
  ],
  value: z.int().min(4).max(65_535),

  targets: (facts) => diskTargets(facts),
  absentBecause: NO_DISK,

  read: (host, target) => readCount(host, queuePath(target, "nr_requests")),

  desired({ facts, profile, current, target }) {
    const device = diskOf(facts, target);
    if (device === undefined) return leave("the facts do not have this disk");
    const scheduler = plannedScheduler(device, facts, profile);
    if (scheduler === undefined || scheduler === "none") {
      return leave("without an elevator this is the device's own tag count, which the kernel sets and caps");
    }
    if (profile.preset === "latency" || profile.preset === "balanced") {
      return leave(`a longer queue trades waiting time for throughput, and the preset is ${profile.preset}`);
    }
    if (!isTurningDisk(device, facts)) {
      return leave("flash gains nothing from more requests to sort");
    }
    const value = Math.min(TURNING_DISK_REQUESTS, ELEVATOR_MAX_REQUESTS);
    if (current > value && !profile.allowLowering) {
      return leave(`host has ${current}, more than the ${value} wanted`);
    }
    return setTo(value, `${scheduler} gets ${value} requests to sort on a turning disk`);
  },

  writes: (value, target) => [
    { kind: "kernel-file", path: queuePath(target, "nr_requests"), text: `${value}\n` },
  ],

  explainShortfall: (_wanted, found) =>
    `the kernel holds it at ${found}: without an elevator that is the device's tag count`,
});
