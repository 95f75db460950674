import { leave, setTo } from "./desired.ts";
import {
  type NicSetting,
  formatSetting,
  isSameSetting,
  nicSettingSchema,
  readNicSetting,
} from "./ethtool.ts";
import { defineKnob } from "./knob.ts";
import { NO_PHYSICAL_NIC, decideNic, physicalNics } from "./nic-targets.ts";
import { packetCpus } from "./packet-cpus.ts";

/**
 * ethtool.channels.combined: hardware queues of a NIC, each with an interrupt of its own.
 *
 * One for each CPU that takes the NIC's packets, up to the device's maximum. Only raises. Set in the early phase, before
 * the network comes up, because a change restarts the queues and gives the NIC other interrupts, which are then
 * discovered and placed. Virtual functions take queues from their NIC (igb: 4 become 2), so it waits for those.
 */
export const ethtoolChannelsCombined = defineKnob<NicSetting>({
  id: "ethtool.channels.combined",
  title: "Hardware queues of a NIC",
  family: "nic",
  unit: "queues",
  scope: "nic",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: {
    level: "medium",
    what: "the NIC's queues restart: packets are dropped for a moment, interrupts get new numbers",
  },
  isReversible: true,
  canCutOff: true,
  after: ["sriov_numvfs"],
  rediscoverAfter: ["sriov_numvfs"],
  anchors: {
    TuneD: "as the profile's net plugin says (channels)",
    "perftune.py": "one for each interrupt CPU, with limits by driver",
    NTO: "as many as reserved CPUs (userLevelNetworking)",
  },
  kernelDefault: "the driver's: mostly one for each CPU, up to what the device has",
  sources: [
    "https://man7.org/linux/man-pages/man8/ethtool.8.html",
    "https://docs.kernel.org/networking/scaling.html",
  ],
  value: nicSettingSchema,

  targets: physicalNics,
  absentBecause: NO_PHYSICAL_NIC,

  read: (host, target) => readNicSetting(host, target.name, "-l", "Combined"),

  desired: (input) =>
    decideNic(input, (nic) => {
      const { facts, profile, current } = input;
      if (current.maximum === undefined) return leave("the driver names no maximum");
      const { cpus, because } = packetCpus(nic, facts, profile);
      const value = Math.min(cpus.length, current.maximum);
      const reason = `${value} of ${current.maximum} that the device has, for ${cpus.length} CPUs: ${because}`;
      if (current.value > value && !profile.allowLowering) {
        return leave(`host has ${current.value}, more than the ${value} needed: ${reason}`);
      }
      return setTo({ value, maximum: current.maximum }, `${reason}; a change gives the NIC new interrupts`);
    }),

  writes: (wanted, target, before) => [
    {
      kind: "tool",
      command: ["ethtool", "-L", target.name, "combined", String(wanted.value)],
      undo: ["ethtool", "-L", target.name, "combined", String(before.value)],
    },
  ],

  isSatisfied: isSameSetting,
  format: formatSetting,
});
