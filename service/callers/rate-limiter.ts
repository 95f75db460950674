export interface RateLimit {
  readonly requestsPerSecond: number;
  /** Requests at once after a rest. */
  readonly burst: number;
}

/** Tenants whose last requests are remembered: some megabytes. Our choice. */
const MAX_TENANTS = 10_000;

/** Sums of steps are not exact: a request is never refused for less than this. */
const ROUNDING_MILLIS = 1e-6;

/**
 * A token bucket for each tenant, by the generic cell rate algorithm: of a bucket only the time is kept at which it is
 * full again. A full one is as good as none, so tenants that rest cost nothing. Of this process alone: with several
 * replicas a tenant has as many times the rate.
 *
 * Bounded: beyond 10,000 tenants the one that asked longest ago is forgotten, and starts with a full bucket.
 *
 * @see https://www.itu.int/rec/T-REC-I.371 Annex A
 */
export class RateLimiter {
  readonly #fullAtMillis = new Map<string, number>();
  readonly #stepMillis: number;
  readonly #burst: number;
  readonly #maxTenants: number;

  constructor({ requestsPerSecond, burst }: RateLimit, maxTenants = MAX_TENANTS) {
    this.#stepMillis = 1000 / requestsPerSecond;
    this.#burst = burst;
    this.#maxTenants = maxTenants;
  }

  /** @returns milliseconds to wait; 0 where the request may go on, and only then it is counted */
  take(tenant: string, nowMillis: number): number {
    const fullAtMillis = Math.max(this.#fullAtMillis.get(tenant) ?? 0, nowMillis) + this.#stepMillis;
    const waitMillis = fullAtMillis - nowMillis - this.#burst * this.#stepMillis;
    if (waitMillis > ROUNDING_MILLIS) return waitMillis;
    // Taken out first, so that the map is in the order of the last requests.
    this.#fullAtMillis.delete(tenant);
    this.#fullAtMillis.set(tenant, fullAtMillis);
    if (this.#fullAtMillis.size > this.#maxTenants) this.#forgetOldest();
    return 0;
  }

  #forgetOldest(): void {
    for (const tenant of this.#fullAtMillis.keys()) {
      this.#fullAtMillis.delete(tenant);
      return;
    }
  }
}
