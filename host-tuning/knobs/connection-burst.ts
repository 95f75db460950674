import type { HostProfile } from "../profile/host-profile.ts";
import { type Wanted, clamp, powerOfTwoAtLeast } from "./desired.ts";

/** The kernel's own default since Linux 5.4; asking for less would gain nothing. */
const LEAST = 4096;
/** Our choice: a queue of 65536 sockets costs up to 200 MB of kernel memory and seconds of waiting already. */
const MOST = 65_536;

/**
 * Connections that may stand in a listener's queues at once. After a network break every client comes back within
 * the first SYN retry, 1 s; without one, a second of new connections waits while the event loop is busy.
 *
 * @unit connections
 * @example 50 000 connections, 2000 new a second: 50 000, as a power of two 65 536
 */
export function connectionBurst({ workload }: HostProfile): Wanted<number> {
  const burst = Math.max(workload.connections, workload.connectionsPerSecond);
  const value = clamp(powerOfTwoAtLeast(burst), LEAST, MOST);
  const source =
    workload.connections >= workload.connectionsPerSecond
      ? `${workload.connections} clients may all reconnect within 1 s of a network break`
      : `${workload.connectionsPerSecond} new connections arrive in a second`;
  const bound =
    value === LEAST
      ? `never below the kernel's ${LEAST}`
      : value < burst
        ? `capped at ${MOST}, SYN retries spread the rest`
        : "rounded up to a power of two";
  return { value, because: `${source}; ${bound}` };
}
