import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Caller, callerIn, callerOf, withCaller } from "../../service/callers/caller.ts";
import { CallerLabels } from "../../service/callers/caller-labels.ts";
import { RateLimiter } from "../../service/callers/rate-limiter.ts";

const CLAIMS = { tenantClaim: "tenant", teamClaim: "team" };

describe("callerOf()", () => {
  it.each([
    ["acme", "acme"],
    ["  Müller GmbH ", "Müller GmbH"],
    [42, "42"],
    [undefined, "none"],
    [null, "none"],
    ["", "other"],
    ["none", "other"],
    ["a\nb", "other"],
    ["a".repeat(129), "other"],
    [["acme"], "other"],
    [{ id: 1 }, "other"],
  ])("takes the claim %j for tenant %j", (tenant, name) => {
    expect(callerOf({ tenant, team: "search" }, CLAIMS)).toEqual({ tenant: name, team: "search" });
  });

  it("has no team without a claim for it, and is kept with the request's token", () => {
    const caller = callerOf({ tenant: "acme", team: "search" }, { tenantClaim: "tenant" });
    expect(caller).toEqual({ tenant: "acme", team: "none" });
    const authInfo = withCaller({ token: "", clientId: "", scopes: [] }, caller);
    expect(callerIn(authInfo)).toEqual(caller);
    expect(callerIn(undefined)).toEqual({ tenant: "none", team: "none" });
  });
});

describe("CallerLabels", () => {
  const name = fc.constantFrom("a", "b", "c", "d", "other", "none");

  it("gives at most one label more than configured, tells of each once, and keeps to it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ tenant: name, team: name }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 8 }),
        (callers, maxCallers) => {
          const told: Caller[] = [];
          const labels = new CallerLabels(maxCallers, (caller) => told.push(caller));
          const given = callers.map((caller) => JSON.stringify(labels.of(caller)));
          const texts = told.map((caller) => JSON.stringify(caller));
          expect(new Set(texts).size, "told once").toBe(texts.length);
          expect(new Set(given)).toEqual(new Set(texts));
          expect(texts.length).toBeLessThanOrEqual(maxCallers + 1);
          expect(
            callers.map((caller) => JSON.stringify(labels.of(caller))),
            "kept",
          ).toEqual(given);
          for (const [index, text] of given.entries()) {
            const { tenant, team } = callers[index] ?? { tenant: "", team: "" };
            expect([JSON.stringify({ tenant, team }), '{"tenant":"other","team":"other"}']).toContain(text);
          }
        },
      ),
    );
  });
});

describe("RateLimiter", () => {
  const requestsPerSecond = fc.double({ min: 0.01, max: 1000, noNaN: true });
  const burst = fc.integer({ min: 1, max: 20 });
  const gaps = fc.array(fc.double({ min: 0, max: 5000, noNaN: true }), { minLength: 1, maxLength: 80 });

  it("never lets more than the burst and the rate's share of a span through, in any span", () => {
    fc.assert(
      fc.property(requestsPerSecond, burst, gaps, (rate, size, waits) => {
        const limiter = new RateLimiter({ requestsPerSecond: rate, burst: size });
        let now = 0;
        const taken: number[] = [];
        for (const wait of waits) {
          now += wait;
          if (limiter.take("acme", now) === 0) taken.push(now);
        }
        for (const [first, from] of taken.entries()) {
          for (const [last, to] of taken.entries()) {
            if (last < first) continue;
            expect(last - first + 1).toBeLessThanOrEqual(size + ((to - from) / 1000) * rate + 1e-6);
          }
        }
      }),
    );
  });

  it("lets through whoever waits as long as told, and not sooner, whatever others do", () => {
    fc.assert(
      fc.property(requestsPerSecond, burst, gaps, (rate, size, waits) => {
        const limiter = new RateLimiter({ requestsPerSecond: rate, burst: size });
        let now = 1000;
        for (const wait of waits) {
          now += wait / 100;
          limiter.take("globex", now);
          const waitMillis = limiter.take("acme", now);
          if (waitMillis === 0) continue;
          expect(limiter.take("acme", now + waitMillis * 0.9)).toBeGreaterThan(0);
          now += waitMillis + 1e-6;
          expect(limiter.take("acme", now)).toBe(0);
        }
      }),
    );
  });

  it("takes a burst after a rest, then the rate", () => {
    const limiter = new RateLimiter({ requestsPerSecond: 2, burst: 3 });
    expect([0, 0, 0, 0].map((now) => limiter.take("acme", now))).toEqual([0, 0, 0, 500]);
    expect([499, 500, 501].map((now) => limiter.take("acme", now))).toEqual([1, 0, 499]);
    expect([3000, 3000, 3000, 3000].map((now) => limiter.take("acme", now))).toEqual([0, 0, 0, 500]);
  });

  it("remembers a bounded number of tenants, and forgets the one that asked longest ago", () => {
    const limiter = new RateLimiter({ requestsPerSecond: 1, burst: 1 }, 2);
    for (const tenant of ["a", "b", "c"]) expect(limiter.take(tenant, 0)).toBe(0);
    expect(limiter.take("b", 0)).toBeGreaterThan(0);
    expect(limiter.take("c", 0)).toBeGreaterThan(0);
    expect(limiter.take("a", 0), "forgotten").toBe(0);
  });
});
