import { describe, expect, it } from "vitest";
import type { NicFacts } from "../../../host-tuning/facts/host-facts.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import { mtu } from "../../../host-tuning/knobs/mtu.ts";
import { netCoreBusyPoll } from "../../../host-tuning/knobs/net-core-busy-poll.ts";
import { netCoreNetdevBudget } from "../../../host-tuning/knobs/net-core-netdev-budget.ts";
import { netCoreNetdevMaxBacklog } from "../../../host-tuning/knobs/net-core-netdev-max-backlog.ts";
import { netCoreRpsSockFlowEntries } from "../../../host-tuning/knobs/net-core-rps-sock-flow-entries.ts";
import { rpsFlowCnt } from "../../../host-tuning/knobs/rps-flow-cnt.ts";
import { threaded } from "../../../host-tuning/knobs/threaded.ts";
import { txQueueLen } from "../../../host-tuning/knobs/tx-queue-len.ts";
import { xpsCpus } from "../../../host-tuning/knobs/xps-cpus.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import { factsOfShape, sampleNic, sampleProfile } from "../../helpers/facts.ts";

interface Case {
  readonly current: unknown;
  readonly target?: string;
  readonly profile?: Omit<HostProfileInput, "apiVersion" | "kind">;
  readonly nics?: readonly Partial<NicFacts>[];
  readonly softnet?: { processed: number; dropped: number; timeSqueezed: number };
}

function decide(knob: AnyKnob, { current, target = "", profile, nics = [{}], softnet }: Case) {
  const base = factsOfShape();
  const facts = { ...base, nics: nics.map((nic) => sampleNic(nic)), softnet: softnet ?? base.softnet };
  return knob.desired({ facts, profile: sampleProfile(profile), current, target: { name: target } });
}

describe("xps_cpus", () => {
  it("gives every CPU one queue, those that take the interrupts their own first", () => {
    const masks = [0, 1, 2, 3].map((queue) => {
      const desired = decide(xpsCpus, {
        current: "0000",
        target: `eno1/tx-${queue}`,
        nics: [{ txQueues: 4 }],
      });
      return desired.kind === "set" ? desired.value : desired.because;
    });
    // Interrupts on node 1: 8 10 12 14 9 11 13 15, one thread of each core first; then the CPUs of node 0.
    expect(masks).toEqual(["0311", "0c22", "3044", "c088"]);
    const cpus = masks.map((mask) => BigInt(`0x${String(mask)}`));
    expect(cpus.reduce((all, mask) => all | mask, 0n)).toBe(0xffffn);
    expect(cpus.reduce((all, mask) => all + mask, 0n)).toBe(0xffffn);
  });

  it("leaves a NIC with one queue", () => {
    expect(decide(xpsCpus, { current: "0", target: "eno1/tx-0", nics: [{ txQueues: 1 }] }).kind).toBe(
      "leave",
    );
  });
});

describe("flow steering", () => {
  const few = [{ rxQueues: 4 }];

  it("is sized to the connections, shared over the queues, powers of two", () => {
    const profile = { workload: { connections: 50_000 } };
    expect(decide(netCoreRpsSockFlowEntries, { current: 0, nics: few, profile })).toMatchObject({
      value: 65_536,
    });
    expect(decide(rpsFlowCnt, { current: 0, target: "eno1/rx-0", nics: few, profile })).toMatchObject({
      value: 16_384,
    });
    const odd = [{ rxQueues: 6 }];
    expect(decide(rpsFlowCnt, { current: 0, target: "eno1/rx-0", nics: odd, profile })).toMatchObject({
      value: 16_384,
    });
    expect(rpsFlowCnt.value.safeParse(5000).success).toBe(false);
  });

  it("is left where no packet is steered, and goes with a NIC that steers flows itself", () => {
    expect(decide(netCoreRpsSockFlowEntries, { current: 0 }).kind).toBe("leave");
    expect(decide(rpsFlowCnt, { current: 0, target: "eno1/rx-0" }).kind).toBe("leave");
    const latency = { preset: "latency" } as const;
    expect(decide(netCoreRpsSockFlowEntries, { current: 0, profile: latency }).kind).toBe("set");
    expect(decide(netCoreRpsSockFlowEntries, { current: 0, profile: latency, nics: few }).kind).toBe("leave");
  });
});

describe("packet budgets", () => {
  const squeezed = { processed: 10_000_000, dropped: 0, timeSqueezed: 1000 };

  it("rise where the kernel ran out of them, and never for latency", () => {
    expect(decide(netCoreNetdevBudget, { current: 300 }).kind).toBe("leave");
    expect(decide(netCoreNetdevBudget, { current: 300, softnet: squeezed })).toMatchObject({ value: 600 });
    const latency = { preset: "latency" } as const;
    expect(decide(netCoreNetdevBudget, { current: 300, softnet: squeezed, profile: latency }).kind).toBe(
      "leave",
    );
    const rare = { ...squeezed, timeSqueezed: 999 };
    expect(decide(netCoreNetdevBudget, { current: 300, softnet: rare }).kind).toBe("leave");
    const young = { processed: 1000, dropped: 0, timeSqueezed: 500 };
    expect(decide(netCoreNetdevBudget, { current: 300, softnet: young }).kind).toBe("leave");
  });

  it("give the same reason while packets come, so that a reviewed plan does not go stale", () => {
    const later = { ...squeezed, processed: 10_000_100, timeSqueezed: 1005 };
    const at = (softnet: typeof squeezed) => decide(netCoreNetdevBudget, { current: 300, softnet });
    expect(at(later)).toEqual(at(squeezed));
    const dropping = (dropped: number) =>
      decide(netCoreNetdevMaxBacklog, { current: 1000, softnet: { ...squeezed, dropped } });
    expect(dropping(9)).toEqual(dropping(10));
  });

  it("the backlog holds a millisecond of the link, where something uses it", () => {
    expect(decide(netCoreNetdevMaxBacklog, { current: 1000 }).kind).toBe("leave");
    const kubernetes = { service: { runtime: "kubernetes" } } as const;
    expect(decide(netCoreNetdevMaxBacklog, { current: 1000, profile: kubernetes })).toMatchObject({
      value: 8192,
      because: "packets of pods wait in it: 25000 Mbit/s bring 6104 packets of 512 bytes in 1 ms",
    });
    const latency = { ...kubernetes, preset: "latency" } as const;
    expect(decide(netCoreNetdevMaxBacklog, { current: 1000, profile: latency }).kind).toBe("leave");
    const dropping = { processed: 5, dropped: 1, timeSqueezed: 0 };
    expect(decide(netCoreNetdevMaxBacklog, { current: 1000, profile: latency, softnet: dropping }).kind).toBe(
      "set",
    );
  });
});

describe("net.core.busy_poll", () => {
  it("is set on request alone, to the longest time asked", () => {
    expect(decide(netCoreBusyPoll, { current: 0 }).kind).toBe("leave");
    const nics = [
      { match: { name: "eno1" }, busyPollMicros: 20 },
      { match: { driver: "ice" }, busyPollMicros: 50 },
      { match: { name: "other0" }, busyPollMicros: 90 },
    ];
    expect(decide(netCoreBusyPoll, { current: 0, profile: { nics } })).toMatchObject({ value: 50 });
  });
});

describe("mtu", () => {
  const asked = { nics: [{ match: { name: "eno1" }, mtuBytes: 9000 }] };

  it("is what the profile asks for, of the NICs that it names", () => {
    expect(decide(mtu, { current: 1500, target: "eno1", profile: asked })).toMatchObject({ value: 9000 });
    const facts = { ...factsOfShape(), nics: [sampleNic(), sampleNic({ name: "eno2" })] };
    expect(mtu.targets?.(facts, sampleProfile(asked))).toEqual([{ name: "eno1" }]);
    expect(mtu.canCutOff).toBe(true);
  });

  it("takes a bond by its name, and leaves a port that gets its MTU from one", () => {
    const nics = [{ master: "bond0" }, { name: "bond0", kind: "bond", isPhysical: false } as const];
    const profile = { nics: [{ match: { name: "bond0" }, mtuBytes: 9000 }] };
    expect(decide(mtu, { current: 1500, target: "bond0", profile, nics })).toMatchObject({ value: 9000 });
    const port = decide(mtu, { current: 1500, target: "eno1", profile: asked, nics });
    expect(port.because).toContain("a port of bond0");
  });

  it("refuses to pull a VLAN down that would not come back, and values that disagree", () => {
    const lower = { nics: [{ match: { name: "eno1" }, mtuBytes: 1400 }] };
    const vlan = { name: "eno1.5", kind: "other", isPhysical: false, lower: ["eno1"] } as const;
    const nics = [{}, { ...vlan, lower: ["eno1"], mtuBytes: 1500 }];
    const refused = decide(mtu, { current: 1500, target: "eno1", profile: lower, nics });
    expect(refused).toMatchObject({ kind: "leave", because: expect.stringContaining("eno1.5") as string });
    const two = { nics: [...asked.nics, { match: { driver: "ice" }, mtuBytes: 1500 }] };
    expect(decide(mtu, { current: 1500, target: "eno1", profile: two }).because).toContain("9000 and 1500");
  });
});

describe("tx_queue_len", () => {
  it("grows for throughput to a millisecond of the link, and never shrinks", () => {
    const profile = { preset: "throughput" } as const;
    const nics = [{ speedMbitPerSec: 100_000, txQueues: 4 }];
    expect(decide(txQueueLen, { current: 1000, target: "eno1", profile, nics })).toMatchObject({
      value: 4096,
    });
    expect(decide(txQueueLen, { current: 1000, target: "eno1", profile }).kind).toBe("leave");
    expect(decide(txQueueLen, { current: 1000, target: "eno1", nics }).kind).toBe("leave");
  });
});

describe("threaded", () => {
  it("is left to a person", () => {
    expect(decide(threaded, { current: 0, target: "eno1" })).toMatchObject({ kind: "leave" });
    expect(threaded.writes(1, { name: "eno1" }, 0)).toEqual([
      { kind: "kernel-file", path: "/sys/class/net/eno1/threaded", text: "1\n" },
    ]);
  });
});
