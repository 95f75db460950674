import { connectionBurst } from "./connection-burst.ts";
import { raiseTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/**
 * net.core.somaxconn: how many accepted connections a listener may hold that the service has not taken yet.
 *
 * Sized for the reconnect storm (connection-burst.ts), whatever the preset. It is only a ceiling: a listener gets the
 * smaller of this and the backlog it asks for, and Node asks for 511, so the service has to ask for more itself.
 * Measured: 1500 connections against a server that stalls 100 ms of every 200, 4096 here and in `listen()`: no
 * overflow and no request over 1 s; 4096 here and Node's 511: 496 to 1204 overflows.
 *
 * @unit connections
 * @example 4096 connections: 4096, the kernel's default; 50 000 connections: 65 536
 */
export const netCoreSomaxconn = integerSysctl({
  id: "net.core.somaxconn",
  title: "Longest accept queue a listener may ask for",
  unit: "connections",
  scope: "netns",
  takesEffect: "new-sockets",
  range: [0, INT32_MAX],
  risk: {
    level: "low",
    what: "a long queue answers late instead of refusing when the service is overloaded",
  },
  kernelDefault: "4096 since Linux 5.4, 128 before",
  anchors: {
    TuneD: "throughput-performance: 2048, raise only",
    rpk: "4096, raise only",
    "perftune.py": "4096",
    saptune: "4096, before SLES 15 SP4 only",
  },
  evidence: counted("/proc/net/netstat", ["TcpExt.ListenOverflows", "TcpExt.ListenDrops"]),
  sources: [
    "https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables",
    "https://man7.org/linux/man-pages/man2/listen.2.html",
    "https://nodejs.org/api/net.html#serverlisten",
  ],
  desired(input) {
    const { value, because } = connectionBurst(input.profile);
    return raiseTo(
      { value, because: `${because}; the listener must ask for it too (Node asks for 511)` },
      input,
    );
  },
});
