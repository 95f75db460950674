import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { NO_PHYSICAL_NIC, decideNic, queueFile, queueTargets } from "./nic-targets.ts";
import { packetSteering } from "./packet-steering.ts";
import { cpuMaskSchema, isSameMask, maskLike, readMask } from "./queue-mask.ts";

/**
 * rps_cpus: CPUs that a NIC's receive queue hands packets on to (Receive Packet Steering).
 *
 * Worth it only where there are fewer hardware queues than CPUs to share the work; never for latency. The mask is the
 * CPUs of the NIC's node (scaling.rst: the same memory domain), or the profile's reserved CPUs.
 */
export const rpsCpus = defineKnob<string>({
  id: "rps_cpus",
  title: "CPUs that share a receive queue's packets",
  family: "nic",
  unit: "hexmask",
  scope: "nic",
  phase: "late",
  after: ["sriov_numvfs", "ethtool.channels.combined"],
  rediscoverAfter: ["sriov_numvfs", "ethtool.channels.combined"],
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "an inter-processor interrupt for packets that are handed on" },
  isReversible: true,
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

  targets: (facts) => queueTargets(facts, "rx"),
  absentBecause: NO_PHYSICAL_NIC,

  async read(host, target) {
    const path = queueFile(target, "rps_cpus");
    return path === undefined ? undefined : await readMask(host, path);
  },

  desired: (input) =>
    decideNic(input, (nic) => {
      const { cpus, because } = packetSteering(nic, input.facts, input.profile);
      return cpus === undefined ? leave(because) : setTo(maskLike(input.current, cpus), because);
    }),

  writes(value, target) {
    const path = queueFile(target, "rps_cpus");
    return path === undefined ? [] : [{ kind: "kernel-file", path, text: `${value}\n` }];
  },

  isSatisfied: isSameMask,
});
