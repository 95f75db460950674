import { leave, raiseTo } from "./desired.ts";
import { inflow } from "./free-memory.ts";
import { counted } from "./kernel-counters.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** Packets of this long find memory without anybody freeing some. Our choice. */
const RESERVE_SECONDS = 0.05;

/** ENA's guide asks for 1 to 3 % of memory; more "will OOM your machine instantly" (kernel documentation). */
const MOST_SHARE = 1 / 100;

/**
 * vm.min_free_kbytes: memory that only the kernel may take, so that a packet which arrives now finds some.
 *
 * The kernel goes by memory alone; a fast NIC in a small host empties that within milliseconds and packets are dropped
 * (page allocation failure, order 0). Sized by what the NICs bring in 50 ms, at most 1 % of memory. khugepaged raises it
 * behind everybody's back (tuned#752, where a fixed 135168 then failed its check), so this only raises.
 *
 * @unit KiB
 * @example 25 Gbit/s: 3.125e9 * 0.05 = 156 MB, 152 588 KiB, on 64 GiB; on 8 GiB capped at 83 886
 */
export const vmMinFreeKbytes = integerSysctl({
  id: "vm.min_free_kbytes",
  title: "Memory kept free for the kernel",
  unit: "KiB",
  scope: "host",
  takesEffect: "now",
  range: [1024, INT32_MAX],
  risk: { level: "medium", what: "that much memory less for programs; far too much kills them" },
  kernelDefault: "by memory: 4 times the root of its KiB, 67584 on 64 GiB with transparent huge pages",
  anchors: { TuneD: "hpc-compute: 135168 on any host" },
  evidence: counted("/proc/vmstat", [
    "allocstall_dma32",
    "allocstall_normal",
    "allocstall_movable",
    "oom_kill",
  ]),
  sources: [
    "https://docs.kernel.org/admin-guide/sysctl/vm.html#min-free-kbytes",
    "https://github.com/amzn/amzn-drivers/blob/master/kernel/linux/ena/ENA_Linux_Best_Practices.rst",
  ],
  desired(input) {
    const arriving = inflow(input.facts);
    if (arriving.kind === "unknown") return leave(arriving.because);
    const needed = Math.ceil((arriving.bytesPerSecond * RESERVE_SECONDS) / 1024);
    const most = Math.floor((input.facts.memory.totalBytes * MOST_SHARE) / 1024);
    const sum = `${arriving.because}, ${needed} KiB in ${RESERVE_SECONDS * 1000} ms`;
    const because = needed <= most ? sum : `${sum}; capped at 1 % of memory`;
    return raiseTo({ value: Math.max(1024, Math.min(needed, most)), because }, input);
  },
});
