import * as z from "zod";
import { formatKernelList, kernelListSchema, parseKernelList } from "../sys/kernel-list.ts";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { inForce, isConfigured } from "./pending-restart.ts";
import { placeService } from "./service-placement.ts";
import {
  NO_SYSTEMD_SERVICE,
  dropIn,
  hasSystemd,
  readServicePid,
  readUnitList,
  serviceTarget,
} from "./systemd-unit.ts";

/**
 * systemd.AllowedCPUs: the CPUs that the service may run on.
 *
 * Those of the NUMA node of its network card, without reserved and isolated ones (service-placement.ts); the presets
 * `latency`, `balanced` and `gpu` bind, `throughput` takes all nodes. A cpuset rather than CPUAffinity, which a process
 * can undo. Read from the running process, else from the configuration. A host without the cpuset controller of
 * cgroup v2 would ignore it and counts as not having it.
 *
 * @unit cpus
 * @example 2 nodes with 8 CPUs each, NIC on node 1, CPU 8 reserved: "9-15"
 */
export const systemdAllowedCpus = defineKnob<string>({
  id: "systemd.AllowedCPUs",
  title: "CPUs that the service may run on",
  family: "systemd",
  unit: "cpus",
  scope: "unit",
  phase: "early",
  takesEffect: "service-restart",
  survivesReboot: true,
  isReversible: true,
  risk: { level: "medium", what: "the service cannot use the CPUs of the other nodes, however busy it is" },
  anchors: {
    TuneD: "CPUAffinity of systemd itself (cpu-partitioning)",
    NTO: "systemd.cpu_affinity= at boot",
  },
  kernelDefault: "all online CPUs",
  kernelRange: "systemd 244 and newer with cgroup v2 and its cpuset controller",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html#AllowedCPUs=",
  ],
  value: z.string().min(1).pipe(kernelListSchema),
  targets: serviceTarget,
  absentBecause: NO_SYSTEMD_SERVICE,
  async read(host, { name: unit }) {
    const controllers = (await host.readText("/sys/fs/cgroup/cgroup.controllers"))?.trim().split(" ");
    if (!(await hasSystemd(host)) || controllers?.includes("cpuset") !== true) return undefined;
    return inForce(await readProcessCpus(host, unit), await readConfiguredCpus(host, unit));
  },
  desired({ facts, profile }) {
    const placement = placeService(facts, profile);
    return placement.kind === "everywhere"
      ? leave(`all CPUs: ${placement.because}`)
      : setTo(formatKernelList(placement.cpus), placement.because);
  },
  // systemd adds assignments up; the empty one starts anew.
  writes: (value, target) => [dropIn(target, "allowed-cpus", ["AllowedCPUs=", `AllowedCPUs=${value}`])],
  isSatisfied: isConfigured,
});

/** Without an assignment the service may use every online CPU. */
async function readConfiguredCpus(host: Host, unit: string): Promise<string> {
  const assigned = await readUnitList(host, unit, "AllowedCPUs");
  if (assigned !== "") return assigned;
  const online = await host.readText("/sys/devices/system/cpu/online");
  return formatKernelList(parseKernelList(online ?? "") ?? []);
}

async function readProcessCpus(host: Host, unit: string): Promise<string | undefined> {
  const pid = await readServicePid(host, unit);
  const status = pid === undefined ? undefined : await host.readText(`/proc/${pid}/status`);
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status ?? "")?.[1];
}
