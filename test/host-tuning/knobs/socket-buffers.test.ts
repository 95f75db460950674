import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { netCoreRmemMax } from "../../../host-tuning/knobs/net-core-rmem-max.ts";
import { netCoreWmemMax } from "../../../host-tuning/knobs/net-core-wmem-max.ts";
import { netIpv4TcpRmem } from "../../../host-tuning/knobs/net-ipv4-tcp-rmem.ts";
import { netIpv4TcpWmem } from "../../../host-tuning/knobs/net-ipv4-tcp-wmem.ts";
import { serviceNic } from "../../../host-tuning/knobs/socket-buffer.ts";
import { GIB, decide, valueSet } from "../../helpers/decide.ts";
import {
  arbitraryFacts,
  arbitraryProfile,
  factsOfShape,
  sampleFacts,
  sampleNic,
} from "../../helpers/facts.ts";

const FEW = { workload: { connections: 1000, rttMillis: 2 } };

describe.each([netCoreRmemMax, netCoreWmemMax])("$id", (knob) => {
  it("is once the bandwidth-delay product, as the kernel doubles what a program asks for", () => {
    expect(valueSet(knob, { current: 212_992, profile: FEW })).toBe(6_250_000);
  });

  it("leaves enough memory for one full buffer in a hundred connections", () => {
    const small = {
      current: 212_992,
      shape: { memoryBytes: 2 * GIB, nicMbitPerSec: 1000 },
      profile: { workload: { connections: 4096, rttMillis: 40 } },
    };
    expect(valueSet(knob, small)).toBe(Math.floor((2 * GIB) / 16 / 41));
    expect(decide(knob, small).because).toContain(
      "41 full buffers (of 4096 connections) may take 1/16 of memory",
    );
  });

  it("never lowers a larger value", () => {
    expect(decide(knob, { current: 7_000_000, profile: FEW }).kind).toBe("leave");
  });

  it("leaves a host alone whose network card names no speed, and says what to do", () => {
    expect(decide(knob, { current: 212_992, shape: { nicMbitPerSec: null } })).toEqual({
      kind: "leave",
      because:
        "eno1 names no speed, so there is no bandwidth-delay product; set it by an override when it is known",
    });
    expect(decide(knob, { current: 212_992, facts: sampleFacts({ nics: [] }) }).because).toContain(
      "no network interface",
    );
  });

  it("takes AWS's limit for one flow where the card names no speed", () => {
    const facts = {
      ...factsOfShape({ nicMbitPerSec: null }),
      cloud: { provider: "aws" as const, instanceType: "m7i.4xlarge", because: "DMI" },
    };
    expect(valueSet(knob, { current: 212_992, facts, profile: FEW })).toBe(1_250_000);
  });
});

describe.each([netIpv4TcpRmem, netIpv4TcpWmem])("$id", (knob) => {
  it("raises the largest to twice the bandwidth-delay product and keeps the other two", () => {
    expect(valueSet(knob, { current: "4096 131072 6291456", profile: FEW })).toBe("4096 131072 12500000");
  });

  it("never lowers a larger one, unless the profile allows it, and then not below the first", () => {
    const slow = { shape: { nicMbitPerSec: 10 }, current: "4096 131072 33554432" };
    expect(decide(knob, slow).because).toContain("host has 33554432 as maximum");
    expect(valueSet(knob, { ...slow, profile: { ...FEW, allowLowering: true } })).toBe("4096 131072 131072");
  });

  it("is right about what it set", () => {
    const current = "4096 131072 12500000";
    expect(valueSet(knob, { current, profile: FEW })).toBe(current);
  });

  it("never passes what a kernel int can hold, nor is a later number smaller than an earlier one", () => {
    fc.assert(
      fc.property(arbitraryFacts, arbitraryProfile, (facts, profile) => {
        const desired = knob.desired({ facts, profile, current: "4096 16384 4194304", target: { name: "" } });
        if (desired.kind === "leave") return;
        const [least = 0, first = 0, most = 0] = String(desired.value).split(" ").map(Number);
        expect(least).toBeLessThanOrEqual(first);
        expect(first).toBeLessThanOrEqual(most);
        expect(most).toBeLessThanOrEqual(2 ** 31 - 1);
      }),
    );
  });

  it.each(["4096 131072", "4096 131072 2147483648", "9 8 7", "4096  131072 9999999", "a b c", ""])(
    "fails an override of %j",
    (text) => {
      expect(knob.value.safeParse(text).success).toBe(false);
    },
  );
});

describe("serviceNic()", () => {
  const slow = sampleNic({ name: "eth0", speedMbitPerSec: 1000, carriesDefaultRoute: false });
  const fast = sampleNic({ name: "eth1", speedMbitPerSec: 100_000, carriesDefaultRoute: false });

  it("is the one with the default route, however slow", () => {
    const routed = { ...slow, carriesDefaultRoute: true };
    expect(serviceNic(sampleFacts({ nics: [fast, routed] }))?.name).toBe("eth0");
  });

  it("is the physical one behind a bridge, which has neither speed nor node, but a bond itself", () => {
    const bridge = sampleNic({ name: "br0", isPhysical: false, speedMbitPerSec: null, node: null });
    const bond = sampleNic({ name: "bond0", isPhysical: false, speedMbitPerSec: 50_000, node: null });
    expect(serviceNic(sampleFacts({ nics: [bridge, slow, fast] }))?.name).toBe("eth1");
    expect(serviceNic(sampleFacts({ nics: [bond, slow, fast] }))?.name).toBe("bond0");
    expect(serviceNic(sampleFacts({ nics: [bridge] }))?.name).toBe("br0");
  });

  it("is the fastest physical one where no route is known", () => {
    const bridge = sampleNic({ name: "br0", isPhysical: false, carriesDefaultRoute: false });
    expect(serviceNic(sampleFacts({ nics: [bridge, slow, fast] }))?.name).toBe("eth1");
  });
});
