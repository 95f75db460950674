import type { Host } from "../sys/host.ts";

const calls = new WeakMap<Host, Map<string, Promise<unknown>>>();

/**
 * Lets reads at the same time share one call: many knobs and targets are read together, and starting a tool costs more
 * than what it is asked. Nothing is kept beyond the call, as a write may come next.
 */
export async function shareWhileUnderWay<T>(host: Host, key: string, call: () => Promise<T>): Promise<T> {
  const ofHost = calls.get(host) ?? new Map<string, Promise<unknown>>();
  calls.set(host, ofHost);
  const known = ofHost.get(key);
  // A key names one call, so what it gives is of the caller's type.
  if (known !== undefined) return (await known) as T;
  const started = call().finally(() => ofHost.delete(key));
  ofHost.set(key, started);
  return await started;
}
