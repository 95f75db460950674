import { describe, expect, it } from "vitest";
import { rpsCpus as knob } from "../../../host-tuning/knobs/rps-cpus.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import { factsOfShape, sampleNic, sampleProfile } from "../../helpers/facts.ts";

const TARGET = { name: "eno1/rx-0" };

interface Case {
  readonly rxQueues?: number;
  readonly cpus?: number;
  readonly current?: string;
  readonly profile?: Omit<HostProfileInput, "apiVersion" | "kind">;
}

function decide({ rxQueues = 1, cpus = 16, current = "0000", profile = {} }: Case) {
  const facts = { ...factsOfShape({ cpus, nodes: 2 }), nics: [sampleNic({ rxQueues, node: 1 })] };
  return knob.desired({ facts, profile: sampleProfile(profile), current, target: TARGET });
}

describe("rps_cpus", () => {
  it("acts on each receive queue of each physical NIC", () => {
    const nics = [sampleNic({ rxQueues: 2 }), sampleNic({ name: "veth0", isPhysical: false })];
    expect(knob.targets?.({ ...factsOfShape(), nics }, sampleProfile())).toEqual([
      { name: "eno1/rx-0" },
      { name: "eno1/rx-1" },
    ]);
  });

  it("shares a queue among the CPUs of the NIC's node, as wide as the kernel prints", () => {
    expect(decide({})).toMatchObject({ kind: "set", value: "ff00" });
    expect(decide({ cpus: 4, current: "0" })).toMatchObject({ value: "c" });
    expect(decide({ cpus: 96, current: "00000000,00000000,00000000" })).toMatchObject({
      value: "ffffffff,ffff0000,00000000",
    });
    expect(decide({ cpus: 40, current: "00,00000000" })).toMatchObject({ value: "ff,fff00000" });
  });

  it("leaves a NIC with a queue for each CPU, and the latency preset, with the reason", () => {
    expect(decide({ rxQueues: 8 })).toEqual({
      kind: "leave",
      because: "8 hardware queues for 8 CPUs: the hardware spreads packets already",
    });
    expect(decide({ profile: { preset: "latency" } })).toMatchObject({ kind: "leave" });
  });

  it("keeps to the reserved CPUs", () => {
    expect(decide({ profile: { cpu: { reserved: "8-9" } } })).toMatchObject({ value: "0300" });
  });

  it("compares masks, not their text", () => {
    expect(knob.isSatisfied?.("00000000,0000ff00", "ff00")).toBe(true);
    expect(knob.isSatisfied?.("ff00", "00ff")).toBe(false);
  });

  it("takes a mask as override and nothing else", () => {
    expect(knob.value.safeParse("ff,00000000").success).toBe(true);
    expect(knob.value.safeParse("0-3").success).toBe(false);
  });
});
