import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/kernel/mm/ksm/run";

/**
 * ksm/run: does the kernel look for equal pages and share them (1), not (0), or take all sharing back (2).
 *
 * Stopped for latency: its scanning costs CPU time, and writing to a shared page copies it, also for whoever measures
 * that from another process. 0 leaves what is shared as it is; never 2, which needs all that memory at once.
 */
export const ksmRun = defineKnob<number>({
  id: "ksm/run",
  title: "Does the kernel look for equal pages and share them",
  family: "memory",
  unit: "enum",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "virtual machines on this host need more memory" },
  isReversible: true,
  anchors: {
    TuneD: "0 in cpu-partitioning, 2 in realtime-virtual-host",
    saptune: "0",
  },
  kernelDefault: "0",
  sources: ["https://docs.kernel.org/admin-guide/mm/ksm.html"],
  value: z.int().min(0).max(1),

  read: (host) => readCount(host, PATH),

  desired({ profile, current }) {
    if (current === 2)
      return leave("host has 2: somebody is taking all sharing back, which has to end first");
    return profile.preset === "latency"
      ? setTo(0, "scanning for equal pages takes CPU time, and a write to a shared page has to copy it")
      : leave(`host has ${current}, and preset ${profile.preset} has no reason to change it`);
  },

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
