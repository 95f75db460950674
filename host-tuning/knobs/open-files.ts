import type { HostProfile } from "../profile/host-profile.ts";
import { powerOfTwoAtLeast } from "./desired.ts";

/** Files, pipes, timers and libraries of a service beside its sockets. Our choice. */
const OTHER_FILES = 1024;

/** systemd's own hard limit since version 240; a lower one would take something away. */
const SYSTEMD_HARD = 524_288;

/** The hard limit leaves room to grow into without touching the host again. Our choice. */
const HARD_TIMES = 4;

export interface OpenFiles {
  readonly soft: number;
  readonly hard: number;
  readonly because: string;
}

/**
 * Open files that the service needs. The soft limit is enough for the peak, since not every runtime raises it by itself
 * (Node does, Python does not); never "infinity", which makes programs that walk all descriptors crawl.
 *
 * @unit files
 * @example 4096 connections and 256 outbound: 4352 + 1024 = 5376, soft 8192, hard 524 288
 */
export function openFiles({ workload }: HostProfile): OpenFiles {
  const sockets = workload.connections + workload.outboundConnections;
  const soft = powerOfTwoAtLeast(sockets + OTHER_FILES);
  return {
    soft,
    hard: Math.max(SYSTEMD_HARD, soft * HARD_TIMES),
    because: `${sockets} sockets at the peak and ${OTHER_FILES} other files, rounded up to a power of two; hard ${HARD_TIMES} times that, at least systemd's ${SYSTEMD_HARD}`,
  };
}
