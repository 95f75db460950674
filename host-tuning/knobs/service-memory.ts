import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { type Wanted } from "./desired.ts";

/** From where the kernel takes page cache back from the service: a quarter above its working set. Our choice. */
const HIGH_SHARE = 1.25;

/** Where the service is killed rather than the host brought down: half as much again as its working set. Our choice. */
const MAX_SHARE = 1.5;

/** Share of the host's memory beyond which a limit would protect nobody. Our choice. */
const HOST_SHARE = 0.95;

const MIB = 1024 ** 2;

export const NO_STATED_MEMORY =
  "the profile does not state the service's memory (service.memoryBytes), and a guessed limit kills";

/** The two limits around the service's stated memory, or why there are none. Whole MiB, as the kernel rounds to pages. */
export function memoryLimit(
  which: "high" | "max",
  facts: HostFacts,
  profile: HostProfile,
): Wanted<number> | { readonly because: string } {
  const { memoryBytes } = profile.service;
  if (memoryBytes === undefined) return { because: NO_STATED_MEMORY };
  const share = which === "high" ? HIGH_SHARE : MAX_SHARE;
  const value = Math.ceil((memoryBytes * share) / MIB) * MIB;
  if (value > facts.memory.totalBytes * HOST_SHARE)
    return {
      because: `${share} x the service's ${memoryBytes} bytes is more than the host can hold back (${facts.memory.totalBytes} bytes)`,
    };
  const why =
    which === "high" ? "above that the kernel reclaims its page cache first" : "above that it runs away";
  return { value, because: `${share} x the ${memoryBytes} bytes that the profile states: ${why}` };
}
