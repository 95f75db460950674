import * as z from "zod";
import { leave, powerOfTwoAtLeast, raiseTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { type Target, defineKnob } from "./knob.ts";
import { NO_PHYSICAL_NIC, decideNic, physicalNics } from "./nic-targets.ts";

/** How long the queue holds the line rate while the NIC is busy. Our choice. */
const PAUSE_MILLIS = 1;

/**
 * tx_queue_len: packets that wait for a NIC in its first-in-first-out queueing discipline (`ip link` txqueuelen).
 *
 * fq_codel and fq have limits of their own and pay no heed to it; it bounds pfifo_fast, tunnels and bonds. So it is
 * raised for throughput only, to what a queue sends in a millisecond; longer it would only hold packets that are late.
 *
 * @example 100 Gbit/s over 4 queues: 8334 packets of 1500 bytes in 1 ms, 2084 each: 4096
 */
export const txQueueLen = defineKnob<number>({
  id: "tx_queue_len",
  title: "Packets that wait in an interface's plain queue",
  family: "nic",
  unit: "packets",
  scope: "nic",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "with pfifo_fast a longer queue is a longer wait for small frames" },
  isReversible: true,
  after: ["sriov_numvfs", "ethtool.channels.combined"],
  kernelDefault: "1000",
  anchors: { TuneD: "as the profile's net plugin says (txqueuelen)" },
  sources: [
    "https://man7.org/linux/man-pages/man8/ip-link.8.html",
    "https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-net",
  ],
  value: z.int().min(0).max(4_294_967_295),
  targets: physicalNics,
  absentBecause: NO_PHYSICAL_NIC,
  read: (host, target) => readCount(host, pathOf(target)),
  desired: (input) =>
    decideNic(input, (nic) => {
      const { profile, current } = input;
      if (profile.preset !== "throughput" && profile.preset !== "gpu") {
        return leave("a longer plain queue only holds packets that are late already");
      }
      if (nic.speedMbitPerSec === null) return leave("the link's speed is not known");
      const packets = Math.ceil(((nic.speedMbitPerSec * 1e6) / 8 / 1500) * (PAUSE_MILLIS / 1e3));
      const queues = Math.max(1, nic.txQueues);
      const value = powerOfTwoAtLeast(packets / queues);
      const because = `${nic.speedMbitPerSec} Mbit/s send ${packets} packets of 1500 bytes in ${PAUSE_MILLIS} ms, over ${queues} queues`;
      return raiseTo({ value, because }, { current, profile: { ...profile, allowLowering: false } });
    }),
  writes: (value, target) => [{ kind: "kernel-file", path: pathOf(target), text: `${value}\n` }],
});

function pathOf({ name }: Target): string {
  return `/sys/class/net/${name}/tx_queue_len`;
}
