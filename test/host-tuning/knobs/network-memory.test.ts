import { describe, expect, it } from "vitest";
import { neighbours } from "../../../host-tuning/knobs/neighbour-table.ts";
import { netIpv4NeighDefaultGcThresh1 } from "../../../host-tuning/knobs/net-ipv4-neigh-default-gc-thresh1.ts";
import { netIpv4NeighDefaultGcThresh2 } from "../../../host-tuning/knobs/net-ipv4-neigh-default-gc-thresh2.ts";
import { netIpv6NeighDefaultGcThresh3 } from "../../../host-tuning/knobs/net-ipv6-neigh-default-gc-thresh3.ts";
import { netIpv4TcpCongestionControl } from "../../../host-tuning/knobs/net-ipv4-tcp-congestion-control.ts";
import { netIpv4TcpMaxOrphans } from "../../../host-tuning/knobs/net-ipv4-tcp-max-orphans.ts";
import { netIpv4TcpMem } from "../../../host-tuning/knobs/net-ipv4-tcp-mem.ts";
import { netIpv4TcpMtuProbing } from "../../../host-tuning/knobs/net-ipv4-tcp-mtu-probing.ts";
import { GIB, decide, valueSet } from "../../helpers/decide.ts";
import { factsOfShape, sampleFacts, sampleNic, sampleProfile } from "../../helpers/facts.ts";

describe("net.ipv4.tcp_mem", () => {
  /** What a kernel with 64 GiB computes. */
  const current = "763614 1018153 1527228";

  it("is in pages and leaves room for the buffers that the profile's connections may fill", () => {
    const value = valueSet(netIpv4TcpMem, { current });
    // 41 full pairs of 2 x 104 755 104 bytes (1/16 of memory shared by 41) and 4096 * 8192 bytes, in pages of 4096.
    const bytes = 41 * 2 * Math.floor((64 * GIB) / 16 / 41) + 4096 * 8192;
    const pressure = Math.ceil(bytes / 4096);
    expect(value).toBe(`${Math.floor(pressure * 0.75)} ${pressure} ${Math.floor(pressure * 1.5)}`);
  });

  it("counts pages of 64 KiB on kernels that have such", () => {
    const facts = factsOfShape();
    const large = { ...facts, kernel: { ...facts.kernel, pageBytes: 65_536 } };
    const few = valueSet(netIpv4TcpMem, { current: "1 2 3", facts: large });
    const many = valueSet(netIpv4TcpMem, { current: "1 2 3", facts });
    const ratio = Number(String(many).split(" ")[1]) / Number(String(few).split(" ")[1]);
    expect(ratio).toBeCloseTo(16, 2);
  });

  it("never takes more than a quarter of memory, whatever the profile says", () => {
    const text = valueSet(netIpv4TcpMem, {
      current: "1 2 3",
      shape: { memoryBytes: 2 * GIB },
      profile: { workload: { connections: 4_000_000 } },
    });
    expect(Number(String(text).split(" ")[2]) * 4096).toBeLessThanOrEqual((2 * GIB) / 4);
  });

  it("is left where the kernel's own is enough", () => {
    const situation = { current, profile: { workload: { connections: 16, rttMillis: 0.1 } } };
    expect(decide(netIpv4TcpMem, situation)).toMatchObject({ kind: "leave" });
  });
});

describe("net.ipv4.tcp_max_orphans", () => {
  it("is never lowered, not even when the profile allows lowering", () => {
    const profile = { allowLowering: true, workload: { connections: 10 } };
    expect(decide(netIpv4TcpMaxOrphans, { current: 262_144, profile })).toMatchObject({ kind: "leave" });
  });

  it("follows the connections up to a quarter of memory", () => {
    const profile = { workload: { connections: 600_000 } };
    const on = (memoryBytes: number) =>
      valueSet(netIpv4TcpMaxOrphans, { current: 4096, shape: { memoryBytes }, profile });
    expect(on(512 * GIB)).toBe(1_048_576);
    expect(on(64 * GIB)).toBe(262_144);
  });
});

describe("net.ipv4.tcp_congestion_control", () => {
  const without = {
    ...factsOfShape(),
    kernel: { ...factsOfShape().kernel, congestionControls: ["cubic", "reno"] },
  };

  it.each([
    ["far clients", { current: "cubic" }, "bbr"],
    ["a module that is missing", { current: "cubic", facts: without }, undefined],
    ["near clients", { current: "cubic", profile: { workload: { rttMillis: 0.5 } } }, undefined],
    ["somebody's own choice", { current: "dctcp" }, undefined],
  ] as const)("for %s", (_, situation, value) => {
    expect(valueSet(netIpv4TcpCongestionControl, situation)).toBe(value);
  });

  it("never takes a value that is not one word", () => {
    expect(netIpv4TcpCongestionControl.value.safeParse("bbr cubic").success).toBe(false);
    expect(netIpv4TcpCongestionControl.value.safeParse("../x").success).toBe(false);
  });
});

describe("net.ipv4.tcp_mtu_probing", () => {
  const near = { workload: { rttMillis: 1 } };

  it.each([
    ["far clients", { current: 0 }, 1],
    [
      "jumbo frames",
      { current: 0, profile: near, facts: sampleFacts({ nics: [sampleNic({ mtuBytes: 9001 })] }) },
      1,
    ],
    ["jumbo frames to come", { current: 0, profile: { ...near, nics: [{ match: {}, mtuBytes: 9000 }] } }, 1],
    ["near clients and 1500 bytes", { current: 0, profile: near }, undefined],
    ["a host that probes always", { current: 2 }, undefined],
  ])("for %s", (_, situation, value) => {
    expect(valueSet(netIpv4TcpMtuProbing, situation)).toBe(value);
  });
});

describe("neighbour tables", () => {
  it("are sized by the peers, as a power of two, with more for pods", () => {
    const peers = (connections: number, runtime: "systemd" | "kubernetes" = "systemd") =>
      neighbours(sampleProfile({ workload: { connections }, service: { runtime } })).value;
    expect([peers(1), peers(4096), peers(600_000)]).toEqual([1024, 8192, 65_536]);
    expect(peers(1, "kubernetes")).toBe(16_384);
  });

  it("keep the kernel's proportions between the three thresholds", () => {
    expect(valueSet(netIpv4NeighDefaultGcThresh1, { current: 128 })).toBe(1024);
    expect(valueSet(netIpv4NeighDefaultGcThresh2, { current: 512 })).toBe(4096);
    expect(valueSet(netIpv6NeighDefaultGcThresh3, { current: 1024 })).toBe(8192);
    expect(decide(netIpv6NeighDefaultGcThresh3, { current: 32_768 })).toMatchObject({ kind: "leave" });
  });
});
