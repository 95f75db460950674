import { counted } from "./kernel-counters.ts";
import { INT32_MAX, integersSysctl } from "./sysctl-knob.ts";
import { desiredTcpBuffer } from "./tcp-buffer-triple.ts";

/**
 * net.ipv4.tcp_wmem: least, first and largest send buffer of a TCP socket; autotuning moves between them.
 *
 * It decides how fast one client gets a large answer. What a client that does not read can pin is the same number, so
 * the number of connections caps it (socket-buffer.ts), and net.ipv4.tcp_notsent_lowat holds the unsent part down.
 *
 * @unit bytes
 * @example 25 Gbit/s at 20 ms, 50 000 connections, 256 GiB: twice the product is 125 000 000, capped at 256 GiB / 16 / 500 = 34 359 738
 */
export const netIpv4TcpWmem = integersSysctl({
  id: "net.ipv4.tcp_wmem",
  title: "TCP send buffer: least, first, largest",
  unit: "bytes",
  scope: "netns",
  takesEffect: "new-sockets",
  count: 3,
  range: [1, INT32_MAX],
  risk: { level: "low", what: "a client that stops reading may pin that much kernel memory" },
  kernelDefault: "4096 16384 4194304",
  anchors: { TuneD: "network-throughput: 4096 16384 16777216", bpftune: "moves the largest by 25 %" },
  evidence: counted("/proc/net/netstat", ["TcpExt.TCPMemoryPressures", "TcpExt.TCPFromZeroWindowAdv"]),
  sources: ["https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables"],
  desired: desiredTcpBuffer,
});
