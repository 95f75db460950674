import { describe, expect, it } from "vitest";
import { deadPeer } from "../../../host-tuning/knobs/dead-peer.ts";
import { netIpv4TcpKeepaliveIntvl } from "../../../host-tuning/knobs/net-ipv4-tcp-keepalive-intvl.ts";
import { netIpv4TcpKeepaliveProbes } from "../../../host-tuning/knobs/net-ipv4-tcp-keepalive-probes.ts";
import { netIpv4TcpKeepaliveTime } from "../../../host-tuning/knobs/net-ipv4-tcp-keepalive-time.ts";
import { netIpv4TcpRetries2 } from "../../../host-tuning/knobs/net-ipv4-tcp-retries2.ts";
import { decide, valueSet } from "../../helpers/decide.ts";
import { sampleProfile } from "../../helpers/facts.ts";

function peerAfter(idleTimeoutSeconds: number) {
  return deadPeer(sampleProfile({ workload: { idleTimeoutSeconds } }));
}

describe("deadPeer()", () => {
  it.each([
    [30, { intervalSeconds: 5, patienceSeconds: 25, retries: 8, retriesSeconds: 102 }],
    [300, { intervalSeconds: 15, patienceSeconds: 75, retries: 8, retriesSeconds: 102 }],
    [1500, { intervalSeconds: 75, patienceSeconds: 375, retries: 11, retriesSeconds: 445 }],
    [7200, { intervalSeconds: 75, patienceSeconds: 375, retries: 11, retriesSeconds: 445 }],
  ])("after %i s of silence", (timeSeconds, rest) => {
    expect(peerAfter(timeSeconds)).toEqual({ timeSeconds, probes: 5, ...rest });
  });

  it("never gives unanswered data up before the 100 s of RFC 1122, nor before a silent peer", () => {
    for (let seconds = 30; seconds <= 7200; seconds += 10) {
      const { retriesSeconds, patienceSeconds } = peerAfter(seconds);
      expect(retriesSeconds).toBeGreaterThanOrEqual(100);
      expect(retriesSeconds).toBeGreaterThanOrEqual(patienceSeconds);
    }
  });
});

describe("keep-alive and retries", () => {
  it("go down from the kernel's defaults to the profile's patience", () => {
    expect(valueSet(netIpv4TcpKeepaliveTime, { current: 7200 })).toBe(300);
    expect(valueSet(netIpv4TcpKeepaliveIntvl, { current: 75 })).toBe(15);
    expect(valueSet(netIpv4TcpKeepaliveProbes, { current: 9 })).toBe(5);
    expect(valueSet(netIpv4TcpRetries2, { current: 15 })).toBe(8);
  });

  it("never wait longer than the host does already", () => {
    for (const [knob, current] of [
      [netIpv4TcpKeepaliveTime, 60],
      [netIpv4TcpKeepaliveIntvl, 6],
      [netIpv4TcpKeepaliveProbes, 3],
      [netIpv4TcpRetries2, 5],
    ] as const) {
      expect(decide(knob, { current })).toMatchObject({ kind: "leave" });
    }
  });
});
