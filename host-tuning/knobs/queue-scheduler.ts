import * as z from "zod";
import { desiredScheduler, diskOf, diskTargets, NO_DISK, queuePath } from "./disk.ts";
import { leave } from "./desired.ts";
import { readChosen } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

/**
 * queue/scheduler: who orders a disk's requests.
 *
 * By what the disk is: `none` where ordering gains nothing (NVMe) or somebody below does it (virtual disks), an
 * elevator for turning disks and single-queue flash. Only schedulers that the kernel offers now are chosen, so a write
 * loads no module. Before `queue/nr_requests` in the registry: the kernel sets that anew with every change of scheduler.
 */
export const queueScheduler = defineKnob<string>({
  id: "queue/scheduler",
  title: "Who orders a disk's requests",
  family: "block",
  unit: "enum",
  scope: "disk",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: {
    level: "low",
    what: "the disk's queue is drained first; nr_requests goes back to the scheduler's default",
  },
  isReversible: true,
  kernelDefault: "none with several hardware queues, mq-deadline with one",
  anchors: {
    TuneD: "disk plugin's elevator, set by few profiles",
    rpk: "none, else noop",
    "perftune.py": "none, else noop",
    saptune: "none, else noop (SAP notes 1984787, 2578899)",
  },
  sources: [
    "https://docs.kernel.org/block/switching-sched.html",
    "https://www.kernel.org/doc/Documentation/ABI/stable/sysfs-block",
  ],
  value: z.string().regex(/^[a-z0-9_-]{1,32}$/, "a scheduler's name"),

  targets: (facts) => diskTargets(facts),
  absentBecause: NO_DISK,

  read: (host, target) => readChosen(host, queuePath(target, "scheduler")),

  desired({ facts, target }) {
    const device = diskOf(facts, target);
    if (device === undefined) return leave("the facts do not have this disk");
    return desiredScheduler(device, facts);
  },

  writes: (value, target) => [
    { kind: "kernel-file", path: queuePath(target, "scheduler"), text: `${value}\n` },
  ],

  explainShortfall: (wanted, found) =>
    found === "none"
      ? `a device without a request queue (a multipath head, md) takes "${wanted}" without an error and stays at none`
      : `the kernel kept ${found}`,
});
