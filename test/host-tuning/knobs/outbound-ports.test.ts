import { describe, expect, it } from "vitest";
import { netIpv4IpLocalPortRange } from "../../../host-tuning/knobs/net-ipv4-ip-local-port-range.ts";
import { netIpv4IpLocalReservedPorts } from "../../../host-tuning/knobs/net-ipv4-ip-local-reserved-ports.ts";
import { netIpv4TcpTwReuse } from "../../../host-tuning/knobs/net-ipv4-tcp-tw-reuse.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { decide, valueSet } from "../../helpers/decide.ts";
import { createHostRoot } from "../../helpers/host-root.ts";

const STOCK = "32768 60999";
const calling = (outboundConnections: number) => ({ workload: { outboundConnections } });

describe("net.ipv4.ip_local_port_range", () => {
  const knob = netIpv4IpLocalPortRange;

  it("is the stock range while that has enough ports", () => {
    expect(valueSet(knob, { current: STOCK, profile: calling(200) })).toBe(STOCK);
  });

  it("opens to 16384-65535 once half of the stock range would stand in TIME_WAIT", () => {
    const busy = { current: STOCK, profile: calling(256) };
    expect(valueSet(knob, busy)).toBe("16384 65535");
    expect(decide(knob, busy).because).toContain("hold up to 15616 ports");
  });

  it("never reaches into the NodePorts of Kubernetes", () => {
    const profile = { ...calling(10_000), service: { runtime: "kubernetes" as const } };
    expect(valueSet(knob, { current: STOCK, profile })).toBe("32768 65535");
  });

  it.each([
    [[20_000], "20002 65535"],
    [[20_001, 18_000], "20002 65535"],
    [[8080, 40_000], "16384 65535"],
  ])("never opens a port that the service listens on: %j", (listenPorts, range) => {
    const profile = { ...calling(1000), service: { listenPorts } };
    expect(valueSet(knob, { current: STOCK, profile })).toBe(range);
  });

  it("keeps what the host has beyond it", () => {
    expect(valueSet(knob, { current: "10000 61000", profile: calling(1000) })).toBe("10000 65535");
    expect(decide(knob, { current: "1024 65535", profile: calling(1000) }).because).toContain("wider than");
  });

  it("says so when no range is wide enough", () => {
    expect(decide(knob, { current: STOCK, profile: calling(5000) }).because).toContain(
      "the tools need keep-alive",
    );
  });
});

describe("net.ipv4.tcp_tw_reuse", () => {
  it("is set only when even the widened range runs out", () => {
    expect(valueSet(netIpv4TcpTwReuse, { current: 2, profile: calling(256) })).toBeUndefined();
    expect(valueSet(netIpv4TcpTwReuse, { current: 2, profile: calling(500) })).toBe(1);
  });

  it("comes sooner on Kubernetes, whose range is narrower", () => {
    const service = { runtime: "kubernetes" as const };
    expect(valueSet(netIpv4TcpTwReuse, { current: 2, profile: { ...calling(300), service } })).toBe(1);
    expect(valueSet(netIpv4TcpTwReuse, { current: 2, profile: calling(300) })).toBeUndefined();
  });
});

describe("net.ipv4.ip_local_reserved_ports", () => {
  const knob = netIpv4IpLocalReservedPorts;

  it("adds the service's ports to those that are reserved", () => {
    const profile = { service: { listenPorts: [8080, 40_000, 443] } };
    expect(valueSet(knob, { current: "9000-9002", profile })).toBe("8080,9000-9002,40000");
  });

  it("leaves a host alone when the profile names none that connect() could take", () => {
    expect(valueSet(knob, { current: "", profile: { service: { listenPorts: [443] } } })).toBeUndefined();
  });

  it("reads an empty file as no port and fails on one that holds something else", async () => {
    const path = "/proc/sys/net/ipv4/ip_local_reserved_ports";
    await using host = await createHostRoot({ [path]: "\n" });
    expect(await knob.read(openHost(host.root), { name: "" })).toBe("");
    await host.write(path, "many\n");
    await expect(knob.read(openHost(host.root), { name: "" })).rejects.toThrow(
      'Cannot read /proc/sys/net/ipv4/ip_local_reserved_ports: expected ports, found "many\\n"',
    );
  });
});
