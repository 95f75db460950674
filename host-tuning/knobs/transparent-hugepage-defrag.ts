import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readChosen } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/kernel/mm/transparent_hugepage/defrag";

/**
 * transparent_hugepage/defrag: whether a page fault may stop to compact memory for a huge page.
 *
 * `always` stalls programs that never asked for huge pages; `madvise` (the kernel's default) stalls only those that
 * asked; `defer` stalls nobody and leaves the work to kcompactd. Only what stalls more than the preset allows is
 * changed.
 */
export const transparentHugepageDefrag = defineKnob<string>({
  id: "transparent_hugepage/defrag",
  title: "Whether a page fault waits for a huge page to be put together",
  family: "memory",
  unit: "enum",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "fewer huge pages right after a program starts" },
  isReversible: true,
  anchors: { TuneD: "its vm plugin can set it (transparent_hugepage.defrag)", saptune: "by note" },
  kernelDefault: "madvise",
  kernelRange: "defer since Linux 4.6, defer+madvise since 4.11",
  sources: ["https://docs.kernel.org/admin-guide/mm/transhuge.html"],
  value: z.enum(["always", "defer", "defer+madvise", "madvise", "never"]),

  read: (host) => readChosen(host, PATH),

  desired({ profile, current }) {
    if (profile.preset === "latency") {
      if (current === "never") {
        return leave("host has never: no page fault waits for compaction");
      }
      return setTo("defer", "no page fault waits for compaction; kcompactd does it in the background");
    }
    if (current !== "always") {
      return leave(`host has ${current}: no program waits for compaction unless it asked for huge pages`);
    }
    return setTo(
      "madvise",
      "with always, page faults of programs that never asked for huge pages wait for compaction",
    );
  },

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
