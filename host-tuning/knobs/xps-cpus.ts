import type { HostFacts, NicFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { formatKernelList, parseKernelList } from "../sys/kernel-list.ts";
import { leave, setTo } from "./desired.ts";
import { nicQueueSetting } from "./nic-queue-setting.ts";
import { parseQueueTarget } from "./nic-targets.ts";
import { packetCpus } from "./packet-cpus.ts";
import { cpuMaskSchema, isSameMask, maskLike, readMask } from "./queue-mask.ts";

/**
 * xps_cpus: CPUs whose packets go out through a transmit queue (Transmit Packet Steering).
 *
 * Every CPU gets one queue: those that take the NIC's interrupts that of their own interrupt, so that a completion runs
 * where the packet was sent, and the others go round the queues. A NIC with one queue has no such file with a value.
 *
 * @example 4 queues, 8 CPUs, interrupts on 0-3: queue 1 takes packets of CPUs 1 and 5
 */
export const xpsCpus = nicQueueSetting<string>({
  id: "xps_cpus",
  title: "CPUs that send through a transmit queue",
  unit: "hexmask",
  direction: "tx",
  risk: { level: "low", what: "a CPU that sends far more than others fills its one queue" },
  kernelDefault: "the driver's: one CPU for each queue on most, 0 (a hash chooses) on the rest",
  anchors: {
    rpk: "spread over its mask by hwloc",
    "perftune.py": "spread over its mask by hwloc",
  },
  sources: [
    "https://docs.kernel.org/networking/scaling.html#xps-transmit-packet-steering",
    "https://github.com/torvalds/linux/blob/v6.12/net/core/net-sysfs.c",
  ],
  value: cpuMaskSchema,
  readFile: readMask,

  decide(nic, input) {
    const { facts, profile, target, current } = input;
    if (nic.txQueues < 2) return leave("one transmit queue: there is nothing to choose");
    const queue = parseQueueTarget(target)?.queue ?? 0;
    const { cpus, because } = sendingCpus(nic, queue, facts, profile);
    return setTo(maskLike(current, cpus), because);
  },

  isSatisfied: isSameMask,
});

function sendingCpus(
  nic: NicFacts,
  queue: number,
  facts: HostFacts,
  profile: HostProfile,
): { readonly cpus: readonly number[]; readonly because: string } {
  const own = packetCpus(nic, facts, profile).cpus;
  const online = parseKernelList(facts.cpu.onlineCpus) ?? [];
  const others = online.filter((cpu) => !own.includes(cpu));
  const cpus = [...own, ...others].filter((_, index) => index % nic.txQueues === queue);
  const because =
    cpus.length === 0
      ? `${nic.txQueues} queues for ${online.length} CPUs: nobody is left for queue ${queue}`
      : `queue ${queue} of ${nic.txQueues} takes what CPUs ${formatKernelList(cpus)} send: each CPU has one queue, those of the interrupts their own`;
  return { cpus: cpus.toSorted((a, b) => a - b), because };
}
