import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";
import { sysctlPath } from "./sysctl-knob.ts";

const ID = "net.ipv4.tcp_congestion_control";
const PATH = sysctlPath(ID);

/** Below it a loss is a full queue of our own network, which CUBIC is right to answer. Our choice. */
const LEAST_RTT_MILLIS = 20;

/**
 * net.ipv4.tcp_congestion_control: how a sender judges what its path can carry.
 *
 * CUBIC takes every lost packet for congestion and needs many round trips to recover, which costs most where round trips
 * are long and losses random; BBR goes by measured bandwidth and delay. bpftune changes to BBR from about 1.5 % of loss
 * on; the loss of the peak is not known at boot, so the round trip of the profile decides, and `explain` prints the
 * retransmissions that this host has counted. BBR paces by itself and works with every queueing discipline.
 * Another than the stock choices was picked by somebody and stays. New network namespaces start with the host's.
 *
 * @example 40 ms and tcp_bbr there: bbr; 0.5 ms inside a data centre: left
 */
export const netIpv4TcpCongestionControl = defineKnob<string>({
  id: ID,
  title: "How a sender judges what its path carries",
  family: "net",
  unit: "enum",
  scope: "netns",
  phase: "early",
  takesEffect: "new-sockets",
  survivesReboot: false,
  isReversible: true,
  risk: {
    level: "medium",
    what: "on a shared bottleneck with a short queue BBR takes more than its share from CUBIC flows, and sends again more often",
  },
  kernelDefault: "cubic",
  kernelRange: "bbr since Linux 4.9 with the module tcp_bbr, with pacing of its own since 4.13",
  anchors: { bpftune: "bbr above about 1.5 % loss, tried per destination" },
  evidence: counted("/proc/net/snmp", ["Tcp.OutSegs", "Tcp.RetransSegs"]),
  sources: [
    "https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables",
    "https://www.ietf.org/archive/id/draft-cardwell-iccrg-bbr-congestion-control-02.html",
  ],
  value: z.string().regex(/^[\w-]{1,15}$/, "a congestion control as in tcp_available_congestion_control"),
  read: (host) => readWord(host, PATH),
  desired({ facts, profile, current }) {
    const { rttMillis } = profile.workload;
    if (rttMillis < LEAST_RTT_MILLIS)
      return leave(
        `at ${rttMillis} ms round trip losses are repaired at once; BBR pays from ${LEAST_RTT_MILLIS} ms on`,
      );
    if (current !== "cubic" && current !== "reno" && current !== "bbr")
      return leave(`host has ${current}, which somebody chose`);
    if (!facts.kernel.congestionControls.includes("bbr"))
      return leave("this kernel has no tcp_bbr, neither built in nor as a module");
    return setTo(
      "bbr",
      `at ${rttMillis} ms round trip CUBIC takes many round trips to recover from a lost packet; BBR goes by measured bandwidth`,
    );
  },
  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
