import { deadPeer } from "./dead-peer.ts";
import { lowerTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * net.ipv4.tcp_keepalive_time: silence after which a connection is asked whether its peer still lives.
 *
 * The kernel waits 2 hours, in which a client that lost its network keeps its stream, and load balancers forget
 * connections long before (NLB after 350 s). It touches only sockets that turned keep-alive on, and Node's
 * `setKeepAlive(true, delay)` brings a delay of its own: the service has to turn it on either way.
 *
 * @unit seconds
 * @example idleTimeoutSeconds 300: 300
 */
export const netIpv4TcpKeepaliveTime = integerSysctl({
  id: "net.ipv4.tcp_keepalive_time",
  title: "Silence after which a peer is asked whether it lives",
  unit: "seconds",
  scope: "netns",
  takesEffect: "now",
  range: [1, 32_767],
  risk: { level: "low", what: "a probe for each silent connection, 52 bytes in each such time" },
  kernelDefault: "7200",
  anchors: { saptune: "300" },
  evidence: counted("/proc/net/netstat", ["TcpExt.TCPKeepAlive"]),
  sources: [
    "https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables",
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#connection-idle-timeout",
  ],
  desired(input) {
    const { timeSeconds } = deadPeer(input.profile);
    const because = `the profile lets a connection be silent for ${timeSeconds} s (workload.idleTimeoutSeconds)`;
    return lowerTo({ value: timeSeconds, because }, input);
  },
});
