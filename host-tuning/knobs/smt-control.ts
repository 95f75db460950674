import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/devices/system/cpu/smt/control";

/**
 * smt/control: are the second hardware threads of the cores in use.
 *
 * Only on the profile's word (cpu.smt: "off"): it takes half of the CPUs from everything that runs, cpusets and reserved
 * CPUs included, and whoever computed a limit from their number is wrong afterwards. No tuner sets it. Steps of the same
 * run that name a CPU which goes away are put right by the next run.
 */
export const smtControl = defineKnob<string>({
  id: "smt/control",
  title: "Are the second hardware threads of the cores in use",
  family: "cpu",
  unit: "enum",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "high", what: "half of the CPUs go away under everything that runs" },
  isReversible: true,
  anchors: { NTO: "single CPUs taken offline (offlined); no tuner turns SMT off" },
  kernelDefault: "on where the processor has it",
  kernelRange: "since Linux 4.19",
  sources: [
    "https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-devices-system-cpu",
    "https://docs.kernel.org/admin-guide/hw-vuln/l1tf.html#smt-control",
  ],
  value: z.enum(["on", "off"]),

  read: (host) => readWord(host, PATH),

  desired({ facts, profile, current }) {
    if (profile.cpu.smt !== "off")
      return leave(
        `${facts.cpu.threadsPerCore} threads a core; the profile does not ask for fewer (cpu.smt)`,
      );
    if (current !== "on") return leave(`host has ${current}: no core has a second thread in use`);
    return setTo("off", "the profile asks for one thread a core (cpu.smt)");
  },

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
