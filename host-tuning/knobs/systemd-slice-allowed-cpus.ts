import * as z from "zod";
import type { Host } from "../sys/host.ts";
import { formatKernelList, kernelListSchema, parseKernelList } from "../sys/kernel-list.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { inForce } from "./pending-restart.ts";
import {
  NO_PARTITION,
  OTHER_SLICES,
  SERVICE_SLICE,
  isPartitionAsked,
  partitionOf,
} from "./service-partition.ts";
import { cgroupOf, dropIn, hasSystemd, readUnitList } from "./systemd-unit.ts";

/**
 * systemd.slice.AllowedCPUs: CPUs of the service's slice and of the slices that hold everything else.
 *
 * The others are told as well, although the partition takes its CPUs from them: while it is not valid (a sibling that
 * overlaps, a CPU that went offline) they would have all CPUs again. systemd writes these into the cgroups when it reads
 * its files, so that processes move at once. What systemd itself starts with (CPUAffinity in system.conf) only a reboot
 * or daemon-reexec changes, and is not needed beside this.
 *
 * @example 4 CPUs, 0-1 reserved: bedplate.slice "2-3", system.slice "0-1"
 */
export const systemdSliceAllowedCpus = defineKnob<string>({
  id: "systemd.slice.AllowedCPUs",
  title: "CPUs of the service's slice, and of everything else",
  family: "systemd",
  unit: "cpus",
  scope: "unit",
  phase: "early",
  takesEffect: "now",
  survivesReboot: true,
  isReversible: true,
  risk: { level: "medium", what: "everything but the service has only the CPUs that are left" },
  anchors: { TuneD: "CPUAffinity in system.conf in cpu-partitioning", NTO: "systemd.cpu_affinity= at boot" },
  kernelDefault: "all online CPUs",
  kernelRange: "systemd 244 and newer with cgroup v2 and its cpuset controller",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html#AllowedCPUs=",
    "https://docs.kernel.org/admin-guide/cgroup-v2.html#cpuset-interface-files",
  ],
  value: z.string().min(1).pipe(kernelListSchema),

  targets: (facts, profile) =>
    isPartitionAsked(facts, profile) ? [SERVICE_SLICE, ...OTHER_SLICES].map((name) => ({ name })) : [],
  absentBecause: NO_PARTITION,

  async read(host, { name: unit }) {
    const controllers = (await host.readText("/sys/fs/cgroup/cgroup.controllers"))?.trim().split(" ");
    if (!(await hasSystemd(host)) || controllers?.includes("cpuset") !== true) return undefined;
    return inForce(await readEffective(host, unit), await readConfigured(host, unit), "reload");
  },

  desired({ facts, profile, target }) {
    const partition = partitionOf(facts, profile);
    if (partition.kind === "none") return leave(partition.because);
    return target.name === SERVICE_SLICE
      ? setTo(partition.service, partition.because)
      : setTo(partition.others, `everything else keeps off the service's CPUs ${partition.service}`);
  },

  // systemd adds assignments up; the empty one starts anew.
  writes: (value, target) => [dropIn(target, "allowed-cpus", ["AllowedCPUs=", `AllowedCPUs=${value}`])],
});

/** `undefined` while the slice is not there, or nothing has asked for its cpuset. */
async function readEffective(host: Host, unit: string): Promise<string | undefined> {
  const text = await host.readText(`${await cgroupOf(host, unit)}/cpuset.cpus.effective`);
  const cpus = text === undefined ? undefined : parseKernelList(text);
  return cpus === undefined ? undefined : formatKernelList(cpus);
}

/** Without an assignment all online CPUs. */
async function readConfigured(host: Host, unit: string): Promise<string> {
  const assigned = await readUnitList(host, unit, "AllowedCPUs");
  if (assigned !== "") return assigned;
  const online = await host.readText("/sys/devices/system/cpu/online");
  return formatKernelList(parseKernelList(online ?? "") ?? []);
}
