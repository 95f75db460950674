import { leave, setTo } from "./desired.ts";
import { isTurningDisk } from "./disk.ts";
import { queueFileKnob, SYSFS_BLOCK } from "./queue-file.ts";

/**
 * queue/add_random: whether the timing of a disk's requests goes into the kernel's entropy pool.
 *
 * Only a turning disk's timing is unpredictable; flash and virtual disks pay for each request and add nothing. The pool
 * has been seeded long before the agent runs, and does not run dry since Linux 5.6.
 */
export const queueAddRandom = queueFileKnob({
  file: "add_random",
  title: "Whether a disk's timing goes into the entropy pool",
  unit: "flag",
  least: 0,
  most: 1,
  risk: { level: "low", what: "none known: the pool has other sources" },
  kernelDefault: "0 for NVMe and virtio disks, 1 for SCSI disks",
  anchors: {},
  sources: [SYSFS_BLOCK, "https://github.com/torvalds/linux/blob/v6.1/drivers/scsi/sd.c"],

  rule({ device, facts }) {
    if (isTurningDisk(device, facts)) return leave("a turning disk's timing is a source of randomness");
    return setTo(0, "flash and virtual disks have no random timing, and pay for it with every request");
  },
});
