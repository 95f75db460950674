import * as z from "zod";
import { leave, lowerTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none";

/** An eighth of the 512 small pages in a huge one may be untouched. Our choice; allocators' guides (jemalloc, TCMalloc) say 0 to 64. */
const MOST_EMPTY_PAGES = 64;

/**
 * transparent_hugepage/khugepaged/max_ptes_none: how many of the 512 small pages may never have been touched when
 * khugepaged puts a huge one in their place.
 *
 * The kernel's 511 makes 2 MiB of a single used page, so that a heap which gave memory back grows again behind its
 * owner's back. Node's heap is many small regions, and with a stated memory limit that growth ends in a kill. Only
 * lowers. `throughput` keeps the kernel's: fewer TLB misses are worth memory there, while nobody counts it.
 */
export const transparentHugepageKhugepagedMaxPtesNone = defineKnob<number>({
  id: "transparent_hugepage/khugepaged/max_ptes_none",
  title: "Untouched small pages in a huge page that khugepaged makes",
  family: "memory",
  unit: "pages",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "sparse memory of programs that asked for huge pages stays in small ones" },
  isReversible: true,
  kernelDefault: "511 with 4 KiB pages",
  sources: [
    "https://docs.kernel.org/admin-guide/mm/transhuge.html#khugepaged-controls",
    "https://google.github.io/tcmalloc/tuning.html#system-level-optimizations",
  ],
  value: z.int().min(0).max(8191),

  read: (host) => readCount(host, PATH),

  desired({ profile, current }) {
    if (profile.preset === "throughput" && profile.service.memoryBytes === undefined)
      return leave(`host has ${current}, and preset throughput takes huge pages where it can get them`);
    return lowerTo(
      {
        value: MOST_EMPTY_PAGES,
        because: "a huge page in the place of a few used small ones makes a heap grow that gave memory back",
      },
      { current },
    );
  },

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
