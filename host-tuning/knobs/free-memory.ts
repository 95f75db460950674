import type { HostFacts } from "../facts/host-facts.ts";

/** What the NICs of a host can bring in one second, or why nobody knows. */
export type Inflow =
  | { readonly kind: "known"; readonly bytesPerSecond: number; readonly because: string }
  | { readonly kind: "unknown"; readonly because: string };

/**
 * Bytes a second that arrive when every physical NIC is full. A packet that arrives takes memory at once and cannot
 * wait for the kernel to free some, so what is kept free has to last while it does.
 *
 * @example one NIC of 25 Gbit/s: 3 125 000 000
 */
export function inflow(facts: HostFacts): Inflow {
  const nics = facts.nics.filter((nic) => nic.isPhysical && !nic.isVirtualFunction);
  const named = nics.filter((nic) => (nic.speedMbitPerSec ?? 0) > 0);
  const mbitPerSec = named.reduce((sum, nic) => sum + (nic.speedMbitPerSec ?? 0), 0);
  if (mbitPerSec === 0) {
    const names = nics.map((nic) => nic.name).join(", ");
    return {
      kind: "unknown",
      because: `${names === "" ? "no physical network interface" : `${names} names no speed`}, so the kernel's own value stays; set it by an override when it is known`,
    };
  }
  const names = named.map((nic) => nic.name).join(", ");
  return {
    kind: "known",
    bytesPerSecond: (mbitPerSec * 1e6) / 8,
    because: `${names} brings ${mbitPerSec} Mbit/s`,
  };
}
