import { TuningError } from "../errors.ts";
import { errnoOf } from "../sys/errno.ts";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { isNetworkDisk, queuePath } from "./disk.ts";
import type { Target } from "./knob.ts";
import { readWord } from "./kernel-file.ts";
import { queueFileKnob, SYSFS_BLOCK } from "./queue-file.ts";

/** Ten times the round trip of a network disk that is well: below it, throttling answers the network and not us. Our choice. */
const NETWORK_DISK_MICROS = 10_000;

/**
 * queue/wbt_lat_usec: the read latency above which the kernel holds background writes back. 0 is off, -1 asks for the
 * kernel's default (2 ms for flash, 75 ms for turning disks).
 *
 * It is what keeps a burst of write-back from delaying a service's reads, so it stays on. The default of 2 ms is meant
 * for local flash: a network disk (EBS) passes it whenever its network is busy, and then writes are held back for nothing.
 */
export const queueWbtLatUsec = queueFileKnob({
  file: "wbt_lat_usec",
  title: "Read latency above which background writes are held back",
  unit: "microseconds",
  least: -1,
  most: 10_000_000,
  after: ["queue/scheduler"],
  risk: { level: "low", what: "reads wait longer behind write-back before it is held back" },
  kernelDefault: "2000 for flash, 75000 for turning disks; 0 under bfq",
  kernelRange: "since Linux 4.10, where CONFIG_BLK_WBT_MQ is set",
  anchors: {},
  sources: [SYSFS_BLOCK, "https://github.com/torvalds/linux/blob/v6.1/block/blk-wbt.c"],

  read: readLatency,

  rule({ device, current }) {
    if (current === 0) return leave("throttling is off here, by bfq or by somebody's choice");
    if (!isNetworkDisk(device)) return leave("the kernel's limit is meant for a local disk like this");
    if (current > NETWORK_DISK_MICROS) return leave(`host has ${current} us, more than a network needs`);
    return setTo(
      NETWORK_DISK_MICROS,
      "a network disk takes longer than 2 ms by itself, and writes would be held back for nothing",
    );
  },
});

/** A queue without throttling answers EINVAL: it does not have the knob. */
async function readLatency(host: Host, target: Target): Promise<number | undefined> {
  const path = queuePath(target, "wbt_lat_usec");
  try {
    const word = await readWord(host, path);
    if (word === undefined) return undefined;
    if (/^-?\d{1,15}$/.test(word)) return Number(word);
    throw new TuningError("HOST_PARSE", path, `Cannot read ${path}: holds "${word}", expected a number`);
  } catch (error) {
    if (error instanceof TuningError && errnoOf(error.cause) === "EINVAL") return undefined;
    throw error;
  }
}
