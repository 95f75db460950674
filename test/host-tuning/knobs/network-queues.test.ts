import { describe, expect, it } from "vitest";
import { netCoreSomaxconn } from "../../../host-tuning/knobs/net-core-somaxconn.ts";
import { netIpv4TcpMaxSynBacklog } from "../../../host-tuning/knobs/net-ipv4-tcp-max-syn-backlog.ts";
import { decide, valueSet } from "../../helpers/decide.ts";

describe.each([netCoreSomaxconn, netIpv4TcpMaxSynBacklog])("$id", (knob) => {
  it("holds all clients that come back after a network break, as a power of two", () => {
    expect(valueSet(knob, { current: 128, profile: { workload: { connections: 5000 } } })).toBe(8192);
    expect(valueSet(knob, { current: 128, profile: { workload: { connections: 50_000 } } })).toBe(65_536);
  });

  it("holds a second of new connections when those are more", () => {
    const workload = { connections: 100, connectionsPerSecond: 20_000 };
    expect(valueSet(knob, { current: 128, profile: { workload } })).toBe(32_768);
    expect(decide(knob, { current: 128, profile: { workload } }).because).toContain(
      "20000 new connections arrive in a second",
    );
  });

  it("never asks for less than the kernel's 4096 or more than 65536", () => {
    expect(valueSet(knob, { current: 128, profile: { workload: { connections: 1 } } })).toBe(4096);
    const many = { current: 128, profile: { workload: { connections: 4_000_000 } } };
    expect(valueSet(knob, many)).toBe(65_536);
    expect(decide(knob, many).because).toContain("capped at 65536");
  });

  it("never lowers a larger value, unless the profile allows it", () => {
    expect(decide(knob, { current: 20_000 })).toEqual({
      kind: "leave",
      because: expect.stringContaining("host has 20000, more than the 4096 needed"),
    });
    expect(valueSet(knob, { current: 20_000, profile: { allowLowering: true } })).toBe(4096);
  });
});
