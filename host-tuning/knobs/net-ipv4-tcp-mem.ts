import { leave, setTo } from "./desired.ts";
import { allEvidence, counted } from "./kernel-counters.ts";
import { socketBuffer } from "./socket-buffer.ts";
import { integersSysctl } from "./sysctl-knob.ts";

/** What an open connection that is neither full nor empty holds on average. Our estimate. */
const BYTES_PER_CONNECTION = 8192;

/** Share of RAM where TCP feels pressure at most; it stops at one and a half times that. Our choice. */
const MOST_PRESSURE_SHARE = 1 / 6;

/** tcp.c of the kernel: least, pressure and most stand to each other as 3 to 4 to 6. */
const LEAST_OF_PRESSURE = 3 / 4;
const MOST_OF_PRESSURE = 3 / 2;

/**
 * net.ipv4.tcp_mem: pages that all TCP sockets of the host hold together: below the first all is well, at the second
 * buffers shrink, at the third packets are dropped.
 *
 * In PAGES, not bytes; mixing them up is the classic error. Raised only where the buffers that
 * net.ipv4.tcp_rmem and tcp_wmem are sized for would run into it: full ones of one connection in a hundred, and a few KiB for each of the
 * others. perftune.py sets 3 % of memory whatever the load, which is less than the kernel's own 9 %; bpftune raises it
 * while it is short. One value for the host and all its network namespaces.
 *
 * @unit pages
 * @example 4096 connections on 64 GiB at 25 Gbit/s and 40 ms: 41 full pairs of 125 MB each are more than the kernel's pressure mark, so raised
 */
export const netIpv4TcpMem = integersSysctl({
  id: "net.ipv4.tcp_mem",
  title: "Memory of all TCP sockets: easy, pressure, most",
  unit: "pages",
  scope: "host",
  takesEffect: "now",
  count: 3,
  range: [1, Number.MAX_SAFE_INTEGER],
  risk: { level: "medium", what: "kernel memory that cannot be swapped: a quarter of RAM at most" },
  kernelDefault: "by memory: 4.7 %, 6.2 % and 9.4 % of it",
  anchors: {
    "perftune.py": "3 % of RAM as most, 2/3 and 1/2 of it below",
    bpftune: "grows the most up to 25 % of buffer pages while short",
  },
  evidence: allEvidence(
    counted("/proc/net/sockstat", ["TCP.mem"]),
    counted("/proc/net/netstat", [
      "TcpExt.TCPMemoryPressures",
      "TcpExt.TCPMemoryPressuresChrono",
      "TcpExt.TCPAbortOnMemory",
    ]),
  ),
  sources: ["https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables"],
  desired({ facts, profile, numbers }) {
    const [, pressure = 0] = numbers;
    const { pageBytes } = facts.kernel;
    const { connections } = profile.workload;
    const buffer = socketBuffer(facts, profile, 2);
    const full = buffer.kind === "sized" ? 2 * buffer.bytes * buffer.fullBuffers : 0;
    const neededBytes = full + connections * BYTES_PER_CONNECTION;
    const cap = Math.floor((facts.memory.totalBytes * MOST_PRESSURE_SHARE) / pageBytes);
    const needed = Math.min(Math.ceil(neededBytes / pageBytes), cap);
    const sum = `${connections} connections with ${BYTES_PER_CONNECTION} bytes each${buffer.kind === "sized" ? ` and ${buffer.fullBuffers} with both buffers full` : ""} hold ${neededBytes} bytes, ${Math.ceil(neededBytes / pageBytes)} pages of ${pageBytes}`;
    if (needed <= pressure) return leave(`host has ${pressure} pages before pressure, enough: ${sum}`);
    const because = neededBytes / pageBytes <= cap ? sum : `${sum}; capped at 1/6 of memory`;
    return setTo(
      [LEAST_OF_PRESSURE, 1, MOST_OF_PRESSURE].map((share) => Math.floor(needed * share)).join(" "),
      because,
    );
  },
});
