import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";

/** Longest wake-up that a preset puts up with, microseconds. Our choice: the shallow states of servers take 1 to 10, C6 100 and more. */
const PRESET_MICROS: Readonly<Partial<Record<HostProfile["preset"], number>>> = { latency: 10, gpu: 100 };

export const NO_IDLE_STATES =
  "the kernel shows no idle states: they are the hypervisor's, or the firmware's, to choose";

/** How long an idle CPU may take to wake up, or why nobody minds. */
export type IdleLatency =
  | { readonly kind: "limit"; readonly micros: number; readonly because: string }
  | { readonly kind: "any"; readonly because: string };

/**
 * The limit for idle CPUs: the profile's, else by preset; none where every idle state of the host is within it anyway.
 *
 * @example latency preset, C1 2 us, C1E 10 us, C6 133 us: limit 10, "POLL, C1, C1E may be used; C6 (133 us) takes longer..."
 */
export function idleLatency(facts: HostFacts, profile: HostProfile): IdleLatency {
  const { wakeUpLatencyMicros } = profile.cpu;
  const micros = wakeUpLatencyMicros ?? PRESET_MICROS[profile.preset];
  const whose =
    wakeUpLatencyMicros === undefined
      ? `the ${profile.preset} preset`
      : "the profile (cpu.wakeUpLatencyMicros)";
  if (micros === undefined)
    return {
      kind: "any",
      because: `${whose} lets idle CPUs sleep deeply: what they save, the busy ones get as clock`,
    };
  const { states } = facts.cpu.idle;
  const slow = states.filter((state) => state.latencyMicros > micros);
  if (slow.length === 0) {
    const [deepest] = states.toSorted((a, b) => b.latencyMicros - a.latencyMicros);
    const slowest = deepest === undefined ? "none" : `${deepest.name} ${deepest.latencyMicros} us`;
    return {
      kind: "any",
      because: `every idle state wakes up within the ${micros} us of ${whose} (${slowest})`,
    };
  }
  const fast = states.filter((state) => state.latencyMicros <= micros).map(({ name }) => name);
  const forbidden = slow.map(({ name, latencyMicros }) => `${name} (${latencyMicros} us)`).join(", ");
  const allowed = fast.length === 0 ? "no state may be used" : `${fast.join(", ")} may be used`;
  return {
    kind: "limit",
    micros,
    because: `${whose} allows ${micros} us to wake up: ${allowed}, not ${forbidden}`,
  };
}
