import { leave, raiseTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { socketBuffer } from "./socket-buffer.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/**
 * net.core.rmem_max: the largest receive buffer a socket may ask for with SO_RCVBUF.
 *
 * Once the bandwidth-delay product: the kernel itself doubles what a program asks for, for its bookkeeping. TCP's
 * autotuning is not bounded by it; that is the third number of net.ipv4.tcp_rmem. It matters to UDP (QUIC, metrics)
 * and to programs that size their buffers themselves.
 *
 * @unit bytes
 * @example 25 Gbit/s at 2 ms: 25e9 / 8 * 0.002 = 6 250 000
 */
export const netCoreRmemMax = integerSysctl({
  id: "net.core.rmem_max",
  title: "Largest receive buffer a program may ask for",
  unit: "bytes",
  scope: "host",
  takesEffect: "new-sockets",
  range: [2304, INT32_MAX],
  risk: { level: "low", what: "a program that asks for it can hold that much kernel memory for one socket" },
  kernelDefault: "212992",
  anchors: { TuneD: "mssql, oracle: 4194304", saptune: "16777216 for NFS", bpftune: "grows" },
  evidence: counted("/proc/net/snmp", ["Udp.RcvbufErrors"]),
  sources: [
    "https://docs.kernel.org/admin-guide/sysctl/net.html#rmem-max",
    "https://man7.org/linux/man-pages/man7/socket.7.html",
  ],
  desired(input) {
    const buffer = socketBuffer(input.facts, input.profile, 1);
    return buffer.kind === "unknown"
      ? leave(buffer.because)
      : raiseTo({ value: Math.max(buffer.bytes, 2304), because: buffer.because }, input);
  },
});
