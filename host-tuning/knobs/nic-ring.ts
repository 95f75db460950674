import type { NicFacts } from "../facts/host-facts.ts";
import { leave, powerOfTwoAtLeast, setTo } from "./desired.ts";
import {
  type NicSetting,
  formatSetting,
  isSameSetting,
  nicSettingSchema,
  readNicSetting,
} from "./ethtool.ts";
import { type AnyKnob, type Desired, type DesiredInput, defineKnob } from "./knob.ts";
import { NO_PHYSICAL_NIC, decideNic, exceededText, nicLosses, physicalNics } from "./nic-targets.ts";

/** Packets of MCP traffic, JSON and small event-stream frames. Our choice. */
export const AVERAGE_PACKET_BYTES = 512;

/** How long a queue must hold the line rate while its CPU is elsewhere. Our choice. */
const PAUSE_MILLIS = { balanced: 1, throughput: 2, gpu: 2 } as const;

/**
 * Descriptors in each queue of a NIC: room for packets that came while the queue's CPU was elsewhere.
 *
 * Sized to what the link brings in a pause of 1 ms (2 ms for throughput) over all queues, up to the device's maximum.
 * Only raises. The latency preset keeps the driver's size: a longer ring can only hold packets that are late already.
 * Resizing restarts the queues: under a millisecond on ENA, longer where the driver renegotiates the link.
 *
 * @example 10 Gbit/s, 8 queues, 2 ms: 1.25e9 / 512 * 0.002 / 8 = 611, as a power of two 1024
 */
export function ringKnob(direction: "rx" | "tx"): AnyKnob {
  const word = direction === "rx" ? "receive" : "transmit";
  return defineKnob<NicSetting>({
    id: `ethtool.ring.${direction}`,
    title: `Descriptors in each ${word} queue of a NIC`,
    family: "nic",
    unit: "entries",
    scope: "nic",
    phase: "late",
    takesEffect: "now",
    survivesReboot: false,
    risk: {
      level: "medium",
      what: "the NIC's queues restart: packets are dropped for a moment, and some drivers renegotiate the link",
    },
    isReversible: true,
    canCutOff: true,
    after: ["sriov_numvfs", "ethtool.channels.combined"],
    rediscoverAfter: ["sriov_numvfs", "ethtool.channels.combined"],
    anchors: { TuneD: "as the profile's net plugin says (ring)" },
    evidence: (host, target) => nicLosses(host, target.name),
    kernelDefault: "the driver's: 256 on virtio and igb, 1024 on ENA and mlx5",
    sources: [
      "https://man7.org/linux/man-pages/man8/ethtool.8.html",
      "https://github.com/amzn/amzn-drivers/blob/64788ef/kernel/linux/ena/ENA_Linux_Best_Practices.rst",
    ],
    value: nicSettingSchema,

    targets: physicalNics,
    absentBecause: NO_PHYSICAL_NIC,

    read: (host, target) => readNicSetting(host, target.name, "-g", direction.toUpperCase()),

    desired: (input) => decideNic(input, (nic) => desiredRing(nic, input, direction)),

    writes: (wanted, target, before) => [
      {
        kind: "tool",
        command: ["ethtool", "-G", target.name, direction, String(wanted.value)],
        undo: ["ethtool", "-G", target.name, direction, String(before.value)],
      },
    ],

    isSatisfied: isSameSetting,
    format: formatSetting,
    explainShortfall: (wanted, found) =>
      `the driver took ${found.value} for ${wanted.value}: it rounds to sizes that its hardware has`,
  });
}

function desiredRing(
  nic: NicFacts,
  { profile, current }: DesiredInput<NicSetting>,
  direction: "rx" | "tx",
): Desired<NicSetting> {
  const { preset } = profile;
  if (preset === "latency") return leave("a longer ring only holds packets that are late already");
  if (direction === "tx" && preset === "balanced") {
    return leave(
      "the kernel's byte limits (BQL) keep the transmit ring short; only throughput presets raise it",
    );
  }
  if (current.maximum === undefined) return leave("the driver names no maximum");
  const wanted = ringFor(nic, direction, PAUSE_MILLIS[preset]);
  if (wanted === undefined) return leave("the link's speed is not known, so neither is what a pause brings");
  const value = Math.min(wanted.entries, current.maximum);
  if (current.value > value && !profile.allowLowering) {
    return leave(`host has ${current.value}, more than the ${value} needed: ${wanted.because}`);
  }
  const cap = value < wanted.entries ? `, of which the device takes ${current.maximum}` : "";
  return setTo({ value, maximum: current.maximum }, `${wanted.because}${cap}${exceededText(nic)}`);
}

function ringFor(
  nic: NicFacts,
  direction: "rx" | "tx",
  pauseMillis: number,
): { readonly entries: number; readonly because: string } | undefined {
  if (nic.speedMbitPerSec === null || nic.speedMbitPerSec <= 0) return undefined;
  const queues = Math.max(1, direction === "rx" ? nic.rxQueues : nic.txQueues);
  const packets = ((nic.speedMbitPerSec * 1e6) / 8 / AVERAGE_PACKET_BYTES) * (pauseMillis / 1e3);
  const entries = powerOfTwoAtLeast(packets / queues);
  return {
    entries,
    because: `${nic.speedMbitPerSec} Mbit/s bring ${Math.ceil(packets)} packets of ${AVERAGE_PACKET_BYTES} bytes in ${pauseMillis} ms, over ${queues} ${queues === 1 ? "queue" : "queues"}: ${entries} each`,
  };
}
