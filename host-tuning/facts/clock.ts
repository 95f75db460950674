import type { CpuInfo } from "./cpu-info.ts";
import type { FactReader } from "./fact-reader.ts";
import type { HostFacts } from "./host-facts.ts";

const DIRECTORY = "/sys/devices/system/clocksource/clocksource0";

/**
 * Reads which clock the kernel tells time by and which it offers. A time stamp counter that ticks at one rate
 * (constant_tsc) and does not stop in deep idle (nonstop_tsc) is as good as an invariant one; without both the kernel
 * itself may find it unstable.
 *
 * @see https://docs.kernel.org/timers/timekeeping.html
 */
export async function readClock(reader: FactReader): Promise<Omit<HostFacts["clock"], "hasInvariantTsc">> {
  const [source, available] = await Promise.all([
    reader.label(`${DIRECTORY}/current_clocksource`),
    reader.label(`${DIRECTORY}/available_clocksource`),
  ]);
  return { source: source ?? null, sources: available?.split(/\s+/) ?? [] };
}

/** The `clock` part of the facts. Pure. */
export function clockFacts(
  reading: Omit<HostFacts["clock"], "hasInvariantTsc">,
  info: CpuInfo,
): HostFacts["clock"] {
  return { ...reading, hasInvariantTsc: info.flags.has("constant_tsc") && info.flags.has("nonstop_tsc") };
}
