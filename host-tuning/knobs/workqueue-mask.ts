import { kernelListSchema } from "../sys/kernel-list.ts";
import { readMask, writeMask } from "./cpu-mask-file.ts";
import { leave, setTo } from "./desired.ts";
import { housekeepingCpus } from "./housekeeping-cpus.ts";
import { type AnyKnob, defineKnob } from "./knob.ts";

interface WorkqueueArgs {
  readonly id: string;
  readonly title: string;
  /** Below /sys/devices/virtual/workqueue. */
  readonly file: string;
  readonly what: string;
  readonly kernelDefault: string;
  readonly kernelRange: string;
}

/**
 * Where the kernel's unbound work runs. Moved to the reserved CPUs only where the profile keeps the service's CPUs free
 * (cpu.isolation): otherwise a few CPUs would carry the work of all, and a busy disk would wait for them.
 */
export function workqueueMask(args: WorkqueueArgs): AnyKnob {
  const path = `/sys/devices/virtual/workqueue/${args.file}`;
  return defineKnob<string>({
    id: args.id,
    title: args.title,
    family: "cpu",
    unit: "cpus",
    scope: "host",
    phase: "early",
    takesEffect: "now",
    survivesReboot: false,
    risk: { level: "low", what: "the reserved CPUs carry this work for the whole host" },
    isReversible: true,
    anchors: { TuneD: "the housekeeping CPUs in cpu-partitioning", NTO: "the reserved CPUs" },
    kernelDefault: args.kernelDefault,
    kernelRange: args.kernelRange,
    sources: [
      "https://docs.kernel.org/core-api/workqueue.html#affinity-scopes",
      "https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-bus-workqueue",
    ],
    value: kernelListSchema.refine((list) => list !== "", "at least one CPU"),

    read: (host) => readMask(host, path),

    desired({ facts, profile }) {
      if (profile.cpu.isolation === "none")
        return leave("the profile does not keep the service's CPUs free of others (cpu.isolation)");
      const cpus = housekeepingCpus(facts, profile);
      return cpus === ""
        ? leave("the profile names no CPUs for the kernel's own work (cpu.reserved)")
        : setTo(cpus, `${args.what} keeps to the reserved CPUs, as the profile isolates the others`);
    },

    writes: (value) => [writeMask(path, value)],
  });
}
