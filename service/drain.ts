import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { ServiceServer } from "./http-server.ts";

/** How often a drain looks whether the last call has ended. */
const LOOK_MILLIS = 20;

/**
 * Stops a service without breaking a call: no new connections, what is in flight finishes, then the streams that never
 * end by themselves are closed. Bounded: after `longestMillis` the rest is cut.
 *
 * @returns true when nothing had to be cut
 */
export async function drainService(
  service: ServiceServer,
  longestMillis: number,
  log: Logger,
): Promise<boolean> {
  const startedMillis = performance.now();
  const elapsedMillis = (): number => performance.now() - startedMillis;
  log.info({ event: "draining", requestsInFlight: service.requestsInFlight(), longestMillis });
  service.startDraining();
  const closed = once(service.server, "close");
  service.server.close();

  while (service.requestsInFlight() > 0 && elapsedMillis() < longestMillis) {
    service.server.closeIdleConnections();
    await sleep(LOOK_MILLIS);
  }
  const cut = service.requestsInFlight();
  await service.handler.close();
  service.server.closeAllConnections();
  await closed;
  log.info({ event: "drained", cut, durationMillis: Math.round(elapsedMillis()) });
  return cut === 0;
}
