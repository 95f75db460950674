import {
  formatKernelList,
  formatKernelMask,
  kernelListSchema,
  parseKernelList,
  parseKernelMask,
} from "../sys/kernel-list.ts";
import { leave, setTo } from "./desired.ts";
import { housekeepingCpus } from "./housekeeping-cpus.ts";
import { NO_IRQBALANCE, irqbalanceTarget, irqbalanceVariable } from "./irqbalance-variable.ts";
import { defineKnob } from "./knob.ts";

const LIST = "IRQBALANCE_BANNED_CPULIST";

/** Before irqbalance 1.8 a mask by this name; newer ones take the list and say that they discard this one. */
const MASK = "IRQBALANCE_BANNED_CPUS";

/**
 * irqbalance.IRQBALANCE_BANNED_CPULIST: CPUs to which irqbalance moves no interrupt.
 *
 * All but the reserved ones, where the profile keeps the service's CPUs free (cpu.isolation). Written in both spellings,
 * as the variable was renamed and a host with the other one would not notice (as happened to the Node Tuning Operator).
 *
 * @example 4 CPUs, 0-1 reserved: "2-3"
 */
export const irqbalanceIrqbalanceBannedCpulist = defineKnob<string>({
  id: "irqbalance.IRQBALANCE_BANNED_CPULIST",
  title: "CPUs to which irqbalance moves no interrupt",
  family: "irq",
  unit: "cpus",
  scope: "unit",
  phase: "late",
  takesEffect: "now",
  survivesReboot: true,
  isReversible: true,
  risk: { level: "low", what: "the CPUs that are left take all interrupts" },
  anchors: {
    rpk: "bans the interrupts it pins, in the configuration file",
    "perftune.py": "adds --banirq for the interrupts it pins",
    TuneD: "the isolated CPUs, in cpu-partitioning",
    NTO: "the isolated CPUs; one of its scripts still writes the old name",
  },
  kernelDefault: "none; irqbalance itself keeps off isolcpus= and nohz_full= CPUs",
  sources: ["https://github.com/Irqbalance/irqbalance/blob/cd9212f/irqbalance.1"],
  value: kernelListSchema.refine((list) => list !== "", "at least one CPU"),
  targets: irqbalanceTarget,
  absentBecause: NO_IRQBALANCE,
  ...irqbalanceVariable({
    names: [LIST, MASK],
    fileName: "banned-cpus",
    renderText: (name, value) => (name === LIST ? value : formatKernelMask(parseKernelList(value) ?? [])),
    parseText,
    async readRunning(host, pid) {
      const environment = (await host.readText(`/proc/${pid}/environ`))?.split("\0");
      if (environment === undefined) return undefined;
      for (const name of [LIST, MASK]) {
        const found = environment.find((entry) => entry.startsWith(`${name}=`));
        if (found !== undefined) return parseText(name, found.slice(name.length + 1));
      }
      return "";
    },
  }),

  desired({ facts, profile, current }) {
    const reserved = new Set(parseKernelList(housekeepingCpus(facts, profile)));
    if (profile.cpu.isolation === "none" || reserved.size === 0)
      return leave(
        `irqbalance has ${current === "" ? "none" : current} banned, and the profile does not keep CPUs free (cpu.isolation with cpu.reserved)`,
      );
    const banned = (parseKernelList(facts.cpu.onlineCpus) ?? []).filter((cpu) => !reserved.has(cpu));
    return banned.length === 0
      ? leave("every CPU is reserved for interrupts")
      : setTo(
          formatKernelList(banned),
          "interrupts keep to the reserved CPUs, as the profile isolates the others",
        );
  },

  format: (cpus) => (cpus === "" ? "none" : cpus),
});

function parseText(name: string, text: string): string {
  const cpus = name === LIST ? parseKernelList(text) : parseKernelMask(text);
  return cpus === undefined ? text : formatKernelList(cpus);
}
