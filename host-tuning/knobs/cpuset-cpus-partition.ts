import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";
import { NO_PARTITION, SERVICE_SLICE, isPartitionAsked, partitionOf } from "./service-partition.ts";
import { cgroupOf } from "./systemd-unit.ts";

const PATH = `/sys/fs/cgroup/${SERVICE_SLICE}/cpuset.cpus.partition`;

/**
 * cpuset.cpus.partition: does the service's slice have its CPUs for itself, with a scheduling domain of its own.
 *
 * What isolcpus does with a reboot, at run time and reversibly: the kernel takes the CPUs from every other cgroup.
 * "root" and not "isolated", which also stops the scheduler from balancing: the threads of one service would then pile
 * up on one CPU. The kernel accepts a write that it cannot honour and says so in the same file, "root invalid (why)":
 * that is a failure, with the kernel's reason. systemd owns the tree and its CPUs (systemd.slice.AllowedCPUs) but has no
 * word for this file, and does not touch it.
 */
export const cpusetCpusPartition = defineKnob<string>({
  id: "cpuset.cpus.partition",
  title: "Does the service's slice have its CPUs for itself",
  family: "cpu",
  unit: "enum",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "medium", what: "nothing else may run on these CPUs, however idle they are" },
  isReversible: true,
  anchors: { NTO: "exclusive CPUs of a pod, by the kubelet's CPU manager" },
  kernelDefault: "member: CPUs are shared",
  kernelRange: "root since Linux 5.0 (isolated since 6.1), with cgroup v2 and its cpuset controller",
  sources: ["https://docs.kernel.org/admin-guide/cgroup-v2.html#cpuset-interface-files"],
  value: z.enum(["root", "isolated", "member"]),

  targets: (facts, profile) => (isPartitionAsked(facts, profile) ? [{ name: SERVICE_SLICE }] : []),
  absentBecause: NO_PARTITION,

  async read(host) {
    const state = await readWord(host, PATH);
    if (state !== undefined) return state;
    const controllers = (await readWord(host, "/sys/fs/cgroup/cgroup.controllers"))?.split(" ");
    // The slice comes in the phase before this one.
    const isToCome =
      controllers?.includes("cpuset") === true && !(await host.exists(await cgroupOf(host, SERVICE_SLICE)));
    return isToCome ? "member" : undefined;
  },

  desired({ facts, profile }) {
    const partition = partitionOf(facts, profile);
    return partition.kind === "none" ? leave(partition.because) : setTo("root", partition.because);
  },

  // A partition that is not valid stays so when "root" is written over it.
  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n`, via: "member\n" }],

  explainShortfall: (wanted, found) =>
    found.includes("invalid")
      ? `the kernel does not make it a partition: ${/\((.*)\)/.exec(found)?.[1] ?? found}`
      : `asked for ${wanted}`,
});
