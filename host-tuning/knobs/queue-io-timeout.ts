import { leave, raiseTo } from "./desired.ts";
import { queueFileKnob, SYSFS_BLOCK } from "./queue-file.ts";

/**
 * How long a request to a network disk may take. EBS reports a volume that does no I/O as impaired after minutes, and
 * what follows (failover, an operator) takes some more. Our choice.
 */
const NETWORK_DISK_MILLIS = 900_000;

/**
 * queue/io_timeout: after how long the driver gives a request up, resets the controller and, in the end, fails the I/O.
 *
 * A volume over a network (EBS) may stall for longer than the 30 s of a local disk and come back; giving up meanwhile
 * turns its file system read-only. TuneD and saptune therefore set 4294967295 on AWS, which is never: a device that is
 * dead then hangs every process that touches it, and nothing says so. A quarter of an hour outlasts a stall and still
 * ends. Instance stores keep the default: they are local, and dead means dead.
 */
export const queueIoTimeout = queueFileKnob({
  file: "io_timeout",
  title: "After how long the driver gives a request up",
  unit: "milliseconds",
  least: 1,
  most: 4_294_967_295,
  risk: { level: "medium", what: "a dead disk is noticed later" },
  kernelDefault: "30000",
  kernelRange: "since Linux 5.0",
  anchors: {
    TuneD: "aws: nvme_core.io_timeout=4294967295 as boot argument; openshift: the same in sysfs",
    saptune: "4294967295 s on AWS",
  },
  sources: [
    SYSFS_BLOCK,
    "https://docs.aws.amazon.com/ebs/latest/userguide/timeout-nvme-ebs-volumes.html",
    "https://docs.aws.amazon.com/ebs/latest/userguide/monitoring-volume-status.html",
  ],

  rule({ device, profile, current }) {
    if (device.model !== "Amazon Elastic Block Store") {
      return leave("not an EBS volume: a local disk that is silent for the default time is dead");
    }
    return raiseTo(
      {
        value: NETWORK_DISK_MILLIS,
        because:
          "an EBS volume may stall and come back; 15 minutes outlast that, and a dead one is still noticed",
      },
      { current, profile },
    );
  },
});
