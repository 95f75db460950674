import { deadPeer } from "./dead-peer.ts";
import { lowerTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * net.ipv4.tcp_keepalive_probes: keep-alive probes that may stay unanswered before the connection ends.
 *
 * @example 5, whatever the idle timeout; their distance follows it
 */
export const netIpv4TcpKeepaliveProbes = integerSysctl({
  id: "net.ipv4.tcp_keepalive_probes",
  title: "Unanswered keep-alive probes that end a connection",
  unit: "requests",
  scope: "netns",
  takesEffect: "now",
  range: [1, 127],
  risk: { level: "low", what: "a path that loses every probe ends the connection" },
  kernelDefault: "9",
  anchors: { saptune: "9" },
  evidence: counted("/proc/net/netstat", ["TcpExt.TCPKeepAlive", "TcpExt.TCPAbortOnTimeout"]),
  sources: ["https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables"],
  desired(input) {
    const { probes, intervalSeconds, patienceSeconds } = deadPeer(input.profile);
    const because = `${probes} probes ${intervalSeconds} s apart: a peer that is gone is known ${patienceSeconds} s after the first`;
    return lowerTo({ value: probes, because }, input);
  },
});
