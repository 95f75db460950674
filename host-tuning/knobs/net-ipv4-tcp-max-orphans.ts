import { powerOfTwoAtLeast, powerOfTwoAtMost, raiseTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** What one closed connection with data left to send may hold: the kernel's documentation says up to 64 KiB. */
const ORPHAN_BYTES = 65_536;

/** Share of RAM that orphans may take. Our choice. */
const MEMORY_SHARE = 1 / 4;

const LEAST = 4096;

/**
 * net.ipv4.tcp_max_orphans: closed connections that still have something to send; beyond it they are reset.
 *
 * When the service restarts, every client's connection becomes one. Only ever raised: the documentation forbids to lower
 * it. One value for the host, counted over all network namespaces.
 *
 * @unit connections
 * @example 600 000 connections on 64 GiB: capped at 262 144 (1/4 of memory with 64 KiB each), which a stock host of that size has
 */
export const netIpv4TcpMaxOrphans = integerSysctl({
  id: "net.ipv4.tcp_max_orphans",
  title: "Closed connections with data left to send",
  unit: "connections",
  scope: "host",
  takesEffect: "now",
  range: [0, INT32_MAX],
  risk: { level: "low", what: "up to 64 KiB of kernel memory for each, which cannot be swapped" },
  kernelDefault: "by memory: half of the TCP hash, 262144 from 16 GiB on",
  evidence: counted("/proc/net/sockstat", ["TCP.orphan"]),
  sources: ["https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables"],
  desired(input) {
    const { connections } = input.profile.workload;
    const wanted = Math.max(LEAST, powerOfTwoAtLeast(connections));
    const fitting = Math.max(
      LEAST,
      powerOfTwoAtMost((input.facts.memory.totalBytes * MEMORY_SHARE) / ORPHAN_BYTES),
    );
    const sum = `all ${connections} connections are closed at once when the service restarts`;
    const because =
      wanted <= fitting ? sum : `${sum}; capped at 1/4 of memory with ${ORPHAN_BYTES} bytes each`;
    return raiseTo(
      { value: Math.min(wanted, fitting), because },
      // The documentation says "do not lower": the profile's leave to lower does not reach here.
      { current: input.current, profile: { ...input.profile, allowLowering: false } },
    );
  },
});
