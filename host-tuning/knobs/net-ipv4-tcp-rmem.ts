import { counted } from "./kernel-counters.ts";
import { INT32_MAX, integersSysctl } from "./sysctl-knob.ts";
import { desiredTcpBuffer } from "./tcp-buffer-triple.ts";

/**
 * net.ipv4.tcp_rmem: least, first and largest receive buffer of a TCP socket; autotuning moves between them.
 *
 * It decides how fast one client can upload. New network namespaces start with the host's values.
 *
 * @unit bytes
 * @example 1 Gbit/s at 40 ms: "4096 131072 10000000" (1e9 / 8 * 0.040 * 2), less where memory is short
 */
export const netIpv4TcpRmem = integersSysctl({
  id: "net.ipv4.tcp_rmem",
  title: "TCP receive buffer: least, first, largest",
  unit: "bytes",
  scope: "netns",
  takesEffect: "new-sockets",
  count: 3,
  range: [1, INT32_MAX],
  risk: { level: "low", what: "one fast sender to a slow service may fill that much kernel memory" },
  kernelDefault: "4096 131072 6291456; the largest is 33554432 on recent kernels (seen on 6.18)",
  anchors: { TuneD: "network-throughput: 4096 131072 16777216", bpftune: "moves the largest by 25 %" },
  evidence: counted("/proc/net/netstat", [
    "TcpExt.TCPRcvCollapsed",
    "TcpExt.PruneCalled",
    "TcpExt.TCPRcvQDrop",
    "TcpExt.TCPToZeroWindowAdv",
  ]),
  sources: ["https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables"],
  desired: desiredTcpBuffer,
});
