import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InputError } from "../../../host-tuning/errors.ts";
import { PROFILE_PATH, loadProfile, parseProfile } from "../../../host-tuning/profile/load-profile.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { DEMO_KNOBS, demoRoot } from "../engine/demo-knobs.ts";

const HEAD = "apiVersion: bedplate/v1\nkind: HostProfile\n";

describe("loadProfile()", () => {
  it("takes the file that was named, else the host's own, else the defaults", async () => {
    await using root = await demoRoot();
    const host = openHost(root.root);
    expect(await loadProfile(host, DEMO_KNOBS)).toMatchObject({
      source: "(defaults)",
      profile: { preset: "balanced", workload: { connections: 4096 } },
    });
    await root.write(PROFILE_PATH, `${HEAD}preset: latency\n`);
    expect(await loadProfile(host, DEMO_KNOBS)).toMatchObject({
      source: PROFILE_PATH,
      profile: { preset: "latency" },
    });
    const named = join(root.root, "named.json");
    writeFileSync(named, JSON.stringify({ apiVersion: "bedplate/v1", kind: "HostProfile", preset: "gpu" }));
    expect(await loadProfile(host, DEMO_KNOBS, named)).toMatchObject({
      source: named,
      profile: { preset: "gpu" },
    });
    await expect(loadProfile(host, DEMO_KNOBS, "/nonexistent")).rejects.toThrow(InputError);
  });
});

describe("parseProfile()", () => {
  it("fails with faults of shape and of overrides in one go, each path once", () => {
    const text = `${HEAD}preset: fast
confirm: { timeoutSeconds: 1 }
overrides:
  demo.nothing: {value: 1, because: x}
  demo.backlog: {value: -1, because: x}
  demo/scheduler: {value: 7, because: ""}
`;
    let error: unknown;
    try {
      parseProfile(text, "p.yaml", DEMO_KNOBS);
    } catch (cause) {
      error = cause;
    }
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).faults.map((fault) => fault.path)).toEqual([
      "preset",
      "confirm.timeoutSeconds",
      'overrides["demo/scheduler"].because',
      'overrides["demo.nothing"]',
      'overrides["demo.backlog"].value',
      'overrides["demo/scheduler"].value',
    ]);
  });

  it("suggests knobs that end like an unknown one", () => {
    const text = `${HEAD}overrides: {backlog: {leave: true, because: x}}\n`;
    expect(() => parseProfile(text, "p.yaml", DEMO_KNOBS)).toThrow("did you mean demo.backlog");
  });

  it("never throws anything but InputError, whatever the text", () => {
    const good = `${HEAD}preset: latency\noverrides:\n  demo.backlog: {value: 9, because: x}\n`;
    const mutated = fc
      .tuple(fc.nat(good.length), fc.nat(20), fc.string({ maxLength: 12 }))
      .map(([at, drop, add]) => good.slice(0, at) + add + good.slice(at + drop));
    fc.assert(
      fc.property(fc.oneof(mutated, fc.json(), fc.string({ unit: "binary" })), (text) => {
        try {
          parseProfile(text, "p.yaml", DEMO_KNOBS);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
