import { defineBootArgument } from "./boot-argument.ts";
import { cpuListArgument } from "./boot-argument-syntax.ts";
import { isolateAtBoot } from "./boot-isolation.ts";
import { leave, setTo } from "./desired.ts";

/**
 * irqaffinity: CPUs that interrupts go to when they are set up. The reserved ones where CPUs are isolated at boot, so that
 * a device found early does not start on an isolated CPU. Interrupts are placed one by one at run time after that.
 *
 * @unit cpus
 * @example 16 CPUs, reserved "0,8": "0,8"
 */
export const irqaffinity = defineBootArgument({
  id: "irqaffinity",
  syntax: cpuListArgument("irqaffinity"),
  title: "CPUs that interrupts start on",
  unit: "cpus",
  scope: "cpu",
  risk: { level: "low", what: "the reserved CPUs take the interrupts of every device until they are placed" },
  kernelDefault: "all CPUs",
  sources: [
    "https://docs.kernel.org/admin-guide/kernel-parameters.html",
    "https://docs.kernel.org/core-api/irq/irq-affinity.html",
  ],
  anchors: { TuneD: "the housekeeping cores (realtime variants)" },
  desired({ facts, profile }) {
    const isolation = isolateAtBoot(facts, profile);
    return isolation.kind === "leave"
      ? leave(isolation.because)
      : setTo(isolation.housekeeping, `the CPUs that are not isolated; isolated are ${isolation.because}`);
  },
});
