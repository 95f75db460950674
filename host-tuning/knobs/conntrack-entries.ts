import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { type Wanted, powerOfTwoAtLeast, powerOfTwoAtMost } from "./desired.ts";

/** nf_conntrack_tcp_timeout_time_wait: a closed connection is tracked this long. */
const TRACKED_AFTER_CLOSE_SECONDS = 120;

/** Room for what is not the service's: DNS, monitoring, probes. Our choice. */
const HEADROOM = 1.25;

/** One tracked connection with its extensions. */
const ENTRY_BYTES = 320;

/** Share of RAM that a full table may take. Our choice. */
const MEMORY_SHARE = 1 / 16;

/** The smallest table that is worth a hash; the kernel's own on 1 GiB is larger. */
const LEAST = 16_384;

/**
 * Connections that the firewall tracks at the peak: open ones and those closed within the last 120 s, in both
 * directions, as a power of two.
 *
 * @unit entries
 * @example 4096 connections, 500 new a second, 256 outbound calls of 1 s: (4096 + 60 000 + 256 * 121) * 1.25 = 118 840, so 131 072
 */
export function conntrackEntries(facts: HostFacts, { workload }: HostProfile): Wanted<number> {
  const { connections, connectionsPerSecond, outboundConnections } = workload;
  const closed = (connectionsPerSecond + outboundConnections) * TRACKED_AFTER_CLOSE_SECONDS;
  const tracked = Math.ceil((connections + outboundConnections + closed) * HEADROOM);
  const fitting = powerOfTwoAtMost((facts.memory.totalBytes * MEMORY_SHARE) / ENTRY_BYTES);
  const wanted = Math.max(LEAST, powerOfTwoAtLeast(tracked));
  const sum = `${connections + outboundConnections} open connections and ${closed} closed in the last ${TRACKED_AFTER_CLOSE_SECONDS} s are tracked at the peak, ${tracked} with headroom`;
  return wanted <= fitting
    ? { value: wanted, because: sum }
    : {
        value: Math.max(LEAST, fitting),
        because: `${sum}; capped at 1/16 of memory with ${ENTRY_BYTES} bytes each, so track fewer (notrack for the service's port)`,
      };
}
