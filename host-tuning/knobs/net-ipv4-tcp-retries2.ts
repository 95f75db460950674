import { deadPeer } from "./dead-peer.ts";
import { lowerTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * net.ipv4.tcp_retries2: how often unacknowledged data is sent again before the connection ends.
 *
 * Keep-alive does not run while data waits, so an answer to a client that vanished holds its stream for 15 minutes
 * with the kernel's 15. The patience is the same as with a silent peer, and never under the 100 s of RFC 1122.
 *
 * @example idleTimeoutSeconds 300: 75 s of patience, so 8 tries, 102 s; 7200: 375 s, so 11 tries, 445 s
 */
export const netIpv4TcpRetries2 = integerSysctl({
  id: "net.ipv4.tcp_retries2",
  title: "Times that unacknowledged data is sent again",
  unit: "requests",
  scope: "netns",
  takesEffect: "now",
  range: [0, 255],
  risk: {
    level: "low",
    what: "a connection over a path that is down for longer ends, where the default would have waited 15 minutes",
  },
  kernelDefault: "15, about 924 s",
  evidence: counted("/proc/net/netstat", ["TcpExt.TCPTimeouts", "TcpExt.TCPAbortOnTimeout"]),
  sources: [
    "https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables",
    "https://www.rfc-editor.org/rfc/rfc1122.html#page-101",
  ],
  desired(input) {
    const { retries, retriesSeconds, patienceSeconds } = deadPeer(input.profile);
    const because = `${retries} tries take ${retriesSeconds} s, at least the 100 s of RFC 1122 and the ${patienceSeconds} s that a silent peer gets`;
    return lowerTo({ value: retries, because }, input);
  },
});
