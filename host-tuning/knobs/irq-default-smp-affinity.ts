import { kernelListSchema } from "../sys/kernel-list.ts";
import { readMask, writeMask } from "./cpu-mask-file.ts";
import { leave, setTo } from "./desired.ts";
import { housekeepingCpus } from "./housekeeping-cpus.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/proc/irq/default_smp_affinity";

/**
 * irq/default_smp_affinity: CPUs of interrupts that are set up from now on: devices that come later, queues that are
 * made anew. Those that exist keep theirs.
 *
 * @example cpu.reserved "0,8": "0,8"
 */
export const irqDefaultSmpAffinity = defineKnob<string>({
  id: "irq/default_smp_affinity",
  title: "CPUs of interrupts that are set up later",
  family: "irq",
  unit: "cpus",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: {
    level: "low",
    what: "a device that comes later shares the reserved CPUs until somebody moves its interrupts",
  },
  isReversible: true,
  anchors: {
    TuneD: "irqaffinity= at boot in cpu-partitioning",
    NTO: "the reserved CPUs, with irqbalance's ban list",
  },
  kernelDefault: "all CPUs, or what irqaffinity= on the kernel command line says",
  sources: ["https://docs.kernel.org/core-api/irq/irq-affinity.html"],
  value: kernelListSchema.refine((list) => list !== "", "at least one CPU"),

  read: (host) => readMask(host, PATH),

  desired({ facts, profile }) {
    const cpus = housekeepingCpus(facts, profile);
    return cpus === ""
      ? leave("the profile names no CPUs for interrupts (cpu.reserved)")
      : setTo(cpus, "the CPUs that the profile reserves for the kernel and interrupts");
  },

  writes: (value) => [writeMask(PATH, value)],
});
