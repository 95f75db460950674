import * as z from "zod";
import { TuningError } from "../errors.ts";
import { formatKernelMask, parseKernelMask } from "../sys/kernel-list.ts";
import { leave, setTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob, type Target } from "./knob.ts";
import { packetCpus } from "./packet-cpus.ts";
import { waitsForFunctions } from "./virtual-functions.ts";

const TARGET = /^(.+)\/(rx-\d+)$/;

/**
 * rps_cpus: CPUs that a NIC's receive queue hands packets on to (Receive Packet Steering).
 *
 * Worth it only where there are fewer hardware queues than CPUs to share the work: with a queue for each CPU the
 * hardware has spread the packets already and the hand-over only costs an inter-processor interrupt. That interrupt is
 * also why the latency preset goes without. The mask is the CPUs of the NIC's node (scaling.rst: the same memory
 * domain), or the profile's reserved CPUs.
 */
export const rpsCpus = defineKnob<string>({
  id: "rps_cpus",
  title: "CPUs that share a receive queue's packets",
  family: "nic",
  unit: "hexmask",
  scope: "nic",
  phase: "late",
  after: ["ethtool.channels.combined"],
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "an inter-processor interrupt for packets that are handed on" },
  isReversible: true,
  kernelDefault: "0: packets stay on the CPU that took the interrupt",
  sources: [
    "https://docs.kernel.org/networking/scaling.html#rps-receive-packet-steering",
    "https://github.com/redpanda-data/redpanda/issues/27680",
  ],
  value: z
    .string()
    .refine((mask) => parseKernelMask(mask) !== undefined, 'a CPU mask as in "00000001,0000000f"'),

  targets: (facts) =>
    facts.nics
      .filter((nic) => nic.isPhysical)
      .flatMap((nic) =>
        Array.from({ length: nic.rxQueues }, (_, queue) => ({ name: `${nic.name}/rx-${queue}` })),
      ),
  absentBecause: "no physical NIC on this host",

  async read(host, target) {
    const path = pathOf(target);
    if (path === undefined) return undefined;
    const mask = await readWord(host, path);
    if (mask !== undefined && parseKernelMask(mask) === undefined) {
      throw new TuningError("HOST_PARSE", path, `Cannot read ${path}: holds "${mask}", expected a CPU mask`);
    }
    return mask;
  },

  desired({ facts, profile, current, target }) {
    const nic = facts.nics.find((candidate) => candidate.name === TARGET.exec(target.name)?.[1]);
    if (nic === undefined) return leave("the facts do not have this NIC");
    const wait = waitsForFunctions(nic, profile);
    if (wait !== undefined) return leave(wait);
    const { cpus, because } = packetCpus(nic, facts, profile);
    if (nic.rxQueues >= cpus.length) {
      return leave(
        `${nic.rxQueues} hardware queues for ${cpus.length} CPUs: the hardware spreads packets already`,
      );
    }
    if (profile.preset === "latency") {
      return leave("handing a packet on costs an inter-processor interrupt, and the preset is latency");
    }
    return setTo(
      maskLike(current, cpus),
      `${nic.rxQueues} hardware ${nic.rxQueues === 1 ? "queue" : "queues"} for ${cpus.length} CPUs: shared by ${because}`,
    );
  },

  writes(value, target) {
    const path = pathOf(target);
    return path === undefined ? [] : [{ kind: "kernel-file", path, text: `${value}\n` }];
  },

  isSatisfied: (current, wanted) =>
    parseKernelMask(current)?.join(",") === parseKernelMask(wanted)?.join(","),
});

/** A mask as wide as the kernel prints it on this host: a digit for every four possible CPUs, a comma every eight digits. */
function maskLike(printed: string, cpus: readonly number[]): string {
  const digits = printed.replaceAll(",", "").length;
  const bare = formatKernelMask(cpus)
    .replaceAll(",", "")
    .replace(/^0+(?=.)/, "");
  return bare.padStart(digits, "0").replace(/\B(?=(?:[0-9a-f]{8})+$)/g, ",");
}

function pathOf(target: Target): string | undefined {
  const [, nic, queue] = TARGET.exec(target.name) ?? [];
  return nic === undefined || queue === undefined
    ? undefined
    : `/sys/class/net/${nic}/queues/${queue}/rps_cpus`;
}
