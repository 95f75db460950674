import { parseKernelList } from "../sys/kernel-list.ts";
import { leave, setTo } from "./desired.ts";
import { queueFileKnob, SYSFS_BLOCK } from "./queue-file.ts";

/**
 * queue/rq_affinity: on which CPU a finished request is completed. 0: where the interrupt came in; 1: there if that CPU
 * shares a cache with the one that asked; 2: on the very CPU that asked.
 *
 * Matters only where a disk has fewer queues than the host has CPUs: then a few CPUs take all its interrupts, and under
 * 1 they also do the completion work of all CPUs of their cache domain. 2 spreads that work and costs an interrupt
 * between CPUs for each request, which a host that goes for throughput or many GPUs' input can pay.
 */
export const queueRqAffinity = queueFileKnob({
  file: "rq_affinity",
  title: "On which CPU a finished request is completed",
  unit: "enum",
  least: 0,
  most: 2,
  risk: { level: "low", what: "one interrupt between CPUs for each request" },
  kernelDefault: "1",
  anchors: {},
  sources: [SYSFS_BLOCK, "https://github.com/torvalds/linux/blob/v6.1/block/blk-mq.c"],

  rule({ device, facts, profile, current }) {
    const cpus = parseKernelList(facts.cpu.onlineCpus)?.length ?? 0;
    if (device.hardwareQueues >= cpus) {
      return leave("the disk has a queue for every CPU, so a request ends where it began");
    }
    if (profile.preset === "latency" || profile.preset === "balanced") {
      return leave(`an interrupt between CPUs for each request is no gain for the preset ${profile.preset}`);
    }
    if (current === 0) return leave("somebody chose 0, completion where the interrupt comes in");
    return setTo(2, `${device.hardwareQueues} queues for ${cpus} CPUs: each CPU completes its own requests`);
  },
});
