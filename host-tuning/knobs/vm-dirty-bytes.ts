import { desiredDirtyBytes } from "./dirty-memory.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * vm.dirty_bytes: unwritten file data after which a program that writes has to wait.
 *
 * 0 means that vm.dirty_ratio (20 % of memory) rules, which on a large host is a stall of many seconds when it is reached.
 * Writing one of the two makes the kernel zero the other, so both originals are kept and rollback writes the one that
 * was not 0 (writing 0 here is refused). Anchors use shares of memory (TuneD 40 % to 10 %) or constants (600 MB in
 * saptune); seconds of writing hold on any disk. A number that somebody set stays, unless the profile allows lowering and it is
 * larger.
 *
 * @unit bytes
 * @example NVMe at 1000 MiB/s, preset latency: 1 s, 1 048 576 000 bytes
 */
export const vmDirtyBytes = integerSysctl({
  id: "vm.dirty_bytes",
  title: "Unwritten file data after which writers wait",
  unit: "bytes",
  scope: "host",
  takesEffect: "now",
  // Two pages at least; four with 64 KiB pages would still be within it.
  range: [8192, Number.MAX_SAFE_INTEGER],
  counterpart: "/proc/sys/vm/dirty_ratio",
  risk: { level: "low", what: "a program that writes faster than the disk is slowed down sooner" },
  kernelDefault: "0: vm.dirty_ratio, 20 % of memory, rules",
  anchors: { TuneD: "40 % for throughput, 10 % for latency, 512 MiB for postgresql", saptune: "629145600" },
  evidence: counted("/proc/vmstat", ["nr_dirty", "nr_writeback"]),
  sources: ["https://docs.kernel.org/admin-guide/sysctl/vm.html#dirty-bytes"],
  desired: (input) => desiredDirtyBytes(input, 1),
});
