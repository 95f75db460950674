import type { HostProfile } from "../profile/host-profile.ts";
import { clamp } from "./desired.ts";

/** Probes that may get no answer. Our choice: five in a row are not lost by chance. */
const PROBES = 5;

const LEAST_INTERVAL_SECONDS = 5;
/** The kernel's own interval. */
const MOST_INTERVAL_SECONDS = 75;

/** TCP_RTO_MIN and TCP_RTO_MAX: retransmissions start this far apart, double, and end this far apart. */
const LEAST_RTO_SECONDS = 0.2;
const MOST_RTO_SECONDS = 120;

/** RFC 1122 asks for 100 s at least before a connection is given up; the kernel's documentation calls that 8. */
const LEAST_RETRIES = 8;
const KERNEL_RETRIES = 15;

export interface DeadPeer {
  readonly timeSeconds: number;
  readonly intervalSeconds: number;
  readonly probes: number;
  /** From the first unanswered probe to the end of the connection. */
  readonly patienceSeconds: number;
  readonly retries: number;
  readonly retriesSeconds: number;
}

/**
 * When a connection counts as dead. A silent one is probed after the profile's idle timeout, and five probes in a
 * quarter of that time have to stay unanswered; data that is not acknowledged is given up after as long, and never
 * before the 100 s of RFC 1122. A client that lost its network holds a stream, its file and its buffers until then.
 *
 * @example 300 s: probed after 300 s, 5 probes 15 s apart, so gone after 375 s; unanswered data after 8 tries, 102 s
 */
export function deadPeer({ workload }: HostProfile): DeadPeer {
  const timeSeconds = workload.idleTimeoutSeconds;
  const intervalSeconds = clamp(
    Math.floor(timeSeconds / (4 * PROBES)),
    LEAST_INTERVAL_SECONDS,
    MOST_INTERVAL_SECONDS,
  );
  const patienceSeconds = intervalSeconds * PROBES;
  let retries = LEAST_RETRIES;
  while (retries < KERNEL_RETRIES && secondsOf(retries) < patienceSeconds) retries += 1;
  const retriesSeconds = Math.round(secondsOf(retries));
  return { timeSeconds, intervalSeconds, probes: PROBES, patienceSeconds, retries, retriesSeconds };
}

/**
 * Seconds until TCP gives up after so many retransmissions, on a path whose round trip is below the least timeout.
 *
 * @example 8 tries: 0.2 + 0.4 + ... + 51.2 = 102.2; 15, the kernel's default: 924.6
 */
function secondsOf(retries: number): number {
  let seconds = 0;
  for (let attempt = 0; attempt <= retries; attempt += 1)
    seconds += Math.min(LEAST_RTO_SECONDS * 2 ** attempt, MOST_RTO_SECONDS);
  return seconds;
}
