import { deadPeer } from "./dead-peer.ts";
import { lowerTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * net.ipv4.tcp_keepalive_intvl: time between two keep-alive probes that get no answer.
 *
 * Five probes in a quarter of the idle timeout, so that a dead peer is found soon after it was first suspected
 * (dead-peer.ts). The three keep-alive settings mean something only together.
 *
 * @unit seconds
 * @example idleTimeoutSeconds 300: 300 / 20 = 15, so 75 s until the connection ends
 */
export const netIpv4TcpKeepaliveIntvl = integerSysctl({
  id: "net.ipv4.tcp_keepalive_intvl",
  title: "Time between unanswered keep-alive probes",
  unit: "seconds",
  scope: "netns",
  takesEffect: "now",
  range: [1, 32_767],
  risk: { level: "low", what: "a path that is down for longer than all probes together ends the connection" },
  kernelDefault: "75",
  anchors: { saptune: "75" },
  evidence: counted("/proc/net/netstat", ["TcpExt.TCPKeepAlive", "TcpExt.TCPAbortOnTimeout"]),
  sources: ["https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables"],
  desired(input) {
    const { timeSeconds, intervalSeconds, probes } = deadPeer(input.profile);
    const because = `${probes} probes within a quarter of the ${timeSeconds} s of silence that the profile allows`;
    return lowerTo({ value: intervalSeconds, because }, input);
  },
});
