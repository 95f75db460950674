import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/kernel/mm/transparent_hugepage/khugepaged/defrag";

/**
 * transparent_hugepage/khugepaged/defrag: may khugepaged, the thread that makes huge pages in the background, compact
 * memory for them.
 *
 * Off for latency: its compaction takes locks that page faults wait for, at a moment of its own choice. The other presets
 * keep it, since with `madvise` the programs that asked get their huge pages from it.
 */
export const transparentHugepageKhugepagedDefrag = defineKnob<number>({
  id: "transparent_hugepage/khugepaged/defrag",
  title: "May the background thread compact memory for huge pages",
  family: "memory",
  unit: "flag",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "programs that asked for huge pages get fewer once memory is fragmented" },
  isReversible: true,
  anchors: { TuneD: "its vm plugin can set it; no profile read does" },
  kernelDefault: "1",
  sources: ["https://docs.kernel.org/admin-guide/mm/transhuge.html#khugepaged-controls"],
  value: z.int().min(0).max(1),

  read: (host) => readCount(host, PATH),

  desired: ({ profile, current }) =>
    profile.preset === "latency"
      ? setTo(0, "no page fault waits for a compaction that the background thread chose to begin")
      : leave(`host has ${current}, and preset ${profile.preset} gets its huge pages from there`),

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
