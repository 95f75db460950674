import { leave, setTo } from "./desired.ts";
import { nicQueueSetting } from "./nic-queue-setting.ts";
import { packetSteering } from "./packet-steering.ts";
import { cpuMaskSchema, isSameMask, maskLike, readMask } from "./queue-mask.ts";

/**
 * rps_cpus: CPUs that a NIC's receive queue hands packets on to (Receive Packet Steering).
 *
 * Worth it only where there are fewer hardware queues than CPUs to share the work; never for latency. The mask is the
 * CPUs of the NIC's node (scaling.rst: the same memory domain), or the profile's reserved CPUs.
 */
export const rpsCpus = nicQueueSetting<string>({
  id: "rps_cpus",
  title: "CPUs that share a receive queue's packets",
  unit: "hexmask",
  direction: "rx",
  risk: { level: "low", what: "an inter-processor interrupt for packets that are handed on" },
  kernelDefault: "0: packets stay on the CPU that took the interrupt",
  anchors: {
    rpk: "all CPUs of its mask, every NIC and mode",
    "perftune.py": "all CPUs of its mask, every NIC and mode",
    NTO: "reserved CPUs by udev; off by default, by annotation",
  },
  sources: [
    "https://docs.kernel.org/networking/scaling.html#rps-receive-packet-steering",
    "https://github.com/redpanda-data/redpanda/issues/27680",
  ],
  value: cpuMaskSchema,
  readFile: readMask,

  decide(nic, input) {
    const { cpus, because } = packetSteering(nic, input.facts, input.profile);
    return cpus === undefined ? leave(because) : setTo(maskLike(input.current, cpus), because);
  },

  isSatisfied: isSameMask,
});
