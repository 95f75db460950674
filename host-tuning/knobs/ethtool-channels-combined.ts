import { leave, setTo } from "./desired.ts";
import {
  type NicSetting,
  formatSetting,
  isSameSetting,
  nicSettingSchema,
  readNicSetting,
} from "./ethtool.ts";
import { defineKnob } from "./knob.ts";
import { packetCpus } from "./packet-cpus.ts";
import { waitsForFunctions } from "./virtual-functions.ts";

/**
 * ethtool.channels.combined: hardware queues of a NIC, each with an interrupt of its own.
 *
 * One for each CPU that takes the NIC's packets, up to the device's maximum. Only raises. Set in the early phase, before
 * the network comes up, because a change restarts the queues and gives the NIC other interrupts: the late phase then
 * finds those and places them. In a run of both phases at once the next run places the new ones.
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
  kernelDefault: "the driver's: mostly one for each CPU, up to what the device has",
  sources: [
    "https://man7.org/linux/man-pages/man8/ethtool.8.html",
    "https://docs.kernel.org/networking/scaling.html",
  ],
  value: nicSettingSchema,

  targets: (facts) => facts.nics.filter((nic) => nic.isPhysical).map((nic) => ({ name: nic.name })),
  absentBecause: "no physical NIC on this host",

  read: (host, target) => readNicSetting(host, target.name, "-l", "Combined"),

  desired({ facts, profile, current, target }) {
    const nic = facts.nics.find((candidate) => candidate.name === target.name);
    if (nic === undefined) return leave("the facts do not have this NIC");
    const wait = waitsForFunctions(nic, profile);
    if (wait !== undefined) return leave(wait);
    if (current.maximum === undefined) return leave("the driver names no maximum");
    const { cpus, because } = packetCpus(nic, facts, profile);
    const value = Math.min(cpus.length, current.maximum);
    const reason = `${value} of ${current.maximum} that the device has, for ${cpus.length} CPUs: ${because}`;
    if (current.value > value && !profile.allowLowering) {
      return leave(`host has ${current.value}, more than the ${value} needed: ${reason}`);
    }
    return setTo({ value, maximum: current.maximum }, `${reason}; a change gives the NIC new interrupts`);
  },

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
