import type { HostProfile } from "../profile/host-profile.ts";

/** TCP_TIMEWAIT_LEN: a closed connection keeps its port this long; no sysctl shortens it. */
const TIME_WAIT_SECONDS = 60;

/** Without keep-alive a call to another service lasts about this long. Our choice. */
const CALL_SECONDS = 1;

/** The stock range; its first port is above the NodePorts of Kubernetes (30000 to 32767). */
export const STOCK_FIRST_PORT = 32_768;
const STOCK_LAST_PORT = 60_999;

/** Below this port services listen (3000, 8080, 9090, 10250); above it few do. Our choice. */
const LOWEST_FIRST_PORT = 16_384;
const LAST_PORT = 65_535;

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Ports that outbound calls hold when none is kept alive: the open ones and those in TIME_WAIT.
 *
 * @unit ports
 * @example 256 concurrent calls of 1 s: 256 open and 256 * 60 waiting, 15 616
 */
export function outboundPorts({ workload }: HostProfile): number {
  return Math.ceil(workload.outboundConnections * (1 + TIME_WAIT_SECONDS / CALL_SECONDS));
}

/**
 * Ports that connect() finds at once. It looks at every second port first (those with the parity of the first) and
 * slows down badly when they are used up: measured 3.1 ms instead of 0.17 ms at the 99th percentile.
 *
 * @example 32768 to 60999: 14 116
 */
export function quickPorts({ first, last }: PortRange): number {
  return Math.floor((last - first + 1) / 2);
}

/**
 * The range that outbound connections should draw from: the stock one while it suffices, else up to the last port,
 * and on a host without Kubernetes down to 16384. It starts even and ends odd, as the kernel wants, and what it opens
 * newly never holds a port that the service listens on.
 */
export function wantedPortRange(profile: HostProfile): PortRange {
  const stock = { first: STOCK_FIRST_PORT, last: STOCK_LAST_PORT };
  if (outboundPorts(profile) <= quickPorts(stock)) return stock;
  const { runtime, listenPorts } = profile.service;
  const last = LAST_PORT;
  if (runtime === "kubernetes") return { first: STOCK_FIRST_PORT, last };
  const below = listenPorts.filter((port) => port >= LOWEST_FIRST_PORT && port < STOCK_FIRST_PORT);
  const afterListeners = Math.max(LOWEST_FIRST_PORT, ...below.map((port) => port + 1));
  return { first: afterListeners + (afterListeners % 2), last };
}
