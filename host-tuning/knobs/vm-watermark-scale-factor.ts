import { clamp, leave, raiseTo } from "./desired.ts";
import { inflow } from "./free-memory.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/** kswapd wakes up and has freed as much before this long. Our choice. */
const AHEAD_SECONDS = 0.1;

/** The unit is 1/10000 of memory. */
const PER_MEMORY = 10_000;
const KERNEL_DEFAULT = 10;
/** 2 %: as much memory stays empty while kswapd works. Our choice; the kernel takes 30 %. */
const MOST = 200;

/**
 * vm.watermark_scale_factor: how far ahead of need kswapd begins to free memory, in 1/10000 of memory.
 *
 * With the kernel's 0.1 % a program that reads files next to a fast NIC meets an empty list and has to free memory
 * itself, in the middle of a request (allocstall). The distance holds what the NICs bring in 100 ms. No anchor sets it.
 *
 * @example 25 Gbit/s on 64 GiB: 312.5 MB of 68.7 GB: 46; on 1 TiB: 3, so the kernel's 10 stays
 */
export const vmWatermarkScaleFactor = integerSysctl({
  id: "vm.watermark_scale_factor",
  title: "How early the kernel begins to free memory, in 1/10000 of it",
  unit: "text",
  scope: "host",
  takesEffect: "now",
  range: [1, 3000],
  risk: { level: "low", what: "a little less memory for the file cache" },
  kernelDefault: "10",
  evidence: counted("/proc/vmstat", [
    "kswapd_low_wmark_hit_quickly",
    "pageoutrun",
    "allocstall_normal",
    "allocstall_movable",
  ]),
  sources: ["https://docs.kernel.org/admin-guide/sysctl/vm.html#watermark-scale-factor"],
  desired(input) {
    const arriving = inflow(input.facts);
    if (arriving.kind === "unknown") return leave(arriving.because);
    const share = (arriving.bytesPerSecond * AHEAD_SECONDS) / input.facts.memory.totalBytes;
    const needed = Math.ceil(share * PER_MEMORY);
    const value = clamp(needed, KERNEL_DEFAULT, MOST);
    const because = `${arriving.because}, in ${AHEAD_SECONDS * 1000} ms ${needed}/${PER_MEMORY} of memory; between the kernel's ${KERNEL_DEFAULT} and ${MOST}`;
    return raiseTo({ value, because }, input);
  },
});
