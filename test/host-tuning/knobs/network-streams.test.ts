import { describe, expect, it } from "vitest";
import { netIpv4TcpNotsentLowat } from "../../../host-tuning/knobs/net-ipv4-tcp-notsent-lowat.ts";
import { netIpv4TcpSlowStartAfterIdle } from "../../../host-tuning/knobs/net-ipv4-tcp-slow-start-after-idle.ts";
import { netNetfilterNfConntrackBuckets } from "../../../host-tuning/knobs/net-netfilter-nf-conntrack-buckets.ts";
import { netNetfilterNfConntrackMax } from "../../../host-tuning/knobs/net-netfilter-nf-conntrack-max.ts";
import { GIB, decide, valueSet } from "../../helpers/decide.ts";

describe("net.ipv4.tcp_notsent_lowat", () => {
  const OFF = 4_294_967_295;
  const onTwoGib = (streams: number) => ({
    current: OFF,
    shape: { memoryBytes: 2 * GIB },
    profile: { workload: { streams } },
  });

  it("shares 1/16 of memory among the streams, between 16384 and 131072 bytes", () => {
    expect(valueSet(netIpv4TcpNotsentLowat, onTwoGib(10))).toBe(131_072);
    expect(valueSet(netIpv4TcpNotsentLowat, onTwoGib(3000))).toBe(32_768);
    expect(valueSet(netIpv4TcpNotsentLowat, onTwoGib(20_000))).toBe(16_384);
  });

  it("is 16384 for preset latency whatever the memory", () => {
    expect(valueSet(netIpv4TcpNotsentLowat, { current: OFF, profile: { preset: "latency" } })).toBe(16_384);
  });

  it("never raises a host that holds back more, and leaves one without streams", () => {
    expect(decide(netIpv4TcpNotsentLowat, { ...onTwoGib(10), current: 65_536 }).because).toContain(
      "already below the 131072 wanted",
    );
    expect(valueSet(netIpv4TcpNotsentLowat, onTwoGib(0))).toBeUndefined();
  });
});

describe("net.ipv4.tcp_slow_start_after_idle", () => {
  it("is off where a round trip takes time, and left inside a rack", () => {
    const at = (rttMillis: number) => ({ current: 1, profile: { workload: { rttMillis } } });
    expect(valueSet(netIpv4TcpSlowStartAfterIdle, at(40))).toBe(0);
    expect(valueSet(netIpv4TcpSlowStartAfterIdle, at(1))).toBe(0);
    expect(valueSet(netIpv4TcpSlowStartAfterIdle, at(0.2))).toBeUndefined();
  });
});

describe.each([netNetfilterNfConntrackMax, netNetfilterNfConntrackBuckets])("$id", (knob) => {
  it("holds open connections and those of the last 120 s, with a quarter of headroom", () => {
    const workload = { connections: 4096, connectionsPerSecond: 500, outboundConnections: 256 };
    expect(valueSet(knob, { current: 65_536, profile: { workload } })).toBe(131_072);
  });

  it("takes no more than 1/16 of memory", () => {
    const crowded = {
      current: 65_536,
      shape: { memoryBytes: 2 * GIB },
      profile: { workload: { connectionsPerSecond: 50_000 } },
    };
    expect(valueSet(knob, crowded)).toBe(262_144);
    expect(decide(knob, crowded).because).toContain("capped at 1/16 of memory");
  });

  it("never lowers what kube-proxy or the kernel gave", () => {
    expect(valueSet(knob, { current: 1_048_576 })).toBeUndefined();
  });
});
