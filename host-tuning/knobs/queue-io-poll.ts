import { leave } from "./desired.ts";
import { queueFileKnob, SYSFS_BLOCK } from "./queue-file.ts";

/**
 * queue/io_poll: whether requests that ask for it are polled for instead of waiting for an interrupt.
 *
 * Reported, never moved: it needs queues without interrupts (boot argument `nvme.poll_queues`), and a program that
 * submits with RWF_HIPRI or IORING_SETUP_IOPOLL. Since Linux 5.17 a write is taken without an error and without effect.
 */
export const queueIoPoll = queueFileKnob({
  file: "io_poll",
  title: "Whether requests may be polled for",
  unit: "flag",
  least: 0,
  most: 1,
  risk: { level: "low", what: "without polling queues it changes nothing" },
  kernelDefault: "0 without polling queues, 1 with them",
  anchors: {},
  sources: [SYSFS_BLOCK, "https://docs.kernel.org/admin-guide/kernel-parameters.html"],

  rule({ current }) {
    return leave(
      current === 1
        ? "the disk has polling queues; a program has to ask for them with each request"
        : "no polling queues (boot argument nvme.poll_queues), and no file access of a service asks for them",
    );
  },

  explainShortfall: () => "since Linux 5.17 only the driver's polling queues decide, and a write is ignored",
});
