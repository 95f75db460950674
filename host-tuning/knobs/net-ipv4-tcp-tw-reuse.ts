import { leave, setTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { outboundPorts, quickPorts, wantedPortRange } from "./outbound-ports.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * net.ipv4.tcp_tw_reuse: may connect() take a port that is still in TIME_WAIT: 0 no, 1 yes, 2 on loopback only.
 *
 * Only for hosts whose tools call out so often that even the widened port range runs out of quick ports. Keep-alive in
 * the tools does more: measured over 20 s 22 421 connections as stock, 257 375 with this, 763 071 with keep-alive.
 * Anchors leave it alone or set it without a condition (the ingress example of OpenShift); the call rate decides here.
 *
 * @example 4096 outbound connections hold up to 249 856 ports, more than the 24 576 quick ones of 16384-65535: 1
 */
export const netIpv4TcpTwReuse = integerSysctl({
  id: "net.ipv4.tcp_tw_reuse",
  title: "Outbound connections may reuse a port in TIME_WAIT",
  unit: "enum",
  scope: "netns",
  takesEffect: "now",
  range: [0, 2],
  risk: {
    level: "medium",
    what: "relies on TCP timestamps at both ends; a peer behind a middlebox that strips them may drop a connection",
  },
  kernelDefault: "2 (loopback only) since Linux 4.19, 0 before",
  kernelRange: "the value 2 since Linux 4.19",
  anchors: { NTO: "ingress example: 1", saptune: "watched, not set" },
  evidence: counted("/proc/net/sockstat", ["TCP.tw", "TCP.inuse"]),
  sources: ["https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables"],
  desired({ profile }) {
    const range = wantedPortRange(profile);
    const needed = outboundPorts(profile);
    const quick = quickPorts(range);
    const sum = `${profile.workload.outboundConnections} outbound connections hold up to ${needed} ports without keep-alive, and ${quick} of ${range.first}-${range.last} are found at once`;
    return needed <= quick
      ? leave(`${sum}: enough`)
      : setTo(1, `${sum}; keep-alive in the tools would do more`);
  },
});
