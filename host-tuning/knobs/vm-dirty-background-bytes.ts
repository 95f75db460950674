import { desiredDirtyBytes } from "./dirty-memory.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/** Writing starts at a quarter of the limit, TuneD's 40 % to 10 %, so that writers rarely reach it. */
const SHARE_OF_LIMIT = 1 / 4;

/**
 * vm.dirty_background_bytes: unwritten file data at which the kernel starts to write it out.
 *
 * A quarter of vm.dirty_bytes, and subject to the same conditions (dirty-memory.ts): the two always move together, because
 * a start above the limit is cut to half of it by the kernel without a word. Its counterpart is
 * vm.dirty_background_ratio.
 *
 * @unit bytes
 * @example NVMe at 1000 MiB/s, preset latency: a quarter of 1 048 576 000, 262 144 000 bytes
 */
export const vmDirtyBackgroundBytes = integerSysctl({
  id: "vm.dirty_background_bytes",
  title: "Unwritten file data at which writing out starts",
  unit: "bytes",
  scope: "host",
  takesEffect: "now",
  range: [1, Number.MAX_SAFE_INTEGER],
  counterpart: "/proc/sys/vm/dirty_background_ratio",
  risk: { level: "low", what: "the disk is busy more often with smaller writes" },
  kernelDefault: "0: vm.dirty_background_ratio, 10 % of memory, rules",
  anchors: { TuneD: "10 % for throughput, 3 % for latency, 64 MiB for postgresql", saptune: "314572800" },
  evidence: counted("/proc/vmstat", ["nr_dirty", "nr_writeback"]),
  sources: ["https://docs.kernel.org/admin-guide/sysctl/vm.html#dirty-background-bytes"],
  desired: (input) => desiredDirtyBytes(input, SHARE_OF_LIMIT),
});
