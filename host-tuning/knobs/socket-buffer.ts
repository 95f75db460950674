import type { HostFacts, NicFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { INT32_MAX } from "./sysctl-knob.ts";

/** Share of RAM that full buffers may claim together. Our choice; the kernel's tcp_mem stops all sockets at about 1/11. */
const MEMORY_SHARE = 1 / 16;

/** Of this many connections one is stalled with a full buffer at the same time; at least 16 are. Our choice. */
const CONNECTIONS_PER_FULL_BUFFER = 100;
const LEAST_FULL_BUFFERS = 16;

/** The kernel cuts SO_RCVBUF and SO_SNDBUF at INT_MAX/2, and a TCP window ends at 1 GiB: more is never used. */
const KERNEL_MOST_BYTES = Math.floor(INT32_MAX / 2);

/** AWS lets one flow have 5 Gbit/s outside a cluster placement group, whatever the instance; ENA names no speed. */
const AWS_FLOW_MBIT_PER_SEC = 5000;

/** What one connection can carry, and how that is known; `undefined` when nobody says. */
interface Path {
  readonly mbitPerSec: number;
  readonly name: string;
}

/** A socket buffer's size with its sum, or why it cannot be computed. */
export type SocketBuffer =
  | {
      readonly kind: "sized";
      readonly bytes: number;
      /** Connections that may have it full at the same time. */
      readonly fullBuffers: number;
      readonly because: string;
    }
  | { readonly kind: "unknown"; readonly because: string };

/**
 * The NIC that the service's clients come in by: the one with the default route, or the fastest physical one where no
 * route is known or a bridge without a speed of its own carries it.
 */
export function serviceNic(facts: HostFacts): NicFacts | undefined {
  const routed = facts.nics.find((nic) => nic.carriesDefaultRoute);
  if (routed !== undefined && (routed.isPhysical || routed.speedMbitPerSec !== null)) return routed;
  const physical = facts.nics
    .filter((nic) => nic.isPhysical)
    .toSorted((a, b) => (b.speedMbitPerSec ?? 0) - (a.speedMbitPerSec ?? 0));
  return physical[0] ?? routed;
}

function servicePath(facts: HostFacts): Path | undefined {
  const nic = serviceNic(facts);
  const speed = nic?.speedMbitPerSec ?? null;
  if (nic !== undefined && speed !== null && speed > 0) return { mbitPerSec: speed, name: nic.name };
  if (facts.cloud.provider === "aws") return { mbitPerSec: AWS_FLOW_MBIT_PER_SEC, name: "one AWS flow" };
  return undefined;
}

/**
 * Buffer that lets one connection fill the path: `times` the bandwidth-delay product, as long as one in a hundred
 * connections may stall with a full buffer without taking more than 1/16 of RAM, and never beyond INT_MAX/2. The preset
 * has no say: the sum already weighs speed against the number of connections.
 *
 * @unit bytes
 * @example 1 Gbit/s at 40 ms, twice: 1e9 / 8 * 0.040 * 2 = 10 000 000; 4096 connections on 2 GiB cap it at 2 GiB / 16 / 41 = 3 273 603
 */
export function socketBuffer(facts: HostFacts, profile: HostProfile, times: 1 | 2): SocketBuffer {
  const path = servicePath(facts);
  if (path === undefined) {
    const nic = serviceNic(facts)?.name;
    return {
      kind: "unknown",
      because: `${nic === undefined ? "no network interface" : `${nic} names no speed`}, so there is no bandwidth-delay product; set it by an override when it is known`,
    };
  }
  const { rttMillis, connections } = profile.workload;
  const fullBuffers = Math.max(LEAST_FULL_BUFFERS, Math.ceil(connections / CONNECTIONS_PER_FULL_BUFFER));
  const neededBytes = Math.ceil(((path.mbitPerSec * 1e6) / 8) * (rttMillis / 1e3) * times);
  const shareBytes = Math.floor((facts.memory.totalBytes * MEMORY_SHARE) / fullBuffers);
  const capBytes = Math.min(shareBytes, KERNEL_MOST_BYTES);
  const sum = `${times === 2 ? "2 x " : ""}bandwidth-delay product of ${path.name}, ${path.mbitPerSec} Mbit/s at ${rttMillis} ms: ${neededBytes} bytes`;
  const bytes = Math.min(neededBytes, capBytes);
  const capReason =
    shareBytes <= KERNEL_MOST_BYTES
      ? `${fullBuffers} full buffers (of ${connections} connections) may take 1/16 of memory`
      : "the kernel uses no more than INT_MAX/2";
  return {
    kind: "sized",
    bytes,
    fullBuffers,
    because: bytes < neededBytes ? `${sum}, capped at ${capBytes}: ${capReason}` : sum,
  };
}
