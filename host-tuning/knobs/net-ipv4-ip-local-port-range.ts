import { leave, setTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { STOCK_FIRST_PORT, outboundPorts, quickPorts, wantedPortRange } from "./outbound-ports.ts";
import { integersSysctl } from "./sysctl-knob.ts";

/**
 * net.ipv4.ip_local_port_range: first and last port that connect() may take for an outbound connection.
 *
 * Widened only when tools call out often enough to use up half of it (outbound-ports.ts), whatever the preset; what
 * the host has beyond the wanted range stays. The range never reaches down to where services listen, and the ports
 * that the service listens on inside it are the business of net.ipv4.ip_local_reserved_ports.
 *
 * @unit ports
 * @example 256 outbound connections hold up to 15 616 ports, more than the 14 116 quick ones of 32768-60999: "16384 65535"
 */
export const netIpv4IpLocalPortRange = integersSysctl({
  id: "net.ipv4.ip_local_port_range",
  title: "Ports that outbound connections draw from",
  unit: "ports",
  scope: "netns",
  takesEffect: "new-sockets",
  count: 2,
  range: [1024, 65_535],
  risk: {
    level: "medium",
    what: "a service that starts later and listens inside the range may find its port taken",
  },
  kernelDefault: "32768 60999",
  anchors: { TuneD: "oracle: 9000 65499" },
  evidence: counted("/proc/net/sockstat", ["TCP.tw", "TCP.inuse"]),
  sources: ["https://docs.kernel.org/networking/ip-sysctl.html#ip-variables"],
  desired({ profile, numbers }) {
    const [first = STOCK_FIRST_PORT, last = STOCK_FIRST_PORT] = numbers;
    const wanted = wantedPortRange(profile);
    const needed = outboundPorts(profile);
    const need = `${profile.workload.outboundConnections} outbound connections hold up to ${needed} ports without keep-alive (60 s TIME_WAIT each)`;
    const range = profile.allowLowering
      ? wanted
      : { first: Math.min(first, wanted.first), last: Math.max(last, wanted.last) };
    if (range.first === first && range.last === last && (first < wanted.first || last > wanted.last))
      return leave(
        `host has ${first}-${last}, wider than the ${wanted.first}-${wanted.last} needed: ${need}`,
      );
    const quick = quickPorts(range);
    const enough =
      needed <= quick
        ? `${range.first}-${range.last} has ${quick} that are found at once`
        : `no range has that many: ${quick} are found at once, so the tools need keep-alive`;
    return setTo(`${range.first} ${range.last}`, `${need}; ${enough}`);
  },
});
