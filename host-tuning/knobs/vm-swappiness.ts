import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { leave, lowerTo, setTo } from "./desired.ts";
import type { Desired } from "./knob.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/** Above it the kernel takes swapping to be cheaper than reading files: only sensible with zram or zswap. */
const EVEN_COST = 100;

/** 200 shared out as 9 to 1 between memory that is swapped and files that are dropped. */
const ZRAM = 180;

/**
 * vm.swappiness: how readily the kernel swaps program memory out rather than drop cached files.
 *
 * Nothing to do on a host without swap. With it, a garbage collector walks the whole heap, so a swapped heap stalls every
 * request: the presets that care for latency take 1 (rpk, TuneD's mssql), the others 10 (TuneD's throughput- and
 * latency-performance). 0 would let the kernel kill instead of swap. A value above 100 was chosen for zram and stays.
 * Where the profile asks for zram it is the other way round: a page comes back from compressed memory about nine times sooner than
 * a file does from NVMe, and the kernel's documentation shares 200 out in that proportion.
 *
 * @example swap present, preset latency: 1; balanced: 10; no swap: left; profile asks for zram: 180
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
  anchors: { TuneD: "10, virtual-guest 30, postgresql 3, mssql 1", rpk: "1", saptune: "by note" },
  evidence: counted("/proc/vmstat", ["pswpin", "pswpout"]),
  sources: ["https://docs.kernel.org/admin-guide/sysctl/vm.html#swappiness"],
  desired({ facts, profile, current }) {
    if (swapsToZram(facts, profile)) return raiseForZram(facts, current);
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

/** Compressed swap is the only one: the agent makes it where the host has none. */
function swapsToZram({ memory, blockDevices }: HostFacts, profile: HostProfile): boolean {
  const isThere = blockDevices.some(({ name, sizeBytes }) => name.startsWith("zram") && sizeBytes > 0);
  return profile.swap === "zram" && (memory.swapTotalBytes === 0 || isThere);
}

function raiseForZram(facts: HostFacts, current: number): Desired<number> {
  const value = takesOver100(facts.kernel.release) ? ZRAM : EVEN_COST;
  if (current > value) return leave(`host has ${current}, more than the ${value} wanted for zram`);
  const because = "swap is compressed memory (profile: zram), which gives a page back sooner than a disk";
  return setTo(
    value,
    value === ZRAM ? because : `${because}; this kernel is older than 5.8 and takes no more`,
  );
}

/** Linux 5.8 takes 200, earlier kernels 100. */
function takesOver100(release: string | null): boolean {
  const [major = 0, minor = 0] = (release ?? "").split(".").map((part) => Number.parseInt(part, 10));
  return major > 5 || (major === 5 && minor >= 8);
}
