import { connectionBurst } from "./connection-burst.ts";
import { raiseTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/**
 * net.ipv4.tcp_max_syn_backlog: half-open connections a listener keeps before it falls back to SYN cookies.
 *
 * The same storm as the accept queue, since every connection of it is half-open for one round trip first. Cookies
 * would carry the rest, but without window scaling and SACK where timestamps are off, so they are the emergency.
 *
 * @unit connections
 * @example 50 000 connections: 65 536 entries of about 304 bytes, 20 MB
 */
export const netIpv4TcpMaxSynBacklog = integerSysctl({
  id: "net.ipv4.tcp_max_syn_backlog",
  title: "Half-open connections a listener keeps",
  unit: "connections",
  scope: "netns",
  takesEffect: "now",
  range: [0, INT32_MAX],
  risk: { level: "low", what: "about 304 bytes of kernel memory for each half-open connection" },
  kernelDefault: "1/128 of the TCP hash table, at least 128: 4096 with 64 GiB",
  anchors: {
    rpk: "4096, raise only",
    "perftune.py": "4096",
    saptune: "8192",
    bpftune: "grows while a listener is short",
  },
  evidence: counted("/proc/net/netstat", [
    "TcpExt.TCPReqQFullDrop",
    "TcpExt.TCPReqQFullDoCookies",
    "TcpExt.SyncookiesSent",
  ]),
  sources: ["https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables"],
  desired: (input) => raiseTo(connectionBurst(input.profile), input),
});
