import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";
import { sysctlPath } from "./sysctl-knob.ts";

const PATH = sysctlPath("net.core.default_qdisc");

/**
 * net.core.default_qdisc: the queueing discipline of interfaces that come up from now on, and of each queue below `mq`.
 *
 * pfifo_fast lets one bulk transfer hold up everybody's small frames; fq_codel gives each flow its turn and drops what
 * waits too long. `fq` is left where somebody chose it: it is what BBR wants, and only for what the host itself sends.
 * Interfaces that are up keep theirs, so this is set before the network comes up.
 */
export const netCoreDefaultQdisc = defineKnob<string>({
  id: "net.core.default_qdisc",
  title: "Queueing discipline of interfaces that come up",
  family: "net",
  unit: "enum",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: {
    level: "low",
    what: "the kernel may load a module (sch_fq_codel); interfaces that are up keep theirs",
  },
  isReversible: true,
  kernelDefault: "pfifo_fast, unless the distribution built another in; systemd's sysctl.d sets fq_codel",
  sources: [
    "https://docs.kernel.org/admin-guide/sysctl/net.html#default-qdisc",
    "https://man7.org/linux/man-pages/man8/tc-fq_codel.8.html",
  ],
  value: z.string().regex(/^[a-z0-9_]{1,15}$/, 'a queueing discipline as in "fq_codel"'),
  read: (host) => readWord(host, PATH),
  desired({ current }) {
    if (current !== "pfifo_fast" && current !== "fq_codel") {
      return leave(`"${current}" was chosen here, and shares between flows too or was meant not to`);
    }
    return setTo(
      "fq_codel",
      "each flow gets its turn: a bulk transfer does not hold up small frames of streams",
    );
  },
  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
  explainShortfall: (wanted) => `this kernel has no ${wanted}`,
});
