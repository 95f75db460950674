import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { type Wanted, clamp, leave, lowerTo, powerOfTwoAtMost } from "./desired.ts";
import { counted } from "./kernel-counters.ts";
import { UINT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** What Cloudflare runs to let a later, more urgent write overtake; below it the sender wakes too often. */
const LEAST_BYTES = 16_384;

/** TuneD's network-throughput and the HAProxy advice: ten times less memory with no loss of throughput. */
const MOST_BYTES = 131_072;

/** Share of RAM that unsent data of all streams together may take. Our choice. */
const MEMORY_SHARE = 1 / 16;

/**
 * net.ipv4.tcp_notsent_lowat: how much unsent data a socket takes before it tells the writer to wait.
 *
 * Off in a stock kernel, so each client that reads slowly pins a whole send buffer. Measured with 100 clients that never
 * read, kernel memory for each: 708 KB off, 261 KB at 131072, 164 KB at 16384. Anchors differ (TuneD 131072,
 * Cloudflare 16384): memory per stream decides between them, and the preset `latency` takes the smaller one because
 * less queued data means that a new answer waits less.
 *
 * @unit bytes
 * @example 20 000 streams on 2 GiB: 2 GiB / 16 / 20 000 = 6710, at least 16 384; 1024 streams: 131 072
 */
export const netIpv4TcpNotsentLowat = integerSysctl({
  id: "net.ipv4.tcp_notsent_lowat",
  title: "Unsent data a socket takes before the writer waits",
  unit: "bytes",
  scope: "netns",
  takesEffect: "now",
  range: [0, UINT32_MAX],
  risk: { level: "low", what: "the service is woken more often while it sends large answers" },
  kernelDefault: "4294967295, which is off",
  anchors: { TuneD: "network-throughput: 131072" },
  evidence: counted("/proc/net/sockstat", ["TCP.inuse", "TCP.mem"]),
  sources: [
    "https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables",
    "https://blog.cloudflare.com/http-2-prioritization-with-nginx/",
  ],
  desired({ facts, profile, current }) {
    if (profile.workload.streams === 0) return leave("the profile has no long-lived streams");
    return lowerTo(unsentPerStream(facts, profile), { current });
  },
});

function unsentPerStream(facts: HostFacts, profile: HostProfile): Wanted<number> {
  const { streams } = profile.workload;
  if (profile.preset === "latency")
    return {
      value: LEAST_BYTES,
      because: "preset latency: little queued data, so that a new answer waits less",
    };
  const shareBytes = Math.floor((facts.memory.totalBytes * MEMORY_SHARE) / streams);
  const value = clamp(powerOfTwoAtMost(shareBytes), LEAST_BYTES, MOST_BYTES);
  return {
    value,
    because: `unsent data of ${streams} streams may take 1/16 of memory, ${shareBytes} bytes each, kept between ${LEAST_BYTES} and ${MOST_BYTES}`,
  };
}
