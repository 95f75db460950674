import { leave, lowerTo } from "./desired.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/** Above it the kernel takes swapping to be cheaper than reading files: only sensible with zram or zswap. */
const EVEN_COST = 100;

/**
 * vm.swappiness: how readily the kernel swaps program memory out rather than drop cached files.
 *
 * Nothing to do on a host without swap. With it, a garbage collector walks the whole heap, so a swapped heap stalls every
 * request: the presets that care for latency take 1 (rpk, TuneD's mssql), the others 10 (TuneD's throughput- and
 * latency-performance). 0 would let the kernel kill instead of swap. A value above 100 was chosen for zram and stays.
 *
 * @example swap present, preset latency: 1; balanced: 10; no swap: left
 */
export const vmSwappiness = integerSysctl({
  id: "vm.swappiness",
  title: "Readiness to swap program memory out",
  unit: "text",
  scope: "host",
  takesEffect: "now",
  range: [0, 200],
  risk: { level: "low", what: "less file cache when memory is short" },
  kernelDefault: "60",
  kernelRange: "up to 200 since Linux 5.8, up to 100 before",
  sources: ["https://docs.kernel.org/admin-guide/sysctl/vm.html#swappiness"],
  desired({ facts, profile, current }) {
    if (facts.memory.swapTotalBytes === 0) return leave("this host has no swap, so the value has no effect");
    if (current > EVEN_COST) return leave(`host has ${current}, which somebody chose for zram or zswap`);
    const prefersLatency = profile.preset === "latency" || profile.preset === "gpu";
    const value = prefersLatency ? 1 : 10;
    return lowerTo(
      {
        value,
        because: `preset ${profile.preset}: a swapped heap stalls every request when it is collected`,
      },
      { current },
    );
  },
});
