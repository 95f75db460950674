import { leave, lowerTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * vm.compaction_proactiveness: how eagerly pages are moved together in the background, for huge pages to come.
 *
 * 0 for preset latency: the kernel's documentation warns of latency spikes in programs that never asked, because their
 * pages are moved under them. Huge pages that the profile reserves are made at boot and do not need it; what fragments
 * later is compacted when somebody asks for it. No anchor sets it.
 *
 * @example preset latency: 0; the others: left at the kernel's 20
 */
export const vmCompactionProactiveness = integerSysctl({
  id: "vm.compaction_proactiveness",
  title: "Moving pages together before anybody asks",
  unit: "percent",
  scope: "host",
  takesEffect: "now",
  range: [0, 100],
  risk: {
    level: "low",
    what: "large pages are harder to get after weeks, or cost the program that wants one",
  },
  kernelDefault: "20",
  kernelRange: "since Linux 5.9",
  evidence: counted("/proc/vmstat", [
    "compact_daemon_wake",
    "compact_daemon_migrate_scanned",
    "compact_stall",
  ]),
  sources: ["https://docs.kernel.org/admin-guide/sysctl/vm.html#compaction-proactiveness"],
  desired(input) {
    const { preset } = input.profile;
    if (preset !== "latency")
      return leave(
        `preset ${preset}: transparent huge pages gain from memory that is moved together beforehand`,
      );
    return lowerTo({ value: 0, because: "preset latency: its pages are moved while it runs" }, input);
  },
});
