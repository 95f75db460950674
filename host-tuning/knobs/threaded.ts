import * as z from "zod";
import { leave } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { type Target, defineKnob } from "./knob.ts";
import { NO_PHYSICAL_NIC, decideNic, physicalNics } from "./nic-targets.ts";

/**
 * threaded: a NIC's queues are polled by kernel threads of their own instead of the softirq of the interrupt's CPU.
 *
 * Left alone: the threads are ordinary ones that share CPUs with the service, and only help once each is pinned and has
 * a CPU, which is a decision on the service too. Who has made it sets an override.
 */
export const threaded = defineKnob<number>({
  id: "threaded",
  title: "A NIC's queues are polled by kernel threads",
  family: "nic",
  unit: "flag",
  scope: "nic",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "medium", what: "threads that are not pinned compete with the service for its CPUs" },
  isReversible: true,
  after: ["sriov_numvfs", "ethtool.channels.combined"],
  kernelDefault: "0",
  kernelRange: "since Linux 5.12",
  sources: [
    "https://docs.kernel.org/networking/napi.html#threaded",
    "https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-net",
  ],
  value: z.int().min(0).max(1),
  targets: physicalNics,
  absentBecause: NO_PHYSICAL_NIC,
  read: (host, target) => readCount(host, pathOf(target)),
  desired: (input) =>
    decideNic(input, () =>
      leave("only on request, by an override: polling threads help once each is pinned to a CPU of its own"),
    ),
  writes: (value, target) => [{ kind: "kernel-file", path: pathOf(target), text: `${value}\n` }],
});

function pathOf({ name }: Target): string {
  return `/sys/class/net/${name}/threaded`;
}
